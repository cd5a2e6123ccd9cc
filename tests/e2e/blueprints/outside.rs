//! Files that cannot run in a transaction: what they do, what is left when they fail, and that a daemon that dies in the
//! middle leaves them to the next one.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use tenantry_harness::catalog::Snapshot;
use tenantry_harness::cli::Output;
use tenantry_harness::{Cluster, Env, Folder, Version, eventually};
use tenantry_protocol::operation::{Operation, StepStatus};

/// The type is made by a text, so that values can be added to it only in place.
const ITEMS: &str = "create table item (id int primary key, code int not null);
                     insert into item select i, i from generate_series(1, 100) i;
                     do $$ begin execute 'create type kept as enum ()'; end $$;";
/// Could be used only behind a COMMIT: a version that has it runs its files one by one, from the first outside the transaction on.
const KEEP: &str = "alter type kept add value 'later';";
const INDEX: &str = "create unique index concurrently item_code on item (code);";
const CONSTRAINT: &str = "alter table item add constraint item_code_unique unique using index item_code;";

/// Three files; the middle one runs outside the transaction.
fn folder(env: &Env) -> Folder {
    Folder::new(&env.dir, "apart", "1.0")
        .migration("items", ITEMS)
        .outside("index", &format!("{INDEX} {KEEP}"))
        .migration("constraint", CONSTRAINT)
        .seed("insert into item values (1000, 1000);")
}

/// Everything of a tenant in the catalog, without its own name.
pub(super) async fn shape(env: &Env, placement: &str) -> BTreeSet<String> {
    let lines = Snapshot::take(env).await.into_lines().into_iter().filter(|line| line.contains(placement));
    let mut shape: BTreeSet<String> = lines
        .map(|line| {
            let line = line.replace(placement, "P");
            // Of a password, only whether there is one.
            match line.split_once(" pw=") {
                Some((before, "")) => format!("{before} without a password"),
                Some((before, _)) => format!("{before} with a password"),
                None => line,
            }
        })
        .collect();
    let mut target = env.target().await;
    let indexes: Vec<String> = sqlx::query_scalar(
        "select format('%s valid=%s', pg_get_indexdef(indexrelid), indisvalid) from pg_index
         where indexrelid in (select oid from pg_class where relnamespace::regnamespace::text = $1)
         union all select format('%s of %s', file, placement) from tenantry.migration_history where placement = $1
         union all select 'statement of ' || placement from tenantry.outside_statement",
    )
    .bind(placement)
    .fetch_all(&mut target)
    .await
    .unwrap();
    target.close().await.unwrap();
    shape.extend(indexes.into_iter().map(|line| line.replace(placement, "P")));
    shape
}

/// The owner is like every tenant's: no login, no password, no membership.
pub(super) async fn assert_owner_is_closed(env: &Env, placement: &str) {
    let mut target = env.target().await;
    let open: Vec<String> = sqlx::query_scalar(
        "select format('login=%s pw=%s limit=%s', rolcanlogin, rolpassword, rolconnlimit) from pg_authid
             where rolname = $1 and (rolcanlogin or rolpassword is not null or rolconnlimit <> -1)
         union all select 'member of ' || roleid::regrole from pg_auth_members where member = $1::regrole
         union all select 'session ' || pid from pg_stat_activity where usename = $1",
    )
    .bind(placement)
    .fetch_all(&mut target)
    .await
    .unwrap();
    target.close().await.unwrap();
    assert!(open.is_empty(), "{open:#?}");
}

/// The index computes its keys, which waits until nobody holds the lock of [`hold`].
fn patient(env: &Env) -> Folder {
    let function = "create function patient(value int) returns int language plpgsql immutable as $$ begin
                        perform pg_catalog.pg_advisory_xact_lock_shared(7); return value;
                    end $$;";
    Folder::new(&env.dir, "apart", "1.0")
        .migration("items", &format!("{ITEMS}\n{function}"))
        .outside("index", &format!("create index concurrently item_code on item (patient(code));\n{KEEP}"))
        .migration("more", "create table more (id int primary key);")
}

/// A session that holds the index up.
async fn hold(env: &Env) -> (PgConnection, i32) {
    let mut session = env.target().await;
    sqlx::raw_sql("select pg_advisory_lock(7)").execute(&mut session).await.unwrap();
    let pid = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut session).await.unwrap();
    (session, pid)
}

/// Starts a provision whose index is held up, and returns the operation's id once it waits.
async fn waiting_for_an_index(env: &Env) -> String {
    env.add_blueprint(patient(env).path()).await;
    let create = ["tenant", "create", "acme", "--blueprint", "apart", "--no-wait", "--json"];
    let started: Value = env.tenantry(&create).await.assert_status(0).json();
    until_the_index_waits(env).await;
    started["operation"]["id"].as_str().expect("an operation").to_owned()
}

