//! Upgrades that are refused or cut short: by whom, what is said, and what is left.

use sqlx::Row as _;
use tenantry_harness::{Env, Folder};

use super::{first, first_again, history, second, shop};

#[tokio::test]
async fn a_file_that_fails_leaves_the_tenant_as_it_was_and_is_named_with_its_line() {
    let env = Env::new().await;
    let made = shop(first(&env), &env).await;
    let broken = first_again(&env, "1.1")
        .migration("price", "alter table items add column price numeric;")
        .migration("wrong", "create table more (id int);\nalter table missing add column a int;")
        .repeatable("names", "create or replace view names as select name from items;");
    env.add_blueprint(broken.path()).await;
    let refused = env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(1);
    refused.assert_says(&["V3__wrong.sql:2", "\"missing\" does not exist"]);
    let detail = env.tenant("acme").await;
    assert_eq!((detail.tenant.state.name(), detail.tenant.version.to_string().as_str()), ("active", "1.0"));
    env.psql(&made.credentials, "select price from items").await.assert_status(1).assert_says(&["42703"]);
    assert_eq!(history(&env, &env.target_db, made.tenant.placement.as_str()).await.len(), 2);
}

#[tokio::test]
async fn a_version_that_gives_something_away_is_not_committed() {
    let env = Env::new().await;
    let made = shop(first(&env), &env).await;
    let open = first_again(&env, "1.1")
        .migration("open", "grant select on items to public;")
        .repeatable("names", "create or replace view names as select name from items;");
    env.add_blueprint(open.path()).await;
    let refused = env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(1);
    refused.assert_says(&["does not keep the tenant apart", "items is open to PUBLIC"]);
    assert_eq!(env.tenant("acme").await.tenant.version.to_string(), "1.0");
    assert_eq!(history(&env, &env.target_db, made.tenant.placement.as_str()).await.len(), 2);
    env.tenantry(&["tenant", "verify", "acme"]).await.assert_status(0);
}

/// A table of somebody else whom the public may write to: a trigger on it could put work off until the COMMIT.
const ELSEWHERE: &str = "create schema elsewhere; create table elsewhere.queue (id int);
    grant usage on schema elsewhere to public; grant insert on elsewhere.queue to public;";

#[tokio::test]
async fn an_upgrade_that_writes_to_somebody_elses_table_is_not_committed() {
    let env = Env::new().await;
    let made = shop(first(&env), &env).await;
    env.cluster.execute(&env.target_db, ELSEWHERE.to_owned()).await;
    let writes = first_again(&env, "1.1")
        .migration("writes", "do $$ begin execute 'insert into elsewhere.queue values (1)'; end $$;")
        .repeatable("names", "create or replace view names as select name from items;");
    env.add_blueprint(writes.path()).await;
    let refused = env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(1);
    refused.assert_says(&["belongs to somebody else (elsewhere.queue)", "V2__writes.sql"]);
    assert_eq!(history(&env, &env.target_db, made.tenant.placement.as_str()).await.len(), 2);
}

#[tokio::test]
async fn a_tenants_statements_of_a_pools_file_that_write_to_somebody_elses_table_are_not_committed() {
    let env = Env::new().await;
    let folder = |version: &str| {
        Folder::shared(&env.dir, "mall", version)
            .migration(
                "items",
                "create table items (tenant_id uuid not null, id int, primary key (tenant_id, id));",
            )
            .migration(
                "tell",
                "create function tell(id int) returns int language plpgsql as $$ begin
                    execute 'insert into elsewhere.queue values (1)'; return id;
                 end $$;",
            )
    };
    env.cluster.execute(&env.target_db, ELSEWHERE.to_owned()).await;
    env.add_blueprint(folder("1.0").path()).await;
    let made = env.provision_of("acme", "mall").await;
    env.psql(&made.credentials, "insert into items (id) values (1)").await.assert_status(0);
    // The canary has no rows: only as the tenant does the file write anything.
    env.add_blueprint(folder("1.1").migration("fill", "update items set id = tell(id);").path()).await;
    let refused = env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(1);
    refused.assert_says(&["belongs to somebody else (elsewhere.queue)"]);
    let told: i64 = sqlx::query_scalar("select count(*) from elsewhere.queue")
        .fetch_one(&mut env.cluster.superuser(&env.target_db).await)
        .await
        .unwrap();
    assert_eq!((told, env.tenant("acme").await.tenant.version.to_string().as_str()), (0, "1.0"));
}

/// The daemon's role may have any name.
#[tokio::test]
async fn what_was_written_to_is_foreign_whatever_the_role_that_asks_is_called() {
    let env = Env::new().await;
    let made = shop(first(&env), &env).await;
    let placement = made.tenant.placement.as_str();
    env.cluster.execute(&env.target_db, ELSEWHERE.to_owned()).await;
    let mut session = env.cluster.superuser(&env.target_db).await;
    let role = format!("Role of {placement}");
    let ask = format!(
        "begin; create role \"{role}\" superuser; set local role \"{role}\"; lock table elsewhere.queue in row exclusive mode;
         lock table {placement}.items in row exclusive mode; select tenantry.foreign_writes('{placement}', '{placement}')"
    );
    let row = sqlx::raw_sql(sqlx::AssertSqlSafe(ask)).fetch_one(&mut session).await.unwrap();
    assert_eq!(row.get::<Vec<String>, _>(0), ["elsewhere.queue"]);
}

