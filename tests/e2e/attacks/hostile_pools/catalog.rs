//! The rule, read from a target's catalog: the functions that the daemon's role may call are where no owner of tenants'
//! objects can replace them, and between two operations the role is not a member of any such owner.

use tenantry_harness::{Cluster, Env, Folder, Version};

use crate::attacks::tenancy_shared::seen;

/// Everything that breaks the rule, one line each. `{prov}` is the daemon's role.
const BROKEN: &str = "
    with prov as (select oid from pg_roles where rolname = '{prov}'),
    tenants as (select oid, rolname from pg_roles where rolname ~ '^t_[a-z2-7]{13}(_.*)?$'),
    given as (
        select p.oid, p.proname, n.oid as namespace, n.nspname, p.proowner
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname not in ('pg_catalog', 'information_schema')
          and exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a, prov
                      where a.grantee in (0, prov.oid) and a.privilege_type = 'EXECUTE'))
    select format('function %s.%s can be called by the daemon, and stands in a schema of a tenant''s', nspname, proname)
    from given where nspname not in ('tenantry', 'tenantry_ext') and has_schema_privilege('{prov}', namespace, 'usage')
    union all
    select format('function %s.%s can be altered by %s', g.nspname, g.proname, t.rolname)
    from given g join tenants t on t.oid = g.proowner
    where has_schema_privilege(t.oid, g.namespace, 'usage') or has_schema_privilege(t.oid, g.namespace, 'create')
    union all
    select format('%s may create in schema %s', t.rolname, n.nspname) from tenants t, pg_namespace n
    where n.nspname in ('tenantry', 'tenantry_ext', 'public', 'pg_catalog') and has_schema_privilege(t.oid, n.oid, 'create')
    union all
    select format('the daemon is a member of %s, with its rights', t.rolname)
    from tenants t where pg_has_role('{prov}', t.oid, 'usage')
    union all
    select format('function tenantry.%s has no search_path of its own', p.proname) from pg_proc p
    where p.pronamespace = 'tenantry'::regnamespace
      and not exists (select from unnest(p.proconfig) setting where setting ~ '^search_path=pg_catalog, pg_temp$')
    union all
    select format('%s stands on %s', pg_describe_object(d.classid, d.objid, 0), pg_describe_object(d.refclassid, d.refobjid, 0))
    from pg_depend d join pg_depend i on i.classid = d.classid and i.objid = d.objid and i.refclassid = 'pg_namespace'::regclass
        and i.refobjid in ('tenantry'::regnamespace, 'tenantry_ext'::regnamespace)
    join pg_depend o on o.classid = d.refclassid and o.objid = d.refobjid and o.refclassid = 'pg_namespace'::regclass
    join pg_namespace n on n.oid = o.refobjid where n.nspname ~ '^t_'";

#[tokio::test]
async fn the_daemon_may_call_nothing_that_a_tenants_owner_could_replace() {
    for version in [Version::Packaged, Version::V18] {
        let env = Env::on(Cluster::private(version)).await;
        let tables =
            "create table a (id int primary key); create function f() returns int language sql return 1;";
        env.add_blueprint(Folder::new(&env.dir, "plain", "1.0").migration("tables", tables).path()).await;
        for (slug, blueprint) in [("one", "plain"), ("two", "ledger"), ("three", "ledger")] {
            env.provision_of(slug, blueprint).await;
            env.tenantry(&["tenant", "verify", slug]).await.assert_status(0);
        }
        env.rollback("three").await;
        let sql = BROKEN.replace("{prov}", &env.provisioner);
        let broken = format!("select coalesce(string_agg(line, chr(10)), '') from ({sql}) as broken (line)");
        let found = seen(&env, broken).await;
        assert!(found.is_empty(), "{version:?}:\n{found}");
    }
}