async fn until_the_index_waits(env: &Env) {
    let target = tokio::sync::Mutex::new(env.target().await);
    eventually("the index waits", async || {
        let waits = "select exists (select from pg_stat_activity
                                    where application_name = 'tenantry-outside' and wait_event = 'advisory')";
        let mut connection = target.lock().await;
        sqlx::query_scalar::<_, bool>(waits).fetch_one(&mut *connection).await.unwrap().then_some(())
    })
    .await;
}

#[track_caller]
pub(super) fn assert_prints(output: &Output, parts: &[&str]) {
    assert_eq!(output.status, 0, "{output}");
    for part in parts {
        assert!(output.stdout.contains(part), "'{part}' is not in its answer\n{output}");
    }
}

fn status(operation: &Operation, step: &str) -> StepStatus {
    operation.steps.iter().find(|found| found.step == step).expect("the step").status
}

async fn a_tenant_is_the_same_as_without(version: Version) {
    let env = Env::on(Cluster::private(version)).await;
    let apart = folder(&env);
    let plain = Folder::new(&env.dir, "plain", "1.0")
        .migration("items", ITEMS)
        .migration("index", &format!("{} {KEEP}", INDEX.replace(" concurrently", "")))
        .migration("constraint", CONSTRAINT)
        .seed("insert into item values (1000, 1000);");
    let check = env.tenantry(&["blueprint", "check", apart.path()]).await;
    assert_prints(&check, &["statement by statement, where tenants stand: V2__index.sql"]);
    env.add_blueprint(apart.path()).await;
    env.add_blueprint(plain.path()).await;

    let plan = env.tenantry(&["tenant", "create", "acme", "--blueprint", "apart", "--plan"]).await;
    assert_prints(&plan, &["V2__index.sql (outside the transaction)", "5. outside"]);

    let mut made = Vec::new();
    for (slug, blueprint) in [("acme", "apart"), ("globex", "plain")] {
        let create = ["tenant", "create", slug, "--blueprint", blueprint, "--seed", "--json"];
        let document = env.tenantry(&create).await.assert_status(0).json();
        made.push(tenantry_harness::Provisioned::from(&document));
    }
    let outside = made[0].operation.steps.iter().find(|step| step.step == "outside").unwrap();
    let count = outside.count.map(|count| (count.done, count.total));
    assert_eq!(count, Some((4, 4)), "two statements, a file and the seed");
    let (acme, globex) = (made[0].tenant.placement.as_str(), made[1].tenant.placement.as_str());
    assert_eq!(shape(&env, acme).await, shape(&env, globex).await);
    assert_owner_is_closed(&env, acme).await;
    assert_prints(&env.psql(&made[0].credentials, "select count(*) from item").await, &["101"]);
    let refused = env.psql(&made[0].credentials, "insert into item values (2000, 1)").await;
    refused.assert_says(&["item_code_unique"]);
    env.rollback("acme").await;
    env.assert_clean_slate(&made[0].tenant.placement).await;
}

#[tokio::test]
async fn a_tenant_with_a_file_outside_is_the_same_as_without() {
    a_tenant_is_the_same_as_without(Version::Packaged).await;
}

#[tokio::test]
async fn a_tenant_with_a_file_outside_is_the_same_as_without_on_postgresql_18() {
    a_tenant_is_the_same_as_without(Version::V18).await;
}

#[tokio::test]
async fn everything_on_the_list_runs() {
    let env = Env::new().await;
    let folder = Folder::new(&env.dir, "list", "1.0")
        .migration(
            "items",
            &format!("{ITEMS} do $$ begin execute 'create type mood as enum (''sad'')'; end $$; create index old on item (id);"),
        )
        .outside(
            "all",
            "create index concurrently \"New \"\"one\" on item (code) where code > 5;
             drop index concurrently if exists old;
             reindex (verbose) table concurrently item;
             reindex index concurrently item_pkey;
             alter type mood add value if not exists 'ok' after 'sad';
             alter type mood add value 'better';
             vacuum (analyze) item;
             analyze item (code);",
        )
        .migration("use", "create table feeling (id int primary key, mood mood not null default 'better');")
        .outside("again", "vacuum item, feeling;");
    env.add_blueprint(folder.path()).await;
    let made = env.provision_of("acme", "list").await;
    let labels = "insert into feeling values (1); select string_agg(m::text, ',') from unnest(enum_range(null::mood)) m";
    assert_prints(&env.psql(&made.credentials, labels).await, &["sad,ok,better"]);
    assert_owner_is_closed(&env, made.tenant.placement.as_str()).await;
}

