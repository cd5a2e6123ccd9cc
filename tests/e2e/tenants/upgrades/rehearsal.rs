//! Rehearsals: what an upgrade would do is known before a tenant is touched, and nothing of the rehearsal is left.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tenantry_harness::{Cluster, Env, Folder, Version, eventually};

use super::many::{shops, upgrade, upgraded};
use super::{first, first_again, shop};

/// Nothing on the target, and no role of the cluster, belongs to a rehearsal.
async fn nothing_is_left(env: &Env) {
    let left = "select (select count(*) from tenantry.placement where kind = 'rehearsal')
                     + (select count(*) from pg_namespace n where n.nspname ~ '^t_[a-z2-7]{13}$' and not exists (
                            select from tenantry.placement p where p.placement = n.nspname))
                     + (select count(*) from tenantry.migration_history h where not exists (
                            select from tenantry.placement p where p.placement = h.placement))";
    let left: i64 = sqlx::query_scalar(left).fetch_one(&mut env.target().await).await.unwrap();
    assert_eq!(left, 0, "placements, schemas or histories of rehearsals");
}

async fn roles(env: &Env) -> Vec<String> {
    let names = "select r.rolname::text from pg_roles r join tenantry.placement p on p.placement = left(r.rolname, 15) order by 1";
    sqlx::query_scalar(names).fetch_all(&mut env.target().await).await.unwrap()
}

