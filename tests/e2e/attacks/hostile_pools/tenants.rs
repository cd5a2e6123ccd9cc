//! What a tenant can do to the others in its pool: nothing that lasts, and by default nothing without a limit.

use tenantry_harness::isolation::cases::{FINE, GROUND};
use tenantry_harness::isolation::trial;
use tenantry_harness::{Cluster, Env, Folder, Provisioned, Version};

use crate::attacks::tenancy_shared::{pool, seen, value};

#[tokio::test]
async fn what_the_refusal_of_a_trigger_advises_counts_each_tenants_rows() {
    for version in [Version::Packaged, Version::V18] {
        let env = Env::on(Cluster::private(version)).await;
        trial::prepare(&env).await;
        let (what, sql) = FINE[0];
        for slug in ["one", "two"] {
            let folder = (slug == "one").then(|| {
                Folder::shared(&env.dir, "counted", "1.0")
                    .extension("btree_gist")
                    .migration("ground", GROUND)
                    .migration("counter", sql)
            });
            if let Some(folder) = folder {
                env.add_blueprint(folder.path()).await;
            }
            let login = env.provision_of(slug, "counted").await.credentials;
            let fill = "insert into counted (n) values (3); insert into parent (id) values (1), (2);
                        insert into child (id, parent_id) values (1, 1), (2, 1), (3, 2)";
            value(&env, &login, fill).await;
        }
        let login = |slug: &'static str| {
            let env = &env;
            async move {
                let issued = env.tenantry(&["tenant", "credentials", slug, "issue", "--json"]).await;
                serde_json::from_value(issued.assert_status(0).json()["credentials"].clone()).unwrap()
            }
        };
        let (one, two) = (login("one").await, login("two").await);
        value(&env, &one, "delete from parent where id = 1").await;
        let counted = "select n || ' ' || (select count(*) from child) from counted";
        assert_eq!(value(&env, &one, counted).await, "1 1", "{what}");
        assert_eq!(value(&env, &two, counted).await, "3 3", "{what}");
    }
}

#[tokio::test]
async fn a_tenant_that_drops_what_its_group_has_takes_nothing_from_the_others() {
    for version in [Version::Packaged, Version::V18] {
        let env = Env::on(Cluster::private(version)).await;
        let one = env.provision_of("one", "ledger").await.credentials;
        let two = env.provision_of("two", "ledger").await.credentials;
        let rights = "select md5(string_agg(a, ' ' order by a)) from (
                select relacl::text from pg_class union all select nspacl::text from pg_namespace
                union all select proacl::text from pg_proc union all select datacl::text from pg_database
                union all select defaclacl::text from pg_default_acl where defaclacl::text !~ (select current_setting('x.own'))) r (a)";
        let own = one.role.trim_end_matches("_a").to_owned();
        let rights = rights.replace("current_setting('x.own')", &format!("'{own}'::text"));
        let before = seen(&env, rights.clone()).await;
        let group = seen(&env, "select group_role from tenantry.target_identity".into()).await;
        for role in [format!("{}_app", pool(&env).await), group] {
            // The server may refuse this, and it may do nothing: what counts is what is left.
            env.psql(&one, &format!("drop owned by {role} cascade")).await;
        }
        assert_eq!(seen(&env, rights).await, before);
        value(&env, &two, "select count(*) from accounts").await;
        env.provision_of("three", "ledger").await;
    }
}

#[tokio::test]
async fn a_seed_that_gives_the_tenants_own_large_object_away_makes_no_tenant() {
    let env = Env::new().await;
    // Only for a tenant, so that the pool itself is built.
    let give = "do $$ begin
                    if current_user <> current_schema then
                        execute format('grant select on large object %s to public', lo_create(0));
                    end if;
                end $$;";
    let table = "create table notes (tenant_id uuid not null, id int not null, constraint notes_pkey primary key (tenant_id, id));";
    let folder = Folder::shared(&env.dir, "gives", "1.0").migration("notes", table).seed(give);
    env.add_blueprint(folder.path()).await;
    let create = ["tenant", "create", "one", "--blueprint", "gives", "--seed", "--json"];
    let failed = env.tenantry(&create).await.assert_status(1).json();
    let failure = &failed["operation"]["state"]["failure"];
    assert_eq!(failure["step"], "verify", "{failed}");
    assert!(failure["message"].as_str().unwrap().contains("is open to PUBLIC"), "{failed}");
    env.assert_clean_slate(&env.tenant("one").await.tenant.placement).await;
}

#[tokio::test]
async fn a_session_that_keeps_others_waiting_ends_by_itself() {
    let env = Env::new().await;
    let create = ["tenant", "create", "one", "--blueprint", "ledger", "--json"];
    let one = Provisioned::from(&env.tenantry(&create).await.assert_status(0).json()).credentials;
    for (setting, limit) in [
        ("lock_timeout", "10s"),
        ("statement_timeout", "5min"),
        ("idle_in_transaction_session_timeout", "1min"),
    ] {
        assert_eq!(value(&env, &one, &format!("show {setting}")).await, limit);
    }
}

