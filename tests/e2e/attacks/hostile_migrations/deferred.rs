//! Work that a file defers ends with the file, in every tenancy: none of it is left to COMMIT, which the daemon's role runs.

use serde_json::Value;
use tenantry_harness::{Cluster, Env, Folder, Version};

use crate::attacks::hostile_pools::leaving::TRAP;
use crate::attacks::tenancy_shared::seen;

const TABLES: &str = "
create table parent (tenant_id uuid not null, id int not null, constraint parent_pkey primary key (tenant_id, id));
create table child (tenant_id uuid not null, id int not null, up int, constraint child_pkey primary key (tenant_id, id),
    constraint child_up foreign key (tenant_id, up) references parent (tenant_id, id) deferrable initially deferred);";
/// A row that refers to a missing one.
const ORPHAN: &str = "insert into child select coalesce(nullif(current_setting('x.t', true), '')::uuid, gen_random_uuid()), 1, 1;";
/// Defers the check again while it is being made.
const AGAIN: &str = "
create function again() returns trigger language plpgsql as $$
begin
    set constraints all deferred;
    insert into child values (new.tenant_id, 2, 2);
    return null;
end $$;
create constraint trigger again after insert on child deferrable initially deferred for each row when (new.id = 1) execute function again();
insert into parent select gen_random_uuid(), 1;
insert into child select tenant_id, 1, 1 from parent;";

/// The failure of a tenant that is made from these files.
async fn failure(env: &Env, name: &str, folder: Folder) -> Value {
    env.add_blueprint(folder.path()).await;
    let create = ["tenant", "create", name, "--blueprint", name, "--json"];
    let failed: Value = env.tenantry(&create).await.assert_status(1).json();
    env.assert_clean_slate(&env.tenant(name).await.tenant.placement).await;
    failed["operation"]["state"]["failure"].clone()
}

async fn ends_with_its_file(version: Version) {
    let env = Env::on(Cluster::private(version)).await;
    let together = format!("{TABLES}{ORPHAN}");
    let cases = [
        ("one-file", Folder::new(&env.dir, "one-file", "1.0").migration("all", &together)),
        (
            "two-files",
            Folder::new(&env.dir, "two-files", "1.0").migration("tables", TABLES).migration("rows", ORPHAN),
        ),
        ("databases", Folder::new(&env.dir, "databases", "1.0").in_databases().migration("all", &together)),
        ("shared", Folder::shared(&env.dir, "shared", "1.0").migration("all", &together)),
    ];
    for (name, folder) in cases {
        let failure = failure(&env, name, folder).await;
        assert_eq!(failure["sqlstate"], "23503", "{name}: {failure}");
        assert_ne!(failure["step"], "commit", "{name}: {failure}");
        let file = if name == "two-files" { "V2__rows.sql" } else { "V1__all.sql" };
        assert_eq!(failure["file"], file, "{name}: {failure}");
    }
    let folder = Folder::new(&env.dir, "again", "1.0").migration("all", &format!("{TABLES}{AGAIN}"));
    let failure = failure(&env, "again", folder).await;
    assert_eq!(failure["file"], "V1__all.sql", "{failure}");
    let said = failure["message"].as_str().unwrap();
    assert!(said.contains("leaves deferred triggers pending") && said.contains("\"child\""), "{failure}");
}

/// An event stays deferred although its constraint is no longer deferrable. At COMMIT the check would run as the tables'
/// owner, and the code it calls could queue more work, for the daemon's role.
const FORMER: &str = "
create table parent (id int primary key);
create table child (id int constraint child_up references parent deferrable initially deferred);
create table start (i int);
create function going() returns trigger language plpgsql as $$
begin
    set constraints all deferred;
    delete from parent;
    alter table child alter constraint child_up not deferrable;
    return null;
end $$;
create constraint trigger going after insert on start deferrable initially deferred for each row execute function going();
insert into parent values (1);
insert into start values (1);";

#[tokio::test]
async fn a_check_stays_put_off_though_its_constraint_is_not_deferrable_any_more_and_is_found() {
    for version in [Version::Packaged, Version::V18] {
        let env = Env::on(Cluster::private(version)).await;
        let schema = Folder::new(&env.dir, "former", "1.0").migration("all", FORMER);
        let database =
            Folder::new(&env.dir, "former-databases", "1.0").in_databases().migration("all", FORMER);
        for (name, folder) in [("former", schema), ("former-databases", database)] {
            let failure = failure(&env, name, folder).await;
            assert_eq!(failure["file"], "V1__all.sql", "{version:?} {name}: {failure}");
            let said = failure["message"].as_str().unwrap();
            let names_it = said.contains("leaves deferred triggers pending") && said.contains("\"parent\"");
            assert!(names_it, "{version:?} {name}: {failure}");
        }
    }
}

#[tokio::test]
async fn a_deferrable_foreign_key_is_checked_at_the_end_of_its_file() {
    ends_with_its_file(Version::Packaged).await;
}

#[tokio::test]
async fn a_deferrable_foreign_key_is_checked_at_the_end_of_its_file_on_postgresql_18() {
    ends_with_its_file(Version::V18).await;
}

async fn belongs_to_nobody_else(version: Version) {
    let env = Env::on(Cluster::private(version)).await;
    env.provision("first").await;
    env.cluster.execute(&env.target_db, TRAP.to_owned()).await;
    let writes = "do $$ begin execute 'insert into trap.queue values (3), (1)'; end $$;";
    let folder = Folder::new(&env.dir, "writes", "1.0").migration("all", writes);
    let failure = failure(&env, "writes", folder).await;
    let said = failure["message"].as_str().unwrap();
    assert!(said.contains("belongs to somebody else (trap.queue)"), "{failure}");
    assert_eq!(
        seen(&env, "select string_agg(rolname, ' ') from pg_roles where rolname = 'risen'".into()).await,
        ""
    );
}

#[tokio::test]
async fn a_build_that_writes_to_somebody_elses_table_is_undone() {
    belongs_to_nobody_else(Version::Packaged).await;
}

#[tokio::test]
async fn a_build_that_writes_to_somebody_elses_table_is_undone_on_postgresql_18() {
    belongs_to_nobody_else(Version::V18).await;
}
