//! The trail is complete: every change that the daemon can be asked for leaves its events, and so does what it decides
//! itself.

use serde_json::{Value, json};
use tenantry_harness::rpc::context;
use tenantry_harness::{Env, Folder, eventually};
use tenantry_protocol::audit::{AuditEvent, AuditRequest};
use tenantry_protocol::methods::Effect;
use tenantry_protocol::service::METHODS;

/// Stands for the operation that was started last.
const LAST: &str = "the last operation";

/// A call, and what it leaves in the trail.
struct Call {
    method: &'static str,
    request: Value,
    events: &'static [&'static str],
}

fn call(method: &'static str, request: Value, events: &'static [&'static str]) -> Call {
    Call { method, request, events }
}

/// Ordered so that each finds what it needs.
fn mutations() -> Vec<Call> {
    let acme = || json!({ "slug": "acme" });
    let confirmed = json!({ "slug": "acme", "confirm": "acme", "discard_data": true });
    let mut retire = confirmed.clone();
    retire["grace_s"] = json!(3_600);
    let files = json!({ "files": [
        { "path": "blueprint.toml", "content": "name = \"slow\"\nversion = \"1.0\"\ntitle = \"Slow\"\ntenancy = \"schema\"\n" },
        { "path": "V1__wait.sql", "content": "select pg_sleep(10);\n" },
    ]});
    vec![
        call("blueprint_add", files, &["blueprint.add"]),
        call(
            "provision",
            json!({ "slug": "acme", "blueprint": "projects", "version": "1.0" }),
            &["provision.intent", "provision"],
        ),
        call("issue_credentials", acme(), &["credentials.issue.intent", "credentials.issue"]),
        call("rotate_credentials", acme(), &["credentials.rotate.intent", "credentials.rotate"]),
        call("finish_rotation", acme(), &["credentials.finish.intent", "credentials.finish"]),
        call("verify_isolation", acme(), &["verify.intent", "verify"]),
        call(
            "update_tenant",
            json!({ "slug": "acme", "labels": { "tier": "gold" } }),
            &["update.intent", "update"],
        ),
        call("upgrade_tenant", json!({ "slug": "acme", "version": "1.0" }), &["upgrade.intent", "upgrade"]),
        call(
            "upgrade",
            json!({ "blueprint": "projects", "version": "1.0" }),
            &["blueprint.upgrade", "blueprint.upgrade.end"],
        ),
        call(
            "downgrade",
            json!({ "upgrade": { "blueprint": "projects", "version": "2.0" }, "confirm": "projects" }),
            &["blueprint.downgrade", "blueprint.upgrade.end"],
        ),
        // An upgrade without tenants ends at once; the events of these are tested elsewhere.
        call("upgrade_pause", json!({}), &[]),
        call("upgrade_resume", json!({}), &[]),
        call("upgrade_cancel", json!({}), &[]),
        call("upgrade_retry", json!({}), &[]),
        call("suspend", acme(), &["suspend.intent", "suspend"]),
        call("resume", acme(), &["resume.intent", "resume"]),
        call("retire", retire, &["retire.intent", "retire"]),
        call("resume", acme(), &["resume.intent", "resume"]),
        call("rollback", confirmed, &["rollback.intent", "rollback"]),
        call("provision", json!({ "slug": "slow", "blueprint": "slow" }), &["provision.intent"]),
        call("cancel", json!({ "operation": LAST }), &["operation.cancel", "provision.undo", "provision"]),
        call("retry", json!({ "operation": LAST }), &["provision.intent"]),
        call("cancel", json!({ "operation": LAST }), &["operation.cancel", "provision"]),
        call("audit_verify", json!({}), &["audit.verify"]),
        call("audit_rotate_key", json!({}), &["audit.key_change"]),
        call("audit_export", json!({}), &["audit.export.intent"]),
        call("audit_hold", json!({ "name": "lawsuit", "reason": "a letter" }), &["audit.hold"]),
        call("audit_release", json!({ "name": "lawsuit" }), &["audit.release"]),
        call("audit_redact", json!({ "slug": "acme", "confirm": "acme" }), &["audit.redact"]),
        // There is no trouble here and no old event; the events of these two are tested elsewhere.
        call("audit_acknowledge", json!({ "seq": 1 }), &[]),
        call("audit_prune", json!({ "before": "2020-01-01T00:00:00Z" }), &[]),
    ]
}

/// All events after `seq`, oldest first.
async fn events_after(env: &Env, seq: i64) -> Vec<AuditEvent> {
    let request = AuditRequest { limit: Some(500), ..AuditRequest::default() };
    let mut events = env.rpc().await.audit(context(), request).await.unwrap().unwrap().events;
    events.retain(|event| event.seq > seq);
    events.reverse();
    events
}

async fn newest(env: &Env) -> i64 {
    events_after(env, 0).await.last().map_or(0, |event| event.seq)
}

#[test]
fn every_method_that_changes_something_is_known_to_leave_an_event() {
    let mutations = mutations();
    let changes = METHODS.iter().filter(|method| method.effect == Effect::Changes);
    let unknown: Vec<_> = changes
        .map(|method| method.name)
        .filter(|name| !mutations.iter().any(|call| call.method == *name))
        .collect();
    assert!(unknown.is_empty(), "say here which events these leave: {unknown:?}");
    let reads: Vec<_> =
        METHODS.iter().filter(|method| method.effect == Effect::Reads).map(|method| method.name).collect();
    let told: Vec<_> = mutations.iter().map(|call| call.method).filter(|name| reads.contains(name)).collect();
    assert!(told.is_empty(), "the table says that these only read: {told:?}");
}

#[tokio::test]
async fn every_mutation_leaves_its_events_under_its_callers_name() {
    let env = Env::new().await;
    let mut last = String::new();
    for Call { method, request, events: expected } in mutations() {
        let before = newest(&env).await;
        let request = request.to_string().replace(LAST, &last);
        let output = env.tenantry(&["rpc", method, &request]).await;
        if expected.is_empty() {
            let is_recorded = newest(&env).await > before;
            let did_something = output.status == 0 && output.json()["events"] != 0;
            assert!(!did_something || is_recorded, "{method} did something and left no event: {output}");
            continue;
        }
        let answer = output.assert_status(0).json();
        if let Some(id) = answer["operation"]["id"].as_str() {
            id.clone_into(&mut last);
        }
        let found = eventually(&format!("{method} leaves {expected:?}"), async || {
            let found = events_after(&env, before).await;
            let has = |action: &&str| found.iter().any(|event| event.action == *action);
            expected.iter().all(has).then_some(found)
        })
        .await;
        for action in expected {
            let event = found.iter().find(|event| event.action == *action).unwrap();
            assert!(event.actor.contains("(uid ") && event.actor_uid.is_some(), "{method}: {event:?}");
        }
        let intents = found
            .iter()
            .filter(|event| event.operation_id.is_some())
            .filter(|event| event.action.ends_with(".intent") || event.action == "operation.cancel");
        for intent in intents {
            let digest = intent.request.as_deref().unwrap_or_default();
            assert!(digest.len() == 64 && intent.outcome.is_none(), "{method}: what was asked: {intent:?}");
            assert_eq!(intent.facts.get("target").map(String::as_str), Some("local"), "{intent:?}");
        }
    }
}

#[tokio::test]
async fn the_events_of_an_operation_say_what_it_was_about() {
    let env = Env::new().await;
    let request = json!({ "slug": "acme", "blueprint": "projects", "version": "1.0" }).to_string();
    let mut digests = Vec::new();
    for _ in 0..2 {
        let before = newest(&env).await;
        let started = env.tenantry(&["rpc", "provision", &request]).await.assert_status(0).json();
        env.wait_for_operation(started["operation"]["id"].as_str().unwrap(), "succeeded").await;
        let events = events_after(&env, before).await;
        let (intent, end) = (&events[0], &events[1]);
        for event in [intent, end] {
            let of = |name: &str| event.facts.get(name).map(String::as_str);
            assert_eq!(
                (of("blueprint"), of("seed"), of("tenancy")),
                (Some("projects"), Some("without"), Some("schema"))
            );
            assert!(of("version").is_some() && of("target") == Some("local"), "{event:?}");
        }
        assert_eq!(intent.facts["plan_hash"].len(), 64, "{intent:?}");
        assert_eq!((end.facts["grade"].as_str(), end.facts["depth"].as_str()), ("A", "core"), "{end:?}");
        digests.push(intent.request.clone());
        env.rollback("acme").await;
    }
    assert_eq!(digests[0], digests[1], "the same request has the same digest");
    let before = newest(&env).await;
    env.provision("globex").await;
    let other = events_after(&env, before).await;
    assert_ne!(other[0].request, digests[0], "another request has another");

    let broken = Folder::new(&env.dir, "broken", "1.0").migration("bad", "create tabel bad ();");
    env.add_blueprint(broken.path()).await;
    env.tenantry(&["tenant", "create", "initech", "--blueprint", "broken"]).await.assert_status(1);
    let failed = env.tenant("initech").await.operations[0].id.to_string();
    let before = newest(&env).await;
    env.tenantry(&["operation", "retry", &failed]).await;
    let again = events_after(&env, before).await;
    assert_eq!(again[0].facts["retry_of"], failed, "{again:?}");
}

#[tokio::test]
async fn a_daemons_start_and_what_it_decides_about_the_work_of_the_one_before_are_in_the_trail() {
    let mut env = Env::new().await;
    let slow = Folder::new(&env.dir, "slow", "1.0").migration("wait", "select pg_sleep(600);");
    env.add_blueprint(slow.path()).await;
    let create = ["tenant", "create", "acme", "--blueprint", "slow", "--no-wait", "--json"];
    let started = env.tenantry(&create).await.assert_status(0).json();
    let id = started["operation"]["id"].as_str().unwrap();
    env.wait_for_operation(id, "running").await;
    env.take_daemon().kill().await;
    env.start_daemon().await;
    let recovered = eventually("the decision is on record", async || {
        events_after(&env, 0).await.into_iter().find(|event| event.action == "operation.recovered")
    })
    .await;
    let of = |name: &str| recovered.facts.get(name).map(String::as_str);
    assert_eq!(
        (of("decision"), of("build"), of("kind")),
        (Some("built_again"), Some("void"), Some("provision"))
    );
    assert_eq!((of("epoch"), recovered.actor.as_str()), (Some("2"), "tenantryd"), "{recovered:?}");
    assert_eq!(recovered.operation_id.as_ref().map(ToString::to_string).as_deref(), Some(id));
    let together: bool = sqlx::query_scalar(
        "select exists (select from control.operation_event j join control.audit_event a on a.xmin = j.xmin
                        where a.seq = $1 and j.event ->> 'event' = 'taken_up')",
    )
    .bind(recovered.seq)
    .fetch_one(&mut env.control().await)
    .await
    .unwrap();
    assert!(together, "the decision and the journal's word of it are one transaction");

    let events = events_after(&env, 0).await;
    let starts: Vec<_> = events.iter().filter(|event| event.action == "daemon.start").collect();
    let epochs: Vec<_> = starts.iter().map(|start| start.facts["epoch"].as_str()).collect();
    assert_eq!(epochs, ["1", "2"]);
    assert_eq!(starts[0].facts["config"].len(), 64, "{:?}", starts[0]);
    assert_eq!(starts[0].facts["version"], env!("CARGO_PKG_VERSION"));
    assert!(
        starts[1].detail.as_deref().is_some_and(|detail| detail.starts_with("before: pid ")),
        "{:?}",
        starts[1]
    );
}
