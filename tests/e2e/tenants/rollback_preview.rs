//! The preview of a rollback is accurate: its numbers agree with what a superuser sees. Reading it changes nothing, and
//! runs none of the tenant's code where that could do harm.

use std::time::{Duration, Instant};

use sqlx::{Connection as _, Executor as _};
use tenantry_harness::catalog::Snapshot;
use tenantry_harness::rpc::context;
use tenantry_harness::{Cluster, Env, Folder, Version};
use tenantry_protocol::ErrorCode;
use tenantry_protocol::tenant::{RollbackPreview, RollbackPreviewRequest, RowCount};

async fn preview(env: &Env, slug: &str) -> RollbackPreview {
    let request = RollbackPreviewRequest { slug: slug.into() };
    env.rpc().await.rollback_preview(context(), request).await.unwrap().unwrap()
}

/// A number from the target, as a superuser sees it.
async fn number(env: &Env, sql: String) -> u64 {
    let mut superuser = env.target().await;
    let number: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut superuser).await.unwrap();
    superuser.close().await.unwrap();
    number.unsigned_abs()
}

async fn what_is_told_agrees_with_the_server(version: Version) {
    // The test compares snapshots of the whole cluster.
    let env = Env::on(Cluster::private(version)).await;
    let create = ["tenant", "create", "acme", "--blueprint", "projects@1.0", "--seed", "--json"];
    env.tenantry(&create).await.assert_status(0);
    let placement = env.tenant("acme").await.tenant.placement;
    let login =
        env.tenantry(&["tenant", "credentials", "acme", "issue", "--json"]).await.assert_status(0).json();
    let text = |name: &str| login["credentials"][name].as_str().or(login[name].as_str()).unwrap().to_owned();
    let session = env.cluster.options(&env.target_db).username(&text("role")).password(&text("password"));
    let mut session = sqlx::PgConnection::connect_with(&session).await.unwrap();
    session.execute("select 1").await.unwrap();
    let before = Snapshot::take(&env).await;

    let told = preview(&env, "acme").await;

    let of = format!("from pg_class where relnamespace = '{placement}'::regnamespace");
    let tables =
        number(&env, format!("select count(*) {of} and relkind in ('r', 'p') and not relispartition")).await;
    let rows = format!(
        "select sum((xpath('/row/c/text()', query_to_xml(format('select count(*) as c from only %s', oid::regclass),
                    false, true, '')))[1]::text::bigint)::bigint {of} and relkind = 'r'"
    );
    let size = format!("select sum(pg_total_relation_size(oid))::bigint {of} and relkind in ('r', 'm', 'S')");
    let rows = number(&env, rows).await;
    assert!(tables > 0 && rows > 0, "{tables} tables, {rows} rows");
    assert_eq!((told.tables, told.rows), (tables, RowCount::Exact { rows }));
    assert_eq!(told.size_bytes, Some(number(&env, size).await));
    assert_eq!((told.sessions, told.roles.len()), (1, 5), "{told:?}");
    assert!(told.active_since.is_some_and(|since| since > told.tenant.created_at), "{told:?}");
    assert_eq!(before.difference(&Snapshot::take(&env).await), Vec::<String>::new());
    session.close().await.unwrap();
}

#[tokio::test]
async fn what_is_told_agrees_with_the_packaged_postgresql() {
    what_is_told_agrees_with_the_server(Version::Packaged).await;
}

#[tokio::test]
async fn what_is_told_agrees_with_postgresql_18() {
    what_is_told_agrees_with_the_server(Version::V18).await;
}

/// A locked table does not delay anybody who only asks.
#[tokio::test]
async fn what_cannot_be_read_in_time_is_an_estimate_or_left_out() {
    let env = Env::new().await;
    let folder = Folder::new(&env.dir, "small", "1.0").migration(
        "one",
        "create table thing (id int primary key); insert into thing select generate_series(1, 7);",
    );
    env.add_blueprint(folder.path()).await;
    let small = env.provision_of("small", "small").await;
    let mut superuser = env.target().await;
    let thing = format!("{}.thing", small.tenant.placement);
    superuser.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(format!("analyze {thing}")))).await.unwrap();
    let lock = format!("begin; lock table {thing} in access exclusive mode");
    superuser.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(lock))).await.unwrap();
    let told = preview(&env, "small").await;
    assert_eq!((told.tables, told.rows, told.size_bytes), (1, RowCount::Estimated { rows: 7 }, None));
    superuser.execute("rollback").await.unwrap();
    assert_eq!(preview(&env, "small").await.rows, RowCount::Exact { rows: 7 });
}

/// The planner evaluates the constant parts of an index's expression even for `count(*)`: here they are the tenant's code.
/// It tries to become the provisioner, writes, and then outlives its own cancellation.
const SPY: &str = "
    create table bait (id int primary key);
    create function deed() returns int volatile language plpgsql as $$
    begin
        begin execute 'create role pwned_by_a_count'; exception when others then null; end;
        begin execute 'create table public.pwned_by_a_count ()'; exception when others then null; end;
        return 1;
    end $$;
    create function spy(int) returns int immutable language plpgsql as $$
    begin
        if current_setting('transaction_read_only') = 'on' then
            begin perform set_config('transaction_read_only', 'off', false); exception when others then null; end;
            begin perform set_config('role', 'none', false); exception when others then null; end;
            begin perform deed(); exception when others then null; end;
            loop
                begin perform pg_sleep(60); exception when query_canceled then null; end;
            end loop;
        end if;
        return 1;
    end $$;
    create index trap on bait ((spy(1)));";

#[tokio::test]
async fn an_index_expression_neither_reaches_the_provisioner_nor_holds_the_answer_up() {
    let env = Env::on(Cluster::private(Version::Packaged)).await;
    let folder = Folder::new(&env.dir, "hostile", "1.0").migration("spy", SPY);
    env.add_blueprint(folder.path()).await;
    let hostile = env.provision_of("hostile", "hostile").await;
    let before = Snapshot::take(&env).await;
    let asked = Instant::now();
    let told = preview(&env, "hostile").await;
    assert!(matches!(told.rows, RowCount::Estimated { .. }), "{told:?}");
    assert!(asked.elapsed() > Duration::from_secs(1), "the trap was not sprung");
    assert_eq!(before.difference(&Snapshot::take(&env).await), Vec::<String>::new());
    env.rollback("hostile").await;
    env.assert_clean_slate(&hostile.tenant.placement).await;
}

#[tokio::test]
async fn a_tenant_that_is_gone_has_nothing_to_show() {
    let env = Env::new().await;
    env.provision("acme").await;
    env.rollback("acme").await;
    let request = RollbackPreviewRequest { slug: "acme".into() };
    let refused = env.rpc().await.rollback_preview(context(), request).await.unwrap().unwrap_err();
    assert_eq!(refused.code, ErrorCode::Precondition);
    let output = env.tenantry(&["tenant", "rollback", "acme"]).await.assert_status(5);
    output.assert_says(&["nothing of it is left"]);
}

#[tokio::test]
async fn without_a_confirmation_the_command_says_what_would_go_and_how_to_confirm_it() {
    let env = Env::new().await;
    let acme = env.provision("acme").await;
    let output = env.tenantry(&["tenant", "rollback", "acme", "--discard-data"]).await.assert_status(2);
    let command = "tenantry tenant rollback acme --confirm acme --discard-data";
    let schema = format!("schema {}", acme.tenant.placement);
    output.assert_says(&[&schema, "tables", "rows", "roles", "sessions", command]);
    assert_eq!(env.tenant("acme").await.tenant.state.name(), "active");
}
