//! What a blueprint hides from the lints in a `do` block is found in the catalog, and the pool is not built.

use serde_json::Value;
use tenantry_harness::{Env, Folder};

use super::seen;

const TABLE: &str =
    "create table notes (tenant_id uuid not null, id int not null, note text, primary key (tenant_id, id));";

/// The code, hidden, and what the refusal says about it.
const HIDDEN: &[(&str, &str)] = &[
    ("create table loose (id int primary key)", "table loose has no column tenant_id"),
    (
        "create table loose (tenant_id uuid, id int)",
        "table loose has no column tenant_id of type uuid that is not null",
    ),
    ("create unique index loose on notes (note)", "loose of table notes does not contain tenant_id"),
    (
        "create table loose (tenant_id uuid not null, id int primary key)",
        "loose_pkey of table loose does not contain tenant_id",
    ),
    (
        "create table loose (tenant_id uuid not null, other uuid, id int, foreign key (other, id) references notes)",
        "foreign key loose_other_id_fkey of table loose does not compare tenant_id with tenant_id",
    ),
    (
        "create table loose (tenant_id uuid not null, id int, foreign key (tenant_id, id) references notes on delete set null)",
        "would set tenant_id",
    ),
    ("create view loose as select * from notes", "view loose has its owner''s rights"),
    (
        "create materialized view loose as select * from notes",
        "materialized view loose ignores row-level security",
    ),
    ("create rule loose as on delete to notes do instead nothing", "table notes has a rule"),
    (
        "create function loose() returns int language sql security definer as $f$ select 1 $f$",
        "function loose is SECURITY DEFINER",
    ),
    ("create policy loose on notes using (true)", "table notes has the policy loose"),
    ("grant select on notes to public", "PUBLIC has SELECT on notes"),
    (
        "execute format($f$ grant truncate on notes to %I $f$, current_user || $f$_app$f$)",
        "_app has TRUNCATE on notes",
    ),
    (
        "execute format($f$ revoke delete on notes from %I $f$, current_user || $f$_app$f$)",
        "may not select, insert, update and delete in table notes",
    ),
];

#[tokio::test]
async fn a_table_or_view_that_tenants_would_share_in_earnest_is_named_and_nothing_is_built() {
    let env = Env::new().await;
    env.provision_of("first", "ledger").await;
    let schemas = "select count(*)::text from pg_namespace";
    let before = seen(&env, schemas.into()).await;
    for (number, (code, says)) in HIDDEN.iter().enumerate() {
        let name = format!("hidden-{number}");
        let code =
            if code.starts_with("execute") { (*code).to_owned() } else { format!("execute $x${code}$x$") };
        let hidden = format!("do $do$ begin {code}; end $do$;");
        let folder =
            Folder::shared(&env.dir, &name, "1.0").migration("notes", TABLE).migration("hidden", &hidden);
        env.add_blueprint(folder.path()).await;
        let create = ["tenant", "create", &name, "--blueprint", &name, "--json"];
        let failed: Value = env.tenantry(&create).await.assert_status(1).json();
        let failure = &failed["operation"]["state"]["failure"];
        assert_eq!(failure["step"], "pool", "{code}: {failed}");
        let message = failure["message"].as_str().unwrap().replace('\'', "''");
        assert!(message.contains(says), "{code}: {message}");
        env.assert_clean_slate(&env.tenant(&name).await.tenant.placement).await;
    }
    assert_eq!(seen(&env, schemas.into()).await, before);
    assert_eq!(seen(&env, "select count(*)::text from tenantry.pool".into()).await, "1");
}

#[tokio::test]
async fn a_seed_that_opens_the_tables_again_finds_them_closed_behind_it() {
    let env = Env::new().await;
    let open = "insert into notes (id) values (1);
                do $do$ begin
                    if to_regrole(current_user::text)::oid = (select relowner from pg_class where oid = 'notes'::regclass) then
                        execute 'alter policy tenantry_tenant on notes using (true)';
                        execute 'alter table notes no force row level security';
                    end if;
                end $do$;";
    let folder = Folder::shared(&env.dir, "opens", "1.0").migration("notes", TABLE).seed(open);
    env.add_blueprint(folder.path()).await;
    for slug in ["one", "two"] {
        let create = ["tenant", "create", slug, "--blueprint", "opens", "--seed", "--json"];
        let made = tenantry_harness::Provisioned::from(&env.tenantry(&create).await.assert_status(0).json());
        assert_eq!(super::value(&env, &made.credentials, "select count(*) from notes").await, "1");
    }
    let forced = "select bool_and(relforcerowsecurity)::text from pg_class where relname = 'notes'";
    assert_eq!(seen(&env, forced.into()).await, "true");
}

#[tokio::test]
async fn what_the_lints_see_is_refused_with_file_and_line() {
    let env = Env::new().await;
    let folder = Folder::shared(&env.dir, "open", "1.0")
        .migration("notes", "\ncreate table notes (id int primary key);");
    let refused = env.tenantry(&["blueprint", "add", folder.path()]).await;
    assert_ne!(refused.status, 0);
    let told = format!("{}{}", refused.stdout, refused.stderr);
    assert!(told.contains("V1__notes.sql:2: error[no_tenant_id]"), "{refused}");
}

#[tokio::test]
async fn a_trigger_that_puts_itself_off_again_does_not_run_when_the_build_is_committed() {
    let env = Env::new().await;
    // Only for a tenant, so that the pool itself is built.
    let again = "create function again() returns trigger language plpgsql set search_path from current as $$
                 begin
                     if new.id = 1 and current_user::regrole::oid <> (select relowner from pg_class where oid = 'notes'::regclass) then
                         set constraints all deferred;
                         insert into notes (id) values (2);
                     end if;
                     return null;
                 end $$;
                 create constraint trigger again after insert on notes deferrable initially deferred
                     for each row execute function again();";
    let folder = Folder::shared(&env.dir, "again", "1.0")
        .migration("notes", TABLE)
        .migration("again", again)
        .seed("insert into notes (id) values (1);");
    env.add_blueprint(folder.path()).await;
    let create = ["tenant", "create", "one", "--blueprint", "again", "--seed", "--json"];
    let failed: Value = env.tenantry(&create).await.assert_status(1).json();
    let failure = &failed["operation"]["state"]["failure"];
    assert_eq!(failure["step"], "seed", "{failed}");
    assert!(
        failure["message"].as_str().unwrap().contains("deferred triggers of the shared tables"),
        "{failed}"
    );
    env.assert_clean_slate(&env.tenant("one").await.tenant.placement).await;
}