/// An index runs code of the version's, and a plain file behind it, which is spared the look, does not cover it up.
#[tokio::test]
async fn what_a_file_outside_the_transaction_opened_stops_the_upgrade_until_it_is_closed() {
    let env = Env::new().await;
    let made = shop(first(&env), &env).await;
    let function = "create function give() returns void language plpgsql as $$ begin
                        grant select on items to public;
                    end $$;
                    create function opens(value bigint) returns bigint language plpgsql immutable as $$ begin
                        perform give(); return value;
                    end $$;";
    let index = "create index concurrently opened on items (opens(id));";
    let open = first_again(&env, "1.1").migration("function", function).outside("index", index);
    let plain = first_again(&env, "1.2")
        .migration("function", function)
        .outside("index", index)
        .migration("plain", "alter table items add column note text;");
    for (version, folder) in [("1.1", open), ("1.2", plain)] {
        env.add_blueprint(folder.path()).await;
        let refused = env.tenantry(&["tenant", "upgrade", "acme", "--to", version]).await.assert_status(6);
        refused.assert_says(&["does not keep the tenant apart", "items is open to PUBLIC", "V3__index.sql"]);
        assert_eq!(env.tenant("acme").await.tenant.version.to_string(), "1.0");
        // It is as open as before, and nothing says that it was so before the version.
        env.tenantry(&["tenant", "upgrade", "acme", "--to", version]).await.assert_status(6);
    }
    env.psql(&made.credentials, "select note from items").await.assert_status(1).assert_says(&["42703"]);
    let close = format!("revoke all on {}.items from public", made.tenant.placement);
    env.cluster.execute(&env.target_db, close).await;
    env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(0);
    assert_eq!(env.tenant("acme").await.tenant.version.to_string(), "1.2");
    env.psql(&made.credentials, "select note from items").await.assert_status(0);
    env.tenantry(&["tenant", "verify", "acme"]).await.assert_status(0);
}

#[tokio::test]
async fn a_version_that_does_not_continue_what_the_tenant_has_is_refused_by_the_name_of_the_file() {
    let env = Env::new().await;
    shop(first(&env), &env).await;
    let edited =
        Folder::new(&env.dir, "shop", "1.1").migration("items", "create table items (id int primary key);");
    env.add_blueprint(edited.path()).await;
    let refused = env.tenantry(&["tenant", "upgrade", "acme", "--to", "1.1"]).await.assert_status(1);
    refused.assert_says(&["V1__items.sql was changed after it was applied"]);
    let missing =
        Folder::new(&env.dir, "shop", "1.2").migration("other", "create table other (id int primary key);");
    env.add_blueprint(missing.path()).await;
    let refused = env.tenantry(&["tenant", "upgrade", "acme", "--to", "1.2"]).await.assert_status(1);
    refused.assert_says(&["V1__items.sql was applied, and the version does not have it"]);
    assert_eq!(env.tenant("acme").await.tenant.version.to_string(), "1.0");
    let refused = env.tenantry(&["tenant", "upgrade", "acme", "--to", "3.0"]).await.assert_status(7);
    refused.assert_says(&["has no version 3.0"]);
}

#[tokio::test]
async fn nobody_goes_back_to_an_earlier_version_or_to_another_tenancy() {
    let env = Env::new().await;
    let made = shop(first(&env), &env).await;
    env.add_blueprint(second(&env).path()).await;
    env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(0);
    let refused = env.tenantry(&["tenant", "upgrade", "acme", "--to", "1.0"]).await.assert_status(5);
    refused.assert_says(&["is earlier"]);
    env.add_blueprint(first_again(&env, "1.2").in_databases().path()).await;
    let refused = env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(5);
    refused.assert_says(&["keeps tenants apart by database"]);
    env.psql(&made.credentials, "select price from items").await.assert_status(0);
}

/// Defers a check again while the file's end makes it, so that it would run at COMMIT, as the daemon's role.
const AGAIN: &str = "
create function again() returns trigger language plpgsql as $$
begin
    set constraints all deferred;
    insert into child values (2, 2);
    return null;
end $$;
create constraint trigger again after insert on child deferrable initially deferred for each row when (new.id = 1) execute function again();
insert into parent values (1);
insert into child values (1, 1);";

/// The same by a row that moves between partitions of the table that is referred to: the check is queued for the whole table.
const MOVED: &str = "
create function going() returns trigger language plpgsql as $$
begin
    set constraints all deferred;
    update split set part = 2 where part = 1;
    return null;
end $$;
create constraint trigger going after insert on start deferrable initially deferred for each row execute function going();
insert into start values (1);";

