//! Rows that an upgrade changes in batches: beside the tenant's work, cut at any place, and brought to an end.

use std::time::{Duration, Instant};

use sqlx::Connection as _;
use tenantry_harness::{Cluster, Env, Folder, Provisioned, eventually};
use tenantry_protocol::operation::Operation;

/// `touched` counts how often a batch changed a row.
const TASKS: &str =
    "create table tasks (id bigint generated always as identity primary key, title text not null,
                                         slug text, touched int not null default 0);";
const ROWS: i64 = 25_000;

/// A batch of so many rows, below its directive with these options.
fn slugs(options: &str, limit: u32) -> String {
    format!(
        "-- tenantry: batched {options}\n\
         update tasks set slug = 'task-' || id, touched = touched + 1\n\
         where id in (select id from tasks where slug is null limit {limit});"
    )
}

fn tasks(env: &Env, version: &str) -> Folder {
    Folder::new(&env.dir, "tasks", version).migration("tasks", TASKS)
}

/// A tenant of the first version, with rows.
async fn with_rows(env: &Env, rows: i64) -> Provisioned {
    env.add_blueprint(tasks(env, "1.0").path()).await;
    let made = env.provision_of("acme", "tasks").await;
    let fill =
        format!("insert into tasks (title) select 'title ' || i from generate_series(1, {rows}) as n (i)");
    env.psql(&made.credentials, &fill).await.assert_status(0);
    made
}

/// Adds the version that runs this, and begins the tenant's upgrade to it.
async fn begin(env: &Env, sql: &str) -> String {
    env.add_blueprint(tasks(env, "1.1").outside("slugs", sql).path()).await;
    let begun =
        env.tenantry(&["tenant", "upgrade", "acme", "--no-wait", "--json"]).await.assert_status(0).json();
    begun["operation"]["id"].as_str().unwrap().to_owned()
}

async fn answer(env: &Env, made: &Provisioned, sql: &str) -> String {
    env.psql(&made.credentials, sql).await.assert_status(0).stdout.trim().to_owned()
}

/// How many rows have a slug, and how often each was changed.
async fn filled(env: &Env, made: &Provisioned) -> String {
    let sql = "select format('%s of %s, %s to %s times', count(slug), count(*), min(touched), max(touched)) from tasks";
    answer(env, made, sql).await
}

/// Waits until some batches are committed, and not all.
async fn until_some_are_filled(env: &Env, made: &Provisioned) {
    let mut application = env.log_in(&made.credentials).await;
    eventually("some rows are filled", async || {
        let sql = "select count(slug), count(*) from tasks";
        let (filled, all): (i64, i64) = sqlx::query_as(sql).fetch_one(&mut application).await.unwrap();
        assert!(filled < all, "the batches ended before anything could be cut");
        (filled > 0).then_some(())
    })
    .await;
}

fn note(operation: &Operation) -> Option<String> {
    operation.steps.iter().find_map(|step| step.note.clone())
}

#[tokio::test]
async fn rows_are_filled_beside_an_application_that_never_waits_long() {
    let env = Env::new().await;
    let made = with_rows(&env, ROWS).await;
    let id = begin(&env, &slugs("pause=5ms", 1_000)).await;
    let mut application = env.log_in(&made.credentials).await;
    let (mut longest, mut notes, mut writes) = (Duration::ZERO, Vec::new(), 0_i64);
    loop {
        let operation = env.operation(&id).await;
        if operation.state.is_final() {
            assert_eq!(operation.state.name(), "succeeded", "{operation:?}");
            assert_eq!(note(&operation), None, "what is shown meanwhile ends with it");
            break;
        }
        notes.extend(note(&operation));
        writes += 1;
        let one = Instant::now();
        sqlx::query("update tasks set title = title || '.' where id = $1")
            .bind(writes * 7_919 % ROWS + 1)
            .execute(&mut application)
            .await
            .unwrap();
        longest = longest.max(one.elapsed());
    }
    assert!(longest < Duration::from_secs(1), "a write waited {longest:?} for a batch");
    assert!(writes > 5, "the application wrote meanwhile");
    assert!(notes.iter().any(|note| note.starts_with("batch ") && note.ends_with("000 rows")), "{notes:?}");
    assert_eq!(filled(&env, &made).await, "25000 of 25000, 1 to 1 times");
    let dots = answer(&env, &made, "select sum(length(title) - length(rtrim(title, '.'))) from tasks").await;
    assert_eq!(dots, writes.to_string(), "no write of the application is lost");
    // A new tenant has no rows, and runs the statement once.
    let fresh = env.provision_of("birch", "tasks").await;
    assert_eq!(answer(&env, &fresh, "select count(*) from tasks").await, "0");
}

