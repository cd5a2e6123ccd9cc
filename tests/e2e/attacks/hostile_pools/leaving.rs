//! A tenant's rows are removed while the blueprint's triggers run. Whatever these leave behind, for COMMIT or for the
//! session, runs with no rights but the tenant's.

use tenantry_harness::{Cluster, Env, Folder, Version};

use crate::attacks::tenancy_shared::{pool, seen, value};

/// A schema of another owner, open to all: code in it that runs with the right to create roles creates one.
pub(crate) const TRAP: &str = "
    create role trapper;
    create schema trap authorization trapper;
    set role trapper;
    create table trap.queue (n int);
    create function trap.rise() returns boolean language plpgsql as $$ begin
        if (select rolcreaterole from pg_catalog.pg_roles where rolname operator(pg_catalog.=) current_user)
           and not exists (select from pg_catalog.pg_roles where rolname operator(pg_catalog.=) 'risen') then
            execute pg_catalog.format('create role risen');
        end if;
        return true;
    end $$;
    create function trap.late() returns trigger language plpgsql as $$ begin
        perform trap.rise();
        if new.n < 3 then
            set constraints all deferred;
            insert into trap.queue values (new.n + 1);
        end if;
        return null;
    end $$;
    create constraint trigger late after insert on trap.queue deferrable initially deferred
        for each row execute function trap.late();
    create function trap.same(uuid, uuid) returns boolean language plpgsql as $$
        begin return trap.rise() and pg_catalog.uuid_eq($1, $2); end $$;
    create operator trap.= (leftarg = uuid, rightarg = uuid, function = trap.same);
    grant usage on schema trap to public;
    grant insert on trap.queue to public;";

/// How a trigger that runs during the tenant's removal could come to run as another role.
const GOING: [(&str, &str); 4] = [
    ("held", "execute 'declare held cursor with hold for select trap.rise()'"),
    ("path", "perform set_config('search_path', 'trap, pg_catalog', false)"),
    ("late", "execute 'insert into trap.queue values (1)'"),
    (
        "deferred",
        "execute 'set session characteristics as transaction read only'; execute 'set constraints all deferred'",
    ),
];

async fn nothing_rises(version: Version) {
    let env = Env::on(Cluster::private(version)).await;
    env.provision("first").await;
    env.cluster.execute(&env.target_db, TRAP.to_owned()).await;
    let tables = GOING.map(|(name, does)| {
        format!(
            "create table {name} (tenant_id uuid not null, id int not null, constraint {name}_pkey primary key (tenant_id, id));
             create function {name}_goes() returns trigger language plpgsql as
                 $$ begin if tenantry_ext.tenantry_removing() then {does}; end if; return old; end $$;
             create trigger goes before delete on {name} for each row execute function {name}_goes();"
        )
    });
    let folder = Folder::shared(&env.dir, "traps", "1.0").migration("all", &tables.concat());
    env.add_blueprint(folder.path()).await;
    let made = env.provision_of("leaving", "traps").await;
    for (name, _) in GOING {
        value(&env, &made.credentials, &format!("insert into {name} (id) values (1)")).await;
    }
    env.rollback("leaving").await;
    env.assert_clean_slate(&made.tenant.placement).await;
    assert_eq!(
        seen(&env, "select string_agg(rolname, ' ') from pg_roles where rolname = 'risen'".into()).await,
        ""
    );
}

#[tokio::test]
async fn what_triggers_leave_behind_in_a_removal_runs_as_nobody_but_the_tenant() {
    nothing_rises(Version::Packaged).await;
}

#[tokio::test]
async fn what_triggers_leave_behind_in_a_removal_runs_as_nobody_but_the_tenant_on_postgresql_18() {
    nothing_rises(Version::V18).await;
}