fn state(status: &Value) -> (&str, &str) {
    let state = &status["upgrade"]["state"];
    (state["by"].as_str().unwrap_or_default(), state["reason"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_version_that_cannot_be_applied_is_found_before_a_tenant_is_touched() {
    let env = Env::new().await;
    shops(&env, &["alpha", "bravo"]).await;
    let before = roles(&env).await;
    let wrong = first_again(&env, "1.2")
        .migration("price", "alter table items add column price numeric;\nupdate missing set price = 1;");
    env.add_blueprint(wrong.path()).await;
    let plan = upgrade(&env, &["--plan", "--rehearse"]).await.assert_status(1).json();
    assert_eq!(plan["rehearsals"][0]["state"], "refused", "{plan}");
    let paused = upgrade(&env, &[]).await.assert_status(6).json();
    let (by, reason) = state(&paused);
    assert_eq!(by, "rehearsal");
    for part in ["from 1.0", "V2__price.sql:2", "\"missing\" does not exist", "42P01", "upgrade cancel"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    let counts = &paused["upgrade"]["counts"];
    assert_eq!((&counts["pending"], &counts["failed"]), (&2.into(), &0.into()), "{paused}");
    // It is as wrong as before.
    env.tenantry(&["upgrade", "resume"]).await.assert_status(0);
    env.tenantry(&["upgrade", "watch"]).await.assert_status(6);
    let operations = "select count(*) from control.operation where kind = 'upgrade'";
    let operations: i64 = sqlx::query_scalar(operations).fetch_one(&mut env.control().await).await.unwrap();
    assert_eq!(operations, 0, "no tenant has begun");
    nothing_is_left(&env).await;
    assert_eq!(roles(&env).await, before);
    env.tenantry(&["upgrade", "cancel"]).await.assert_status(0);
    env.tenantry(&["blueprint", "upgrade", "shop@1.1"]).await.assert_status(0);
    assert_eq!(upgraded(&env).await, 2);
}

#[tokio::test]
async fn a_version_without_another_file_is_rehearsed_too() {
    let env = Env::new().await;
    env.add_blueprint(first(&env).path()).await;
    env.provision_of("alpha", "shop").await;
    let same = first_again(&env, "1.1")
        .repeatable("names", "create or replace view names as select name from items;")
        .setting("seats", 3);
    env.add_blueprint(same.path()).await;
    let done = upgrade(&env, &[]).await.assert_status(0).json();
    assert_eq!(done["upgrade"]["counts"]["done"], 1, "{done}");
    assert_eq!(env.tenant("alpha").await.tenant.settings.get("seats"), Some(&3));
    nothing_is_left(&env).await;
}

/// A later file checks what the batches fill, in the rehearsal as with a tenant.
#[tokio::test]
async fn batches_are_done_in_the_rehearsal_before_the_files_that_check_them() {
    let env = Env::new().await;
    let items = "create table items (id int primary key, code int);
                 insert into items select generate_series(1, 50);";
    env.add_blueprint(Folder::new(&env.dir, "shop", "1.0").migration("items", items).path()).await;
    env.provision_of("alpha", "shop").await;
    let batch = "-- tenantry: batched pause=0
                 update items set code = id where id in (select id from items where code is null limit 20);";
    let second = Folder::new(&env.dir, "shop", "1.1")
        .migration("items", items)
        .outside("fill", batch)
        .migration("check", "alter table items add constraint coded check (code is not null);");
    env.add_blueprint(second.path()).await;
    let done = upgrade(&env, &[]).await.assert_status(0).json();
    assert_eq!(done["upgrade"]["counts"]["done"], 1, "{done}");
    nothing_is_left(&env).await;
}

/// A version whose repeatable file does something else in a new tenant, where it comes after all the others.
async fn other_in_a_new_tenant(env: &Env) {
    let copy = "create table if not exists copies (like items);";
    let first = first_again(env, "1.0").repeatable("copies", copy);
    env.add_blueprint(first.path()).await;
    env.provision_of("alpha", "shop").await;
    let second = first_again(env, "1.1")
        .migration("price", "alter table items add column price numeric;")
        .repeatable("copies", copy);
    env.add_blueprint(second.path()).await;
}

#[tokio::test]
async fn an_upgraded_placement_that_is_other_than_a_new_one_is_told_and_can_be_accepted() {
    let env = Env::new().await;
    other_in_a_new_tenant(&env).await;
    let paused = upgrade(&env, &[]).await.assert_status(6).json();
    let (by, reason) = state(&paused);
    assert_eq!(by, "rehearsal");
    for part in ["other than a new one of 1.1", "- column copies.price", "--accept-drift"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    assert_eq!(upgraded(&env).await, 0);
    env.tenantry(&["upgrade", "cancel"]).await.assert_status(0);
    let plan = upgrade(&env, &["--plan", "--rehearse"]).await.assert_status(1).json();
    assert_eq!(plan["rehearsals"][0]["state"], "differs", "{plan}");
    assert_eq!(plan["rehearsals"][0]["differences"], json!(["- column copies.price"]), "{plan}");
    upgrade(&env, &["--plan", "--rehearse", "--accept-drift"]).await.assert_status(0);
    upgrade(&env, &["--accept-drift"]).await.assert_status(0);
    assert_eq!(upgraded(&env).await, 1);
    nothing_is_left(&env).await;
}

/// Two tables with a view, and what the next version does to them.
fn known(env: &Env, version: &str) -> Folder {
    Folder::new(&env.dir, "known", version)
        .migration(
            "tables",
            "create table a (id int primary key, total int);
             create table b (id int primary key, note text);
             create table c (id int primary key);
             create view notes as select note from b;",
        )
        .seed("insert into c values (1);")
}

fn known_next(env: &Env) -> Folder {
    known(env, "1.1")
        .migration(
            "changes",
            "alter table a alter column total type bigint;
             alter table b add column more text;
             update c set id = 2;
             create or replace view notes as select note, more from b;
             create table d (id int primary key references b);",
        )
        .outside("index", "create index concurrently a_total on a (total);")
        .migration("comment", "comment on table c is 'counted';")
}

/// The relations with their locks, the rewritten ones, and the state.
fn seen(rehearsal: &Value) -> (Vec<String>, &Value, &str) {
    let lock = |lock: &Value| {
        let part = |name: &str| lock[name].as_str().unwrap().to_owned();
        format!("{} {}: {}", part("kind"), part("relation"), part("mode"))
    };
    let locks = rehearsal["locks"].as_array().unwrap().iter().map(lock).collect();
    (locks, &rehearsal["rewritten"], rehearsal["state"].as_str().unwrap())
}

async fn is_seen_exactly(cluster: std::sync::Arc<Cluster>, in_databases: bool) {
    let env = Env::on(cluster).await;
    let folders = [known(&env, "1.0"), known_next(&env)];
    let [first, next] = if in_databases { folders.map(Folder::in_databases) } else { folders };
    env.add_blueprint(first.path()).await;
    env.provision_of("acme", "known").await;
    let before = roles(&env).await;
    env.add_blueprint(next.path()).await;
    let plain = env.tenantry(&["blueprint", "upgrade", "known", "--plan", "--json"]).await.json();
    assert!(plain.get("rehearsals").is_none(), "{plain}");
    let line = ["blueprint", "upgrade", "known", "--plan", "--rehearse", "--json"];
    let plan = env.tenantry(&line).await.assert_status(0).json();
    assert_eq!(plan["hash"], plain["hash"], "what was seen is no part of the hash");
    let (locks, rewritten, state) = seen(&plan["rehearsals"][0]);
    let expected = [
        "table a: ACCESS EXCLUSIVE",
        "table b: ACCESS EXCLUSIVE",
        "table c: SHARE UPDATE EXCLUSIVE",
        "view notes: ACCESS EXCLUSIVE",
    ];
    assert_eq!(locks, expected, "{plan}");
    assert_eq!((rewritten, state), (&json!(["table a"]), "passed"), "{plan}");
    let messages: Vec<&str> =
        plan["findings"].as_array().unwrap().iter().map(|one| one["message"].as_str().unwrap()).collect();
    for part in ["rewrites table a", "takes ACCESS EXCLUSIVE on a", "takes ACCESS EXCLUSIVE on b"] {
        assert!(messages.iter().any(|message| message.contains(part)), "{part}: {messages:#?}");
    }
    let printed = env.tenantry(&line[..5]).await.assert_status(0);
    for part in ["rehearsed from 1.0 on local: passed in ", "rewrites  table a", "table a (ACCESS EXCLUSIVE)"]
    {
        assert!(printed.stdout.contains(part), "{part}: {printed}");
    }
    nothing_is_left(&env).await;
    assert_eq!(roles(&env).await, before);
    env.tenantry(&["blueprint", "upgrade", "known"]).await.assert_status(0);
    env.tenantry(&["tenant", "drift", "acme"]).await.assert_status(0);
    env.rollback("acme").await;
}

#[tokio::test]
async fn locks_and_rewritten_tables_of_a_known_upgrade_are_exactly_these() {
    is_seen_exactly(Cluster::shared(), false).await;
    is_seen_exactly(Cluster::private(Version::V18), false).await;
}

#[tokio::test]
async fn the_same_is_seen_of_tenants_with_databases_of_their_own() {
    is_seen_exactly(Cluster::shared(), true).await;
    is_seen_exactly(Cluster::private(Version::V18), true).await;
}

/// Leaves a rehearsal in the middle of its upgrade, and returns the placement.
async fn in_the_middle(env: &Env) -> String {
    let slow = first_again(env, "1.1")
        .migration("slow", "alter table items add column price numeric;\nselect pg_sleep(600);")
        .repeatable("names", "create or replace view names as select name from items;");
    env.add_blueprint(slow.path()).await;
    upgrade(env, &["--no-wait"]).await.assert_status(0);
    let mut target = env.target().await;
    eventually("the rehearsal sleeps", async || {
        let placement = "select p.placement from tenantry.placement p where p.kind = 'rehearsal'
                           and exists (select from pg_stat_activity where wait_event = 'PgSleep')";
        sqlx::query_scalar::<_, String>(placement).fetch_optional(&mut target).await.unwrap()
    })
    .await
}

#[tokio::test]
async fn a_daemon_that_is_killed_in_the_middle_leaves_nothing_once_another_one_runs() {
    let mut env = Env::on(Cluster::private(Version::Packaged)).await;
    shop(first(&env), &env).await;
    let before = roles(&env).await;
    let placement = in_the_middle(&env).await;
    let list = env.tenantry(&["tenant", "list", "--json"]).await.assert_status(0).json();
    assert_eq!(list["total"], 1, "a rehearsal is no tenant: {list}");
    env.take_daemon().kill().await;
    let cancelled = "update control.upgrade set state = 'cancelled', ended_at = now()";
    sqlx::query(cancelled).execute(&mut env.control().await).await.unwrap();
    assert!(roles(&env).await.contains(&placement), "the placement was committed");
    env.start_daemon().await;
    eventually("the rehearsal is removed", async || (roles(&env).await == before).then_some(())).await;
    nothing_is_left(&env).await;
}

#[tokio::test]
async fn a_cancel_ends_the_rehearsal_and_nothing_is_left() {
    let env = Env::on(Cluster::private(Version::Packaged)).await;
    shop(first(&env), &env).await;
    let before = roles(&env).await;
    in_the_middle(&env).await;
    env.tenantry(&["upgrade", "cancel"]).await.assert_status(0);
    eventually("the rehearsal is removed", async || (roles(&env).await == before).then_some(())).await;
    nothing_is_left(&env).await;
}

#[tokio::test]
async fn an_upgrade_that_was_being_rehearsed_is_rehearsed_again_by_the_next_daemon() {
    let mut env = Env::on(Cluster::private(Version::Packaged)).await;
    shop(first(&env), &env).await;
    in_the_middle(&env).await;
    let shown = env.tenantry(&["upgrade", "show", "--json"]).await.assert_status(0).json();
    assert_eq!(shown["upgrade"]["state"]["name"], "rehearsing", "{shown}");
    env.take_daemon().kill().await;
    env.write_config("[limits]\noperation_budget_ms = 1500\n", &[("local", env.target_url())]);
    env.start_daemon().await;
    let paused = env.tenantry(&["upgrade", "watch", "--json"]).await.assert_status(6).json();
    assert!(state(&paused).1.contains("did not end within the 1 s"), "{paused}");
    eventually("the rehearsal is removed", async || {
        let left = "select count(*) from tenantry.placement where kind = 'rehearsal'";
        let left: i64 = sqlx::query_scalar(left).fetch_one(&mut env.target().await).await.unwrap();
        (left == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_table_that_is_held_lets_nobody_wait_for_another_table_of_the_upgrade() {
    let env = Env::new().await;
    let two = "create table a (id int primary key);\ncreate table b (id int primary key);";
    let first = Folder::new(&env.dir, "shop", "1.0").migration("two", two);
    let made = shop_without_rows(&env, first).await;
    let second = Folder::new(&env.dir, "shop", "1.1")
        .migration("two", two)
        .migration("more", "alter table a add column more int;\nalter table b add column more int;");
    env.add_blueprint(second.path()).await;
    let mut holder = env.log_in(&made).await;
    sqlx::raw_sql("begin; select from b").execute(&mut holder).await.unwrap();
    upgrade(&env, &["--no-wait"]).await.assert_status(0);
    let mut target = env.target().await;
    let mut application = env.log_in(&made).await;
    let mut longest = Duration::ZERO;
    let (begin, mut waits) = (Instant::now(), 0);
    while begin.elapsed() < Duration::from_secs(4) {
        let one = Instant::now();
        sqlx::query("select from a").execute(&mut application).await.unwrap();
        longest = longest.max(one.elapsed());
        let waiting = "select count(*) from pg_locks l join pg_class c on c.oid = l.relation
                       where c.relname = 'b' and not l.granted";
        waits += sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut target).await.unwrap();
    }
    assert!(waits > 0, "the upgrade waited for the table that is held");
    assert!(longest < Duration::from_millis(150), "a query of the other table waited {longest:?}");
    sqlx::raw_sql("commit").execute(&mut holder).await.unwrap();
    env.tenantry(&["upgrade", "watch"]).await.assert_status(0);
    env.psql(&made, "select more from a, lateral (select b.more as also from b) b").await.assert_status(0);
}

async fn shop_without_rows(env: &Env, folder: Folder) -> tenantry_protocol::tenant::Credentials {
    env.add_blueprint(folder.path()).await;
    env.provision_of("acme", "shop").await.credentials
}

#[tokio::test]
async fn shared_tables_are_rehearsed_in_a_transaction_that_never_commits() {
    let env = Env::new().await;
    let items =
        "create table items (tenant_id uuid not null, id int, name text, primary key (tenant_id, id));";
    let of = |version: &str| Folder::shared(&env.dir, "mall", version).migration("items", items);
    env.add_blueprint(of("1.0").path()).await;
    env.provision_of("acme", "mall").await;
    let wrong = of("1.1").migration("type", "alter table items alter column id type bigint;");
    env.add_blueprint(wrong.path()).await;
    let paused = env.tenantry(&["blueprint", "upgrade", "mall", "--json"]).await.assert_status(6).json();
    assert_eq!(state(&paused).0, "rehearsal");
    assert!(state(&paused).1.contains("the table items would be written anew"), "{paused}");
    env.tenantry(&["upgrade", "cancel"]).await.assert_status(0);
    let right = of("1.2").migration("type", "alter table items add column price numeric;");
    env.add_blueprint(right.path()).await;
    let plan =
        env.tenantry(&["blueprint", "upgrade", "mall@1.2", "--plan", "--rehearse", "--json"]).await.json();
    // The file of 1.1 is missing there, and nobody has it.
    assert_eq!(plan["rehearsals"][0]["state"], "passed", "{plan}");
    env.tenantry(&["blueprint", "upgrade", "mall"]).await.assert_status(0);
    nothing_is_left(&env).await;
}

#[tokio::test]
async fn what_was_rehearsed_is_not_rehearsed_again() {
    let env = Env::new().await;
    shops(&env, &["alpha", "bravo"]).await;
    upgrade(&env, &["--plan", "--rehearse"]).await.assert_status(0);
    upgrade(&env, &["--tenant", "alpha"]).await.assert_status(0);
    upgrade(&env, &[]).await.assert_status(0);
    assert_eq!(env.daemon().log().matches("rehearsed an upgrade on a blank placement").count(), 1);
}
