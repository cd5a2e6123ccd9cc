//! A prepared transaction of a tenant outlives its session and its login, with all the locks and rows that it holds. On a
//! server that allows prepared transactions, they are ended with the tenant's sessions, and block no removal.

use tenantry_harness::{Cluster, Env, Folder, Version};

use crate::attacks::tenancy_shared::seen;

const LEFT: &str = "select string_agg(gid, ' ' order by gid) from pg_prepared_xacts";

async fn go_with_the_tenant(version: Version) {
    let cluster = Cluster::private(version);
    cluster.execute("postgres", "alter system set max_prepared_transactions = 10".to_owned()).await;
    cluster.crash();
    cluster.restart();
    let env = Env::on(cluster).await;
    let tables = "create table a (id int primary key)";
    env.add_blueprint(Folder::new(&env.dir, "plain", "1.0").migration("tables", tables).path()).await;
    let own = Folder::new(&env.dir, "own", "1.0").in_databases().migration("tables", tables);
    env.add_blueprint(own.path()).await;
    let shared = "create table a (tenant_id uuid not null, id int not null, constraint a_pkey primary key (tenant_id, id))";
    env.add_blueprint(Folder::shared(&env.dir, "shared", "1.0").migration("tables", shared).path()).await;

    let mut made = Vec::new();
    for slug in ["plain", "own", "shared"] {
        let tenant = env.provision_of(slug, slug).await;
        let placement = &tenant.tenant.placement;
        let writes = format!("begin; insert into a (id) values (1); prepare transaction 'it''s {slug}''s'");
        env.psql(&tenant.credentials, &writes).await.assert_status(0);
        let as_application = format!(
            "set role {placement}_app; begin; lock a in row exclusive mode; prepare transaction '{slug} as its application'"
        );
        env.psql(&tenant.credentials, &as_application).await.assert_status(0);
        made.push(tenant);
    }
    // A neighbour's prepared transaction, which holds a role of another tenant.
    let neighbour = env.provision_of("neighbour", "plain").await;
    let holds = format!(
        "begin; alter default privileges grant select on tables to {}_app; prepare transaction 'neighbour'",
        made[0].tenant.placement
    );
    env.psql(&neighbour.credentials, &holds).await.assert_status(0);

    let check = env.tenantry(&["target", "check"]).await;
    assert!(check.stdout.contains("now: 7 of tenants, 10 at most"), "{check}");
    env.tenantry(&["tenant", "suspend", "shared"]).await.assert_status(0);
    let left = seen(&env, LEFT.into()).await;
    assert_eq!(left, "it's own's it's plain's neighbour own as its application plain as its application");
    for slug in ["plain", "own", "shared"] {
        env.rollback(slug).await;
    }
    for tenant in &made {
        env.assert_clean_slate(&tenant.tenant.placement).await;
    }
    assert_eq!(seen(&env, LEFT.into()).await, "", "{version:?}");
    let members = format!(
        "select string_agg(roleid::regrole::text, ' ') from pg_auth_members
         where member = to_regrole('{}') and roleid::regrole::text ~ '^t_' and inherit_option",
        env.provisioner
    );
    let members =
        if version == Version::Packaged { members.replace(" and inherit_option", "") } else { members };
    assert_eq!(seen(&env, members).await, "", "the daemon left every role that it joined");
    env.tenantry(&["tenant", "verify", "neighbour"]).await.assert_status(0);
}

#[tokio::test]
async fn prepared_transactions_go_with_their_tenant() {
    go_with_the_tenant(Version::Packaged).await;
}

#[tokio::test]
async fn prepared_transactions_go_with_their_tenant_on_postgresql_18() {
    go_with_the_tenant(Version::V18).await;
}