#[tokio::test]
async fn a_trigger_that_keeps_rows_without_a_word_is_told_with_its_tables() {
    let env = Env::new().await;
    let stays = "create table notes (tenant_id uuid not null, id int not null, constraint notes_pkey primary key (tenant_id, id));
                 create function stay() returns trigger language plpgsql as $$ begin return null; end $$;
                 create trigger stay before delete on notes for each row execute function stay();";
    let folder = Folder::shared(&env.dir, "stays", "1.0").migration("notes", stays);
    env.add_blueprint(folder.path()).await;
    let made = env.provision_of("one", "stays").await;
    value(&env, &made.credentials, "insert into notes (id) values (1), (2)").await;
    let remove = ["tenant", "rollback", "one", "--confirm", "one", "--discard-data", "--json"];
    let failed = env.tenantry(&remove).await.assert_status(6).json();
    let said = failed["operation"]["state"]["failure"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(said.contains("notes: 2)") && said.contains("tenantry_removing()"), "{failed}");
}

/// Triggers that write again what a removal deletes: a name, and the statements.
const RETURNING: [(&str, &str); 2] = [
    (
        "row by row",
        "create function again() returns trigger language plpgsql as $$ begin insert into notes (id) values (old.id); return null; end $$;
         create trigger again after delete on notes for each row execute function again();",
    ),
    (
        "at COMMIT, where no row went",
        "create function again() returns trigger language plpgsql as $$ begin insert into queue (id) values (1); return null; end $$;
         create function late() returns trigger language plpgsql as
             $$ begin insert into notes (id) values (1) on conflict do nothing; delete from queue; return null; end $$;
         create table queue (tenant_id uuid not null, id int not null);
         create trigger again after delete on notes for each statement execute function again();
         create constraint trigger late after insert on queue deferrable initially deferred for each row execute function late();
         create function eager() returns trigger language plpgsql as $$ begin set constraints all deferred; return old; end $$;
         create trigger eager before delete on notes for each statement execute function eager();",
    ),
];

#[tokio::test]
async fn triggers_that_write_what_is_deleted_anew_end_the_removal_with_a_word() {
    for (what, triggers) in RETURNING {
        let env = Env::new().await;
        let notes = "create table notes (tenant_id uuid not null, id int not null, constraint notes_pkey primary key (tenant_id, id));";
        let folder = Folder::shared(&env.dir, "again", "1.0").migration("notes", &[notes, triggers].concat());
        env.add_blueprint(folder.path()).await;
        let made = env.provision_of("one", "again").await;
        value(&env, &made.credentials, "insert into notes (id) values (1), (2)").await;
        let remove = ["tenant", "rollback", "one", "--confirm", "one", "--discard-data", "--json"];
        let failed = env.tenantry(&remove).await.assert_status(6).json();
        let said = failed["operation"]["state"]["failure"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(said.contains("notes: ") && said.contains("tenantry_removing()"), "{what}: {failed}");
    }
}

#[tokio::test]
async fn a_table_that_keeps_what_is_deleted_from_others_goes_too() {
    let env = Env::new().await;
    let tables = "create table notes (tenant_id uuid not null, id int not null, constraint notes_pkey primary key (tenant_id, id));
         create table gone (tenant_id uuid not null, id int not null);
         create table long_gone (tenant_id uuid not null, id int not null);
         create function keep() returns trigger language plpgsql as $$ begin
             if tg_table_name = 'notes' then insert into gone (id) values (old.id);
             else insert into long_gone (id) values (old.id); end if;
             return null;
         end $$;
         create trigger keep after delete on notes for each row execute function keep();
         create trigger keep after delete on gone for each row execute function keep();";
    env.add_blueprint(Folder::shared(&env.dir, "kept", "1.0").migration("notes", tables).path()).await;
    let made = env.provision_of("one", "kept").await;
    value(&env, &made.credentials, "insert into notes (id) select generate_series(1, 12000)").await;
    env.rollback("one").await;
    env.assert_clean_slate(&made.tenant.placement).await;
    let pool = pool(&env).await;
    let left = format!(
        "select ((select count(*) from {pool}.notes) + (select count(*) from {pool}.gone)
                 + (select count(*) from {pool}.long_gone))::text"
    );
    assert_eq!(seen(&env, left).await, "0");
}

async fn a_setting_hides_no_rows(version: Version) {
    let env = Env::on(Cluster::private(version)).await;
    let tables = "create table notes (tenant_id uuid not null, id int not null, constraint notes_pkey primary key (tenant_id, id));
         create table kept (tenant_id uuid not null, id int not null, constraint kept_pkey primary key (tenant_id, id));
         create function hide() returns trigger language plpgsql as $$ begin
             execute format('alter role %I set role = %L', current_user, current_user || '_app');
             execute format('alter role %I in database %I set role = %L', current_user, current_database(), current_user || '_app');
             return old;
         end $$;
         create function stay() returns trigger language plpgsql as $$ begin return null; end $$;
         create trigger hide before delete on notes for each row execute function hide();
         create trigger stay before delete on kept for each row execute function stay();";
    env.add_blueprint(Folder::shared(&env.dir, "hides", "1.0").migration("notes", tables).path()).await;
    let made = env.provision_of("one", "hides").await;
    value(&env, &made.credentials, "insert into notes (id) values (1); insert into kept (id) values (1)")
        .await;
    let remove = ["tenant", "rollback", "one", "--confirm", "one", "--discard-data", "--json"];
    let failed = env.tenantry(&remove).await.assert_status(6).json();
    let id = failed["operation"]["id"].as_str().unwrap();
    // The next login of the owner would begin as a role that no longer has rows.
    let again = env.tenantry(&["operation", "retry", id, "--json"]).await.assert_status(6);
    assert!(again.stdout.contains("kept: 1)"), "{again}");
}

#[tokio::test]
async fn what_a_leaving_tenant_sets_for_its_next_login_hides_no_rows() {
    a_setting_hides_no_rows(Version::Packaged).await;
}

#[tokio::test]
async fn what_a_leaving_tenant_sets_for_its_next_login_hides_no_rows_on_postgresql_18() {
    a_setting_hides_no_rows(Version::V18).await;
}
