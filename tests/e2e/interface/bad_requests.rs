//! Requests that only a direct caller of the socket can make: each is refused with the name of the wrong field.

use std::collections::BTreeMap;

use tenantry_harness::rpc::context;
use tenantry_harness::{Env, Folder};
use tenantry_protocol::blueprint::BlueprintsRequest;
use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::operation::{OperationRequest, OperationsRequest};
use tenantry_protocol::tenant::{ProvisionRequest, RollbackRequest};

fn provision() -> ProvisionRequest {
    ProvisionRequest { slug: "acme".into(), blueprint: "projects".into(), ..ProvisionRequest::default() }
}

fn labelled(labels: impl IntoIterator<Item = (String, String)>) -> ProvisionRequest {
    ProvisionRequest { labels: labels.into_iter().collect(), ..provision() }
}

fn keyed(key: &str) -> ProvisionRequest {
    ProvisionRequest { idempotency_key: Some(key.to_owned()), ..provision() }
}

fn named(name: &str) -> ProvisionRequest {
    ProvisionRequest { display_name: Some(name.to_owned()), ..provision() }
}

#[track_caller]
fn assert_invalid(error: &ApiError, field: &str) {
    assert_eq!(error.code, ErrorCode::InvalidArgument, "{error:?}");
    assert_eq!(error.field.as_deref(), Some(field), "{error:?}");
}

#[tokio::test]
async fn a_provision_out_of_bounds_is_refused_with_its_field_and_makes_no_tenant() {
    let env = Env::new().await;
    let client = env.rpc().await;
    let label = |key: &str, value: String| labelled([(key.to_owned(), value)]);
    let cases = [
        (named(" "), "display_name"),
        (named("two\nlines"), "display_name"),
        (named("turned \u{202e}round"), "display_name"),
        (named(&"x".repeat(201)), "display_name"),
        (label("Upper", "x".into()), "labels"),
        (label("tier", "x".repeat(256)), "labels.tier"),
        (labelled((0..65).map(|n| (format!("l{n}"), "x".into()))), "labels"),
        (labelled((0..20).map(|n| (format!("l{n}"), "x".repeat(250)))), "labels"),
        (keyed(""), "idempotency_key"),
        (keyed("two words"), "idempotency_key"),
        (keyed(&"k".repeat(201)), "idempotency_key"),
        (ProvisionRequest { version: Some("newest".into()), ..provision() }, "version"),
        (ProvisionRequest { blueprint: "Projects!".into(), ..provision() }, "blueprint"),
        (
            ProvisionRequest { settings: BTreeMap::from([("connection_limit".into(), -7)]), ..provision() },
            "settings.connection_limit",
        ),
    ];
    for (request, field) in cases {
        let shown = format!("{request:?}");
        let error = client.provision(context(), request).await.unwrap().expect_err(&shown);
        assert_invalid(&error, field);
    }
    let listed = env.tenantry(&["tenant", "list", "--all", "--json"]).await.json();
    assert_eq!(listed["total"], 0, "{listed}");
}

#[tokio::test]
async fn seed_data_that_a_blueprint_does_not_have_is_not_silently_left_out() {
    let env = Env::new().await;
    let folder =
        Folder::new(&env.dir, "bare", "1.0").migration("one", "create table one (id bigint primary key);");
    env.add_blueprint(folder.path()).await;
    let request = ProvisionRequest { blueprint: "bare".into(), seed: true, ..provision() };
    let error = env.rpc().await.provision(context(), request).await.unwrap().unwrap_err();
    assert_invalid(&error, "seed");
}

#[tokio::test]
async fn among_several_targets_one_must_be_chosen() {
    let mut env = Env::new().await;
    env.take_daemon().stop().await;
    env.write_config("", &[("east", env.target_url()), ("west", env.target_url())]);
    env.start_daemon().await;
    let error = env.rpc().await.provision(context(), provision()).await.unwrap().unwrap_err();
    assert_invalid(&error, "target");
    assert!(error.message.contains("east") && error.message.contains("west"), "{error:?}");
}

#[tokio::test]
async fn what_does_not_exist_is_told_from_what_is_asked_for_wrongly() {
    let env = Env::new().await;
    let client = env.rpc().await;
    let unknown = OperationRequest { id: uuid::Uuid::now_v7().to_string() };
    let error = client.operation(context(), unknown).await.unwrap().unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound, "{error:?}");

    let sql_of_everything = BlueprintsRequest { with_sql: true, ..BlueprintsRequest::default() };
    assert_invalid(&client.blueprints(context(), sql_of_everything).await.unwrap().unwrap_err(), "name");
    for limit in [0, 501] {
        let page = OperationsRequest { limit: Some(limit), ..OperationsRequest::default() };
        assert_invalid(&client.operations(context(), page).await.unwrap().unwrap_err(), "limit");
    }
}

#[tokio::test]
async fn a_rollback_is_refused_while_there_is_no_whole_tenant_and_says_what_to_do() {
    let env = Env::new().await;
    let slow = Folder::new(&env.dir, "slow", "1.0").migration("wait", "select pg_sleep(600);");
    env.add_blueprint(slow.path()).await;
    let create = ["tenant", "create", "unborn", "--blueprint", "slow", "--no-wait"];
    env.tenantry(&create).await.assert_status(0);
    let rollback =
        async |slug| env.tenantry(&["tenant", "rollback", slug, "--confirm", slug, "--discard-data"]).await;
    rollback("unborn").await.assert_status(5).assert_says(&["provisioning", "tenantry operation list"]);

    env.provision("acme").await;
    rollback("acme").await.assert_status(0);
    rollback("acme").await.assert_status(5).assert_says(&["rolled_back", "nothing of it is left"]);
}

#[tokio::test]
async fn the_key_of_a_rollback_leads_to_it_for_ever_and_to_nothing_else() {
    let env = Env::new().await;
    env.provision("acme").await;
    env.provision("globex").await;
    let client = env.rpc().await;
    let request = |slug: &str| RollbackRequest {
        slug: slug.into(),
        confirm: slug.into(),
        discard_data: true,
        idempotency_key: Some("once".into()),
    };
    let started = client.rollback(context(), request("acme")).await.unwrap().unwrap();
    assert!(!started.replayed);
    env.wait_for_operation(&started.operation.id.to_string(), "succeeded").await;
    let again = client.rollback(context(), request("acme")).await.unwrap().unwrap();
    assert!(again.replayed);
    assert_eq!(again.operation.id, started.operation.id);
    let other = client.rollback(context(), request("globex")).await.unwrap().unwrap_err();
    assert_eq!(other.code, ErrorCode::Conflict, "{other:?}");
    assert_eq!(env.tenant("globex").await.tenant.state.name(), "active");
}