#[tokio::test]
async fn a_unique_index_that_finds_duplicates_leaves_a_clean_slate() {
    let env = Env::new().await;
    let folder = Folder::new(&env.dir, "apart", "1.0")
        .migration("items", &format!("{ITEMS} update item set code = 1 where id = 2;"))
        .outside("index", &format!("\nvacuum item;\n{INDEX} {KEEP}"))
        .migration("constraint", CONSTRAINT);
    env.add_blueprint(folder.path()).await;
    let output = env.tenantry(&["tenant", "create", "acme", "--blueprint", "apart"]).await;
    output.assert_status(1).assert_says(&["V2__index.sql:3", "23505", "nothing is left"]);
    let detail = env.tenant("acme").await;
    assert_eq!(detail.tenant.state.name(), "rolled_back");
    env.assert_clean_slate(&detail.tenant.placement).await;
}

#[tokio::test]
async fn a_file_behind_one_outside_that_fails_takes_everything_back() {
    let env = Env::new().await;
    let folder = Folder::new(&env.dir, "apart", "1.0")
        .migration("items", ITEMS)
        .outside("index", &format!("{INDEX} {KEEP}"))
        .migration("broken", "create table other (id int primary key);\nselect 1 / 0;");
    env.add_blueprint(folder.path()).await;
    let output = env.tenantry(&["tenant", "create", "acme", "--blueprint", "apart"]).await;
    output.assert_status(1).assert_says(&["V3__broken.sql:2", "22012"]);
    env.assert_clean_slate(&env.tenant("acme").await.tenant.placement).await;
}

#[tokio::test]
async fn an_index_that_a_killed_daemon_left_half_made_is_made_by_the_next() {
    let mut env = Env::new().await;
    let (holder, _) = hold(&env).await;
    let id = waiting_for_an_index(&env).await;
    env.take_daemon().kill().await;
    env.start_daemon().await;
    // The next daemon ends the session that was left, and its own index waits for the same holder.
    eventually("the next daemon takes it up", async || {
        (status(&env.operation(&id).await, "outside") == StepStatus::Running).then_some(())
    })
    .await;
    until_the_index_waits(&env).await;
    holder.close().await.unwrap();
    env.wait_for_operation(&id, "succeeded").await;
    let placement = env.tenant("acme").await.tenant.placement;
    assert_owner_is_closed(&env, placement.as_str()).await;
    let shape = shape(&env, placement.as_str()).await;
    assert!(
        shape.iter().any(|line| line.contains("INDEX item_code") && line.contains("valid=t")),
        "{shape:#?}"
    );
    assert!(!shape.iter().any(|line| line.contains("valid=f")), "{shape:#?}");
    env.rollback("acme").await;
    env.assert_clean_slate(&placement).await;
}

#[tokio::test]
async fn an_index_that_still_waits_is_cancelled_with_its_operation() {
    let env = Env::new().await;
    let (holder, _) = hold(&env).await;
    let id = waiting_for_an_index(&env).await;
    env.tenantry(&["operation", "cancel", &id]).await;
    env.wait_for_operation(&id, "rolled_back").await;
    env.assert_clean_slate(&env.tenant("acme").await.tenant.placement).await;
    holder.close().await.unwrap();
}

#[tokio::test]
async fn an_index_that_waits_too_long_says_for_whom() {
    let env = Env::with_config(Cluster::shared(), "[limits]\noperation_budget_ms = 4000\n").await;
    env.add_blueprint(patient(&env).path()).await;
    let (holder, pid) = hold(&env).await;
    let output = env.tenantry(&["tenant", "create", "acme", "--blueprint", "apart"]).await;
    output.assert_status(1).assert_says(&["V2__index.sql:1", &format!("it waited for process {pid}")]);
    env.assert_clean_slate(&env.tenant("acme").await.tenant.placement).await;
    holder.close().await.unwrap();
}

/// A dump of the database has a snapshot for hours, and a new tenant does not wait for it.
#[tokio::test]
async fn what_is_built_concurrently_waits_for_nobody_while_the_tenant_is_made() {
    let env =
        Env::with_config(Cluster::private(Version::Packaged), "[limits]\noperation_budget_ms = 20000\n")
            .await;
    env.add_blueprint(folder(&env).path()).await;
    let mut dump = env.target().await;
    sqlx::raw_sql("begin isolation level repeatable read; select 1").execute(&mut dump).await.unwrap();
    let made = env.provision_of("acme", "apart").await;
    let shape = shape(&env, made.tenant.placement.as_str()).await;
    assert!(
        shape.iter().any(|line| line.contains("item_code_unique") && line.contains("valid=t")),
        "{shape:#?}"
    );
    sqlx::raw_sql("commit").execute(&mut dump).await.unwrap();
}

