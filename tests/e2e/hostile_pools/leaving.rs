//! A tenant's rows are removed with the blueprint's triggers. Whatever these leave behind, for COMMIT or for the session, finds
//! nobody's rights there but the tenant's.

use crate::harness::{Cluster, Env, Folder, Version};
use crate::tenancy_shared::{seen, value};

/// Somebody else's, open to all: whatever runs there with the right to make roles makes one.
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

/// How a trigger that runs while the tenant leaves could come to run as somebody else.
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