#[tokio::test]
async fn no_check_of_a_tenant_in_use_is_left_to_the_commit() {
    let env = Env::new().await;
    let tables = "create table parent (id int primary key);
         create table child (id int primary key, up int references parent deferrable initially deferred);
         create table start (id int);
         create table split (part int, id int, primary key (part, id)) partition by list (part);
         create table split_1 partition of split for values in (1);
         create table split_2 partition of split for values in (2);
         create table refers (part int, id int, foreign key (part, id) references split deferrable initially deferred);
         insert into split values (1, 1);
         insert into refers values (1, 1);";
    let of = |version: &str| Folder::new(&env.dir, "shop", version).migration("tables", tables);
    env.add_blueprint(of("1.0").path()).await;
    env.provision_of("acme", "shop").await;
    for (version, sql, table) in [("1.1", AGAIN, "child"), ("1.2", MOVED, "split")] {
        env.add_blueprint(of(version).migration("again", sql).path()).await;
        let refused = env.tenantry(&["tenant", "upgrade", "acme", "--to", version]).await.assert_status(1);
        refused.assert_says(&["V2__again.sql", "leaves deferred triggers pending", &format!("\"{table}")]);
    }
    assert_eq!(env.tenant("acme").await.tenant.version.to_string(), "1.0");
    // Constraints that are deferred by their declaration stay so from file to file, and let rows come in a circle.
    let circle = of("1.3")
        .migration("other", "create table other (id int primary key);")
        .migration("rows", "insert into child values (7, 7); insert into parent values (7);");
    env.add_blueprint(circle.path()).await;
    env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(0);
}

#[tokio::test]
async fn a_file_that_was_cut_short_goes_on_from_its_beginning_or_is_refused() {
    let env = Env::new().await;
    let made = shop(first(&env), &env).await;
    env.psql(&made.credentials, "insert into items (name) values ('pen')").await.assert_status(0);
    let with = |version: &str, sql: &str| {
        first_again(&env, version)
            .outside("indexes", sql)
            .repeatable("names", "create or replace view names as select name from items;")
    };
    let one = "create index concurrently items_name on items (name);";
    let broken = with("1.1", &format!("{one}\ncreate unique index concurrently items_once on items (name);"));
    env.add_blueprint(broken.path()).await;
    let partly = env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(6);
    partly.assert_says(&["V2__indexes.sql", "could not create unique index", "what is left"]);
    assert_eq!(env.tenant("acme").await.tenant.state.name(), "active");
    env.tenantry(&["tenant", "credentials", "acme", "issue"]).await.assert_status(0);
    env.add_blueprint(with("1.2", "create index concurrently items_other on items (id, name);").path()).await;
    let refused = env.tenantry(&["tenant", "upgrade", "acme", "--to", "1.2"]).await.assert_status(6);
    refused.assert_says(&["V2__indexes.sql was cut short", "first 1 statements"]);
    env.add_blueprint(
        with("1.3", &format!("{one}\ncreate index concurrently items_id on items (id);")).path(),
    )
    .await;
    env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(0);
    let indexes: Vec<String> = sqlx::query_scalar(
        "select c.relname::text || ' ' || i.indisvalid from pg_index i join pg_class c on c.oid = i.indexrelid
         where i.indrelid = ($1 || '.items')::regclass and not i.indisprimary order by 1",
    )
    .bind(made.tenant.placement.as_str())
    .fetch_all(&mut env.target().await)
    .await
    .unwrap();
    assert_eq!(indexes, ["items_id true", "items_name true"]);
}

#[tokio::test]
async fn an_upgrade_is_done_again_as_the_tenant_is_then() {
    let env = Env::new().await;
    shop(first(&env), &env).await;
    let broken = first_again(&env, "1.1").migration("wrong", "alter table missing add column a int;");
    env.add_blueprint(broken.path()).await;
    let failed = env.tenantry(&["tenant", "upgrade", "acme", "--json"]).await.assert_status(1).json();
    let id = failed["operation"]["id"].as_str().unwrap();
    env.tenantry(&["tenant", "update", "acme", "--name", "Renamed"]).await.assert_status(0);
    let good = first_again(&env, "1.2")
        .repeatable("names", "create or replace view names as select name, id from items;");
    env.add_blueprint(good.path()).await;
    env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(0);
    let again = env.tenantry(&["operation", "retry", id]).await.assert_status(5);
    again.assert_says(&["1.1 is earlier"]);
    let tenant = env.tenant("acme").await.tenant;
    assert_eq!((tenant.display_name.as_str(), tenant.version.to_string().as_str()), ("Renamed", "1.2"));
}

#[tokio::test]
async fn what_somebody_opened_before_is_not_the_versions_fault() {
    let env = Env::new().await;
    let made = shop(first(&env), &env).await;
    let placement = &made.tenant.placement;
    env.cluster.execute(&env.target_db, format!("grant select on {placement}.items to public")).await;
    env.add_blueprint(second(&env).path()).await;
    env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(0);
    assert_eq!(history(&env, &env.target_db, placement.as_str()).await.len(), 4);
    // The verification still tells of it.
    let verified = env.tenantry(&["tenant", "verify", "acme"]).await;
    assert_ne!(verified.status, 0, "{verified}");
}