#[tokio::test]
async fn what_was_committed_when_the_daemon_dies_is_not_done_again() {
    let mut env = Env::on(Cluster::shared()).await;
    let made = with_rows(&env, ROWS).await;
    let id = begin(&env, &slugs("pause=100ms", 1_000)).await;
    until_some_are_filled(&env, &made).await;
    env.take_daemon().kill().await;
    let sql = "select count(slug) < count(*) and count(slug) > 0 from tasks";
    assert_eq!(answer(&env, &made, sql).await, "t", "it died between two batches");
    env.start_daemon().await;
    env.wait_for_operation(&id, "succeeded").await;
    assert_eq!(filled(&env, &made).await, "25000 of 25000, 1 to 1 times");
}

#[tokio::test]
async fn a_cancel_ends_it_between_two_batches_and_the_next_upgrade_goes_on() {
    let env = Env::new().await;
    let made = with_rows(&env, 10_000).await;
    let id = begin(&env, &slugs("pause=200ms", 1_000)).await;
    until_some_are_filled(&env, &made).await;
    env.tenantry(&["operation", "cancel", &id])
        .await
        .assert_status(6)
        .assert_says(&["what is left: V2__slugs.sql"]);
    env.wait_for_operation(&id, "needs_attention").await;
    let detail = env.tenant("acme").await;
    assert_eq!((detail.tenant.state.name(), detail.tenant.version.to_string().as_str()), ("active", "1.0"));
    let sql = "select count(slug) % 1000 = 0 and count(slug) between 1000 and 9000 from tasks";
    assert_eq!(answer(&env, &made, sql).await, "t", "whole batches are there, and not all");
    env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(0);
    assert_eq!(filled(&env, &made).await, "10000 of 10000, 1 to 1 times");
}

#[tokio::test]
async fn a_statement_that_never_ends_is_bounded_and_a_later_version_may_have_another_text() {
    let env = Env::new().await;
    let made = with_rows(&env, 1_000).await;
    let endless = "\n-- tenantry: batched pause=0 at-most=5\n\
                   update tasks set touched = touched + 1 where id in (select id from tasks limit 100);";
    env.add_blueprint(tasks(&env, "1.1").outside("slugs", endless).path()).await;
    let partly = env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(6);
    partly.assert_says(&["V2__slugs.sql:3", "still changes rows at batch 5, 500 rows", "what is left"]);
    assert_eq!(answer(&env, &made, "select sum(touched) from tasks").await, "500");
    assert_eq!(env.tenant("acme").await.tenant.state.name(), "active");
    env.psql(&made.credentials, "update tasks set touched = 0").await.assert_status(0);
    env.add_blueprint(tasks(&env, "1.2").outside("slugs", &slugs("pause=0", 300)).path()).await;
    env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(0);
    assert_eq!(filled(&env, &made).await, "1000 of 1000, 1 to 1 times");
}

#[tokio::test]
async fn a_batch_that_is_refused_leaves_those_before_it_and_is_corrected_by_a_later_version() {
    let env = Env::new().await;
    let made = with_rows(&env, 1_000).await;
    let slugs = |value: &str| {
        format!(
            "-- tenantry: batched pause=0\n\
             update tasks set slug = {value}, touched = touched + 1\n\
             where id in (select id from tasks where slug is null order by id limit 300);"
        )
    };
    env.add_blueprint(tasks(&env, "1.1").outside("slugs", &slugs("100 / (id - 700)")).path()).await;
    let partly = env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(6);
    partly.assert_says(&[
        "V2__slugs.sql:2",
        "division by zero; what is committed before it: batch 2, 600 rows",
    ]);
    env.add_blueprint(tasks(&env, "1.2").outside("slugs", &slugs("id")).path()).await;
    env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(0);
    assert_eq!(filled(&env, &made).await, "1000 of 1000, 1 to 1 times");
}

#[tokio::test]
async fn a_batch_that_is_told_as_committed_outlasts_the_server() {
    let env = Env::new().await;
    let made = with_rows(&env, 10).await;
    let default = "show synchronous_commit";
    assert_eq!(
        answer(&env, &made, default).await,
        "off",
        "the server's own default forgets commits when it is killed"
    );
    let sql = "-- tenantry: batched\n\
               update tasks set slug = current_setting('synchronous_commit') where id in (select id from tasks where slug is null limit 100);";
    env.add_blueprint(tasks(&env, "1.1").outside("slugs", sql).path()).await;
    env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(0);
    assert_eq!(answer(&env, &made, "select distinct slug from tasks").await, "on");
}