#[tokio::test]
async fn what_a_tenant_makes_as_a_role_that_all_share_is_taken_away_and_is_no_finding_of_the_others() {
    for version in [Version::Packaged, Version::V18] {
        let env = Env::on(Cluster::private(version)).await;
        let one = env.provision_of("one", "ledger").await.credentials;
        env.provision_of("two", "ledger").await;
        let group = seen(&env, "select group_role from tenantry.target_identity".into()).await;
        for role in [format!("{}_app", pool(&env).await), group] {
            let defaults = format!(
                "alter default privileges for role {role} grant select on tables to public;
                 alter default privileges for role {role} in schema public grant usage on sequences to {0};
                 alter default privileges for role {role} revoke execute on functions from public",
                one.role
            );
            value(&env, &one, &defaults).await;
            // From PostgreSQL 16 on, no session can act as such a role.
            let large = format!("set role {role}; select lo_create(0)");
            let made = env.psql(&one, &large).await;
            assert_eq!(made.status == 0, version == Version::Packaged, "{made}");
        }
        env.tenantry(&["tenant", "verify", "two"]).await.assert_status(0);
        let left = "select count(*)::text from pg_default_acl where defaclrole::regrole::text ~ '^t_.*_app$|^tenantry_g_'";
        assert_eq!(seen(&env, left.into()).await, "0", "{version:?}");
        let kept = "select count(*)::text from pg_largeobject_metadata where lomowner = to_regrole('{prov}') and lomacl is null";
        let check = env.tenantry(&["target", "check"]).await;
        let large = if version == Version::Packaged { "2" } else { "0" };
        assert_eq!(seen(&env, kept.replace("{prov}", &env.provisioner)).await, large, "{version:?}");
        let is_told = check.stdout.contains("were made in the name of a role that tenants share");
        assert_eq!(is_told, version == Version::Packaged, "{check}");
        env.provision_of("three", "ledger").await;
    }
}

#[tokio::test]
async fn nobody_joins_a_pool_that_somebody_spoiled_since_it_was_built() {
    let env = Env::new().await;
    env.provision_of("one", "ledger").await;
    let accounts = format!("{}.accounts", pool(&env).await);
    env.cluster.execute(&env.target_db, format!("grant select on {accounts} to public")).await;
    let create = ["tenant", "create", "two", "--blueprint", "ledger", "--json"];
    let failed = env.tenantry(&create).await.assert_status(1).json();
    let failure = &failed["operation"]["state"]["failure"];
    assert_eq!(failure["step"], "pool", "{failed}");
    assert!(failure["message"].as_str().unwrap().contains("PUBLIC has SELECT on accounts"), "{failed}");
    env.assert_clean_slate(&env.tenant("two").await.tenant.placement).await;
    env.cluster.execute(&env.target_db, format!("revoke select on {accounts} from public")).await;
    env.provision_of("three", "ledger").await;
}

/// What another tenant opens while a pool is being built.
const LENT: &str = "create domain note as text; create sequence ticket;
    create function said() returns text language sql as 'select ''x''';
    create function fired() returns trigger language plpgsql as $$ begin return new; end $$;
    create collation by_number (provider = icu, locale = 'en-u-kn');";

/// How a blueprint of shared tables uses it, and what the refusal must say.
const BORROWED: [(&str, &str); 6] = [
    (
        "create table t (tenant_id uuid not null, n {lender}.note)",
        "column n of table t stands on type {lender}.note",
    ),
    ("create domain mine as {lender}.note", "type mine stands on type {lender}.note"),
    (
        "create table t (tenant_id uuid not null, id int default nextval('{lender}.ticket'))",
        "default value for column id of table t stands on sequence {lender}.ticket",
    ),
    (
        "create table t (tenant_id uuid not null, n text default {lender}.said())",
        "default value for column n of table t stands on function {lender}.said()",
    ),
    (
        "create table t (tenant_id uuid not null); create trigger g after insert on t for each row execute function {lender}.fired()",
        "trigger g on table t stands on function {lender}.fired()",
    ),
    (
        "create table t (tenant_id uuid not null, n text collate {lender}.by_number)",
        "column n of table t stands on collation {lender}.by_number",
    ),
];

#[tokio::test]
async fn shared_tables_stand_on_nothing_that_another_tenant_lends_them() {
    for version in [Version::Packaged, Version::V18] {
        let env = Env::on(Cluster::private(version)).await;
        env.add_blueprint(Folder::new(&env.dir, "lender", "1.0").migration("lent", LENT).path()).await;
        let lender = env.provision_of("lender", "lender").await.tenant.placement.to_string();
        let open = format!(
            "grant usage on schema {lender} to public; grant usage on sequence {lender}.ticket to public;
             grant execute on function {lender}.said(), {lender}.fired() to public"
        );
        env.cluster.execute(&env.target_db, open).await;
        for (number, (sql, says)) in BORROWED.iter().enumerate() {
            let name = format!("borrower-{number}");
            let hidden =
                format!("do $do$ begin execute $x${}$x$; end $do$;", sql.replace("{lender}", &lender));
            env.add_blueprint(Folder::shared(&env.dir, &name, "1.0").migration("hidden", &hidden).path())
                .await;
            let create = ["tenant", "create", &name, "--blueprint", &name, "--json"];
            let failed = env.tenantry(&create).await.assert_status(1).json();
            let failure = &failed["operation"]["state"]["failure"];
            assert_eq!(failure["step"], "pool", "{failed}");
            let says = says.replace("{lender}", &lender);
            assert!(failure["message"].as_str().unwrap().contains(&says), "{says}: {failed}");
            env.assert_clean_slate(&env.tenant(&name).await.tenant.placement).await;
        }
    }
}