#[tokio::test]
async fn eight_at_once_are_not_in_each_others_way() {
    let env = Env::new().await;
    let two = "create index concurrently one on item ((code + 1)); create index concurrently two on item ((code + 2));";
    let folder = Folder::new(&env.dir, "apart", "1.0")
        .migration("items", ITEMS)
        .outside("indexes", &format!("{two} reindex table concurrently item; {KEEP}"))
        .migration("more", "create table more (id int primary key);");
    env.add_blueprint(folder.path()).await;
    join_all((0..8).map(|number| {
        let env = &env;
        async move { env.provision_of(&format!("crowd-{number}"), "apart").await }
    }))
    .await;
}

#[tokio::test]
async fn what_may_not_stand_there_is_named_with_its_line_and_what_to_write() {
    let env = Env::new().await;
    let refused = Folder::new(&env.dir, "refused", "1.0")
        .migration("items", &format!("{ITEMS}\ncreate index concurrently i on item (code);"))
        .outside(
            "more",
            "vacuum item;\ncreate index concurrently on item (code);\nbegin;\ncreate database x;",
        );
    let output = env.tenantry(&["blueprint", "check", refused.path()]).await.assert_status(1);
    for says in [
        "V1__items.sql:4: error[not_transactional]",
        "V1__title.sql.conf",
        "V2__more.sql:2: warning[outside_statement]",
        "V2__more.sql:3: error[outside_statement]",
        "V2__more.sql:4: error[outside_statement]",
    ] {
        assert!(output.stdout.contains(says), "'{says}' is not in its answer\n{output}");
    }
}

/// An expression whose code tries to leave the owner's rights, and records the result of each attempt. Only the outer
/// function has to be declared immutable.
const TRAP: &str = "
    create table loot (attempt text, outcome text);
    create function spring() returns void language plpgsql volatile as $$
    declare
        attempt text;
        me text := quote_ident(session_user);
    begin
        foreach attempt in array array[
            're' || 'set role',
            'reset session auth' || 'orization',
            'set ro' || 'le {provisioner}',
            'set session auth' || 'orization {provisioner}',
            'com' || 'mit',
            'gr' || 'ant {provisioner} to ' || me,
            'gr' || 'ant ' || me || ' to {victim}_app',
            'create ro' || 'le pwned',
            'alter ro' || 'le ' || me || ' login',
            'alter ro' || 'le ' || me || ' password ''pwned''',
            'delete from tenantry' || '.outside_statement',
            'select from {victim}' || '.users'
        ] loop
            begin
                execute attempt;
                insert into loot values (attempt, format('done as %s of %s', current_user, session_user));
            exception when others then
                insert into loot values (attempt, sqlstate);
            end;
        end loop;
    end $$;
    create function trap(value int) returns int language plpgsql immutable as $$ begin
        perform spring();
        return value;
    end $$;";

#[tokio::test]
async fn code_that_an_index_runs_has_nobody_to_get_back_to_and_leaves_no_way_in() {
    let env = Env::new().await;
    let victim = env.provision("victim").await;
    let trap =
        TRAP.replace("{provisioner}", &env.provisioner).replace("{victim}", victim.tenant.placement.as_str());
    let folder = Folder::new(&env.dir, "trap", "1.0")
        .migration("items", &format!("{ITEMS} delete from item where id > 1; {trap}"))
        .outside("index", "create index concurrently trapped on item (trap(code));");
    env.add_blueprint(folder.path()).await;
    let made = env.provision_of("acme", "trap").await;
    let placement = made.tenant.placement.as_str();
    let mut target = env.target().await;
    let loot = format!("select distinct attempt, outcome from {placement}.loot");
    let loot: Vec<(String, String)> =
        sqlx::query_as(sqlx::AssertSqlSafe(loot)).fetch_all(&mut target).await.unwrap();
    target.close().await.unwrap();
    assert_eq!(loot.len(), 12, "each was tried, with one outcome: {loot:#?}");
    for (attempt, outcome) in &loot {
        // The password is the login's own, and is forgotten with the login.
        let own = attempt.contains("password");
        assert!(own || !outcome.starts_with("done"), "{attempt}: {outcome}");
    }
    assert_owner_is_closed(&env, placement).await;
    let mut login = env.cluster.options(&env.target_db).username(placement);
    for password in ["pwned", ""] {
        login = login.password(password);
        assert!(PgConnection::connect_with(&login).await.is_err(), "the owner cannot log in");
    }
}