#[tokio::test]
async fn a_first_batch_that_is_refused_leaves_the_tenant_as_it_was() {
    let env = Env::new().await;
    let made = with_rows(&env, 10).await;
    let wrong =
        "-- tenantry: batched\nupdate tasks set slug = 1 / 0 where id in (select id from tasks limit 10);";
    env.add_blueprint(tasks(&env, "1.1").outside("slugs", wrong).path()).await;
    let refused = env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(1);
    refused.assert_says(&["V2__slugs.sql:2", "division by zero"]);
    assert_eq!(filled(&env, &made).await, "0 of 10, 0 to 0 times");
}

#[tokio::test]
async fn a_batch_that_others_wait_for_makes_way() {
    let env = Env::with_config(Cluster::shared(), "[limits]\noperation_budget_ms = 6000\n").await;
    let made = with_rows(&env, 1_000).await;
    let slow = "create function slowly(id bigint) returns text volatile language plpgsql as
                $$ begin perform pg_sleep(0.02); return 'task-' || id; end $$;";
    let batches = "-- tenantry: batched\nupdate tasks set slug = slowly(id)\n\
                   where id in (select id from tasks where slug is null order by id limit 1000);";
    let folder = tasks(&env, "1.1").migration("slow", slow).outside("slugs", batches);
    env.add_blueprint(folder.path()).await;
    let begun =
        env.tenantry(&["tenant", "upgrade", "acme", "--no-wait", "--json"]).await.assert_status(0).json();
    let id = begun["operation"]["id"].as_str().unwrap().to_owned();
    let mut application = env.log_in(&made.credentials).await;
    let mut target = env.target().await;
    let mut longest = Duration::ZERO;
    while !env.operation(&id).await.state.is_final() {
        let has_changed_rows = "select exists (select from pg_stat_activity where datname = current_database()
            and application_name = 'tenantry-outside' and backend_xid is not null and xact_start < now() - interval '0.1 s')";
        if !sqlx::query_scalar::<_, bool>(has_changed_rows).fetch_one(&mut target).await.unwrap() {
            continue;
        }
        let one = Instant::now();
        sqlx::query("update tasks set title = title || '.' where id = 1")
            .execute(&mut application)
            .await
            .unwrap();
        longest = longest.max(one.elapsed());
    }
    assert!(
        longest > Duration::from_millis(400) && longest < Duration::from_secs(2),
        "a write waited {longest:?}"
    );
    let shown = env.tenantry(&["operation", "show", &id]).await.assert_status(0);
    for part in ["waited for one of its batches", "a smaller LIMIT"] {
        assert!(shown.stdout.contains(part), "'{part}' is not shown\n{shown}");
    }
    assert_eq!(answer(&env, &made, "select count(slug) from tasks").await, "0");
}

#[tokio::test]
async fn a_batch_that_meets_a_lock_waits_for_its_turn() {
    let env = Env::new().await;
    let made = with_rows(&env, 3_000).await;
    let mut holder = env.log_in(&made.credentials).await;
    let mut held = holder.begin().await.unwrap();
    sqlx::query("update tasks set title = 'held' where id = 2500").execute(&mut *held).await.unwrap();
    let by_id = "-- tenantry: batched pause=0\nupdate tasks set slug = 'task-' || id, touched = touched + 1\n\
                 where id in (select id from tasks where slug is null order by id limit 1000);";
    let id = begin(&env, by_id).await;
    let mut application = env.log_in(&made.credentials).await;
    eventually("the batches before the lock are there", async || {
        let filled: i64 =
            sqlx::query_scalar("select count(slug) from tasks").fetch_one(&mut application).await.unwrap();
        (filled == 2_000).then_some(())
    })
    .await;
    // Nobody queues behind it for longer than a moment.
    let one = Instant::now();
    sqlx::query("update tasks set title = 'other' where id = 2999").execute(&mut application).await.unwrap();
    assert!(one.elapsed() < Duration::from_secs(1), "{:?}", one.elapsed());
    assert!(!env.operation(&id).await.state.is_final(), "it still waits");
    held.commit().await.unwrap();
    env.wait_for_operation(&id, "succeeded").await;
    assert_eq!(filled(&env, &made).await, "3000 of 3000, 1 to 1 times");
    let titles =
        answer(&env, &made, "select string_agg(title, ' ' order by id) from tasks where id in (2500, 2999)")
            .await;
    assert_eq!(titles, "held other");
}
