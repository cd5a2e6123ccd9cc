//! The system catalog as a superuser sees it: whether anything is left of a tenant, and whether anything has changed.
//!
//! A snapshot holds one line per object with its owner, privileges and definition, so that a difference is readable.

use std::collections::BTreeSet;

use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tenantry_protocol::name::PlacementName;

use super::Env;

/// Everything of a placement in the catalogs of its target and its cluster; one row each.
const TRACES: &str = "
    select 'role ' || rolname from pg_authid where starts_with(rolname, $1)
    union all select 'schema ' || nspname from pg_namespace where starts_with(nspname, $1)
    union all select 'database ' || datname from pg_database where starts_with(datname, $1)
    union all select 'session of ' || usename from pg_stat_activity where starts_with(usename, $1) or datname = $1
    union all select 'setting of ' || r.rolname from pg_db_role_setting s join pg_authid r on r.oid = s.setrole
        where starts_with(r.rolname, $1)
    union all select 'default privileges ' || defaclacl::text from pg_default_acl where defaclacl::text like '%' || $1 || '%'
    union all select 'privilege on schema ' || nspname from pg_namespace where nspacl::text like '%' || $1 || '%'
    union all select 'privilege on ' || relname from pg_class where relacl::text like '%' || $1 || '%'
    union all select 'privilege on database ' || datname from pg_database where datacl::text like '%' || $1 || '%'
    union all select 'prepared transaction ' || gid from pg_prepared_xacts
    union all select 'replication slot ' || slot_name from pg_replication_slots
    union all select 'publication ' || pubname from pg_publication";

/// References to roles that no longer exist: only this shows what a removal forgot.
const ORPHANS: &str = "
    select 'membership without role' from pg_auth_members m
        where not exists (select from pg_authid where oid = m.roleid) or not exists (select from pg_authid where oid = m.member)
    union all select 'setting without role' from pg_db_role_setting s
        where setrole <> 0 and not exists (select from pg_authid where oid = s.setrole)
    union all select 'dependency on a role that is gone: ' || classid::regclass::text from pg_shdepend d
        where refclassid = 'pg_authid'::regclass and not exists (select from pg_authid where oid = d.refobjid)
    union all select 'object in a schema that is gone: ' || relname from pg_class c
        where not exists (select from pg_namespace where oid = c.relnamespace)";

/// The roles of the cluster with their attributes, and its databases.
const CLUSTER: &str = "
    select format('role %s super=%s inherit=%s createrole=%s createdb=%s login=%s repl=%s bypassrls=%s limit=%s until=%s pw=%s',
            rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls,
            rolconnlimit, rolvaliduntil, md5(rolpassword))
        from pg_authid
    union all select format('member %s of %s %s', m.rolname, g.rolname,
            (to_jsonb(a) - 'oid' - 'roleid' - 'member' - 'grantor')::text)
        from pg_auth_members a join pg_authid m on m.oid = a.member join pg_authid g on g.oid = a.roleid
    union all select format('setting role=%s database=%s %s', coalesce(r.rolname, '*'), coalesce(d.datname, '*'), setconfig)
        from pg_db_role_setting s left join pg_authid r on r.oid = setrole left join pg_database d on d.oid = setdatabase
    union all select format('database %s owner=%s acl=%s limit=%s', datname, datdba::regrole, datacl, datconnlimit) from pg_database
    union all select format('tablespace %s owner=%s acl=%s', spcname, spcowner::regrole, spcacl) from pg_tablespace
    union all select format('parameter %s %s', parname, paracl) from pg_parameter_acl
    union all select format('file setting %s = %s', name, setting) from pg_file_settings";

/// The content of one database: objects with their owner, privileges and definition.
const DATABASE: &str = "
    select format('schema %s owner=%s acl=%s', nspname, nspowner::regrole, nspacl) from pg_namespace
        where nspname !~ '^pg_(toast_)?temp_'
    union all select format('relation %s.%s kind=%s owner=%s acl=%s rls=%s triggers=%s rules=%s', relnamespace::regnamespace, relname,
            relkind, relowner::regrole, relacl, relrowsecurity, relhastriggers, relhasrules)
        from pg_class where relnamespace::regnamespace::text !~ '^pg_toast'
    union all select format('column %s.%s %s acl=%s', attrelid::regclass, attname, atttypid::regtype, attacl)
        from pg_attribute where attnum > 0 and attrelid >= 16384 and attrelid::regclass::text !~ '^pg_toast'
    union all select format('function %s owner=%s acl=%s definer=%s config=%s body=%s', oid::regprocedure, proowner::regrole, proacl,
            prosecdef, proconfig, md5(prosrc || coalesce(probin, '')))
        from pg_proc
    union all select format('type %s.%s owner=%s acl=%s', typnamespace::regnamespace, typname, typowner::regrole, typacl)
        from pg_type where typnamespace::regnamespace::text !~ '^pg_toast'
    union all select format('trigger %s on %s enabled=%s', tgname, tgrelid::regclass, tgenabled) from pg_trigger where not tgisinternal
    union all select format('event trigger %s owner=%s', evtname, evtowner::regrole) from pg_event_trigger
    union all select format('default privileges of %s in %s for %s: %s', defaclrole::regrole, defaclnamespace::regnamespace, defaclobjtype, defaclacl)
        from pg_default_acl
    union all select format('extension %s owner=%s', extname, extowner::regrole) from pg_extension
    union all select format('language %s owner=%s acl=%s', lanname, lanowner::regrole, lanacl) from pg_language
    union all select format('operator %s owner=%s', oid::regoperator, oprowner::regrole) from pg_operator where oid >= 16384
    union all select format('cast %s to %s', castsource::regtype, casttarget::regtype) from pg_cast where oid >= 16384
    union all select format('large object %s owner=%s', oid, lomowner::regrole) from pg_largeobject_metadata
    union all select format('foreign server %s owner=%s', srvname, srvowner::regrole) from pg_foreign_server
    union all select format('policy %s on %s', polname, polrelid::regclass) from pg_policy
    union all select format('publication %s owner=%s', pubname, pubowner::regrole) from pg_publication";

/// Whether a row of the system's own objects was written since: cheaper than comparing thousands of definitions.
const SYSTEM: &str = "
    select 'system functions ' || sum(hashtext(oid || ':' || xmin)) from pg_proc where oid < 16384
    union all select 'system relations ' || sum(hashtext(oid || ':' || xmin)) from pg_class where oid < 16384
    union all select 'system columns ' || sum(hashtext(attrelid || '.' || attnum || ':' || xmin)) from pg_attribute where attrelid < 16384
    union all select 'system types ' || sum(hashtext(oid || ':' || xmin)) from pg_type where oid < 16384";

async fn rows(connection: &mut PgConnection, sql: &'static str) -> BTreeSet<String> {
    sqlx::query_scalar::<_, String>(sql).fetch_all(connection).await.unwrap().into_iter().collect()
}

/// Everything about a cluster's roles and one database, one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot(BTreeSet<String>);

impl Snapshot {
    pub async fn take(env: &Env) -> Self {
        let mut connection = env.target().await;
        let mut lines = rows(&mut connection, CLUSTER).await;
        lines.extend(rows(&mut connection, DATABASE).await);
        connection.close().await.unwrap();
        Self(lines)
    }

    /// Like [`Snapshot::take`], but of the system's own objects it only records whether any changed; it includes references
    /// to roles that no longer exist.
    pub async fn take_quickly(env: &Env) -> Self {
        let own = DATABASE
            .replace("from pg_proc", "from pg_proc where oid >= 16384")
            .replace("from pg_class where ", "from pg_class where oid >= 16384 and ")
            .replace("from pg_type where ", "from pg_type where oid >= 16384 and ");
        let mut connection = env.target().await;
        let all = [CLUSTER, ORPHANS, SYSTEM, &own].join(" union all ");
        let lines = sqlx::query_scalar(sqlx::AssertSqlSafe(all)).fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        Self(lines.into_iter().collect())
    }

    pub fn into_lines(self) -> BTreeSet<String> {
        self.0
    }

    /// The differences, as lines that begin with - (gone) or + (new); empty if there are none.
    pub fn difference(&self, later: &Self) -> Vec<String> {
        let gone = self.0.difference(&later.0).map(|line| format!("- {line}"));
        let new = later.0.difference(&self.0).map(|line| format!("+ {line}"));
        gone.chain(new).collect()
    }
}

impl Env {
    /// Asserts that nothing is left of that placement: no role, membership, schema, default privilege, setting, session or
    /// lock.
    #[track_caller]
    pub fn assert_clean_slate(&self, placement: &PlacementName) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let left = self.traces(placement).await;
            assert!(left.is_empty(), "left of {placement}, {caller}: {left:#?}");
        }
    }

    /// Everything that exists of that placement.
    pub async fn traces(&self, placement: &PlacementName) -> BTreeSet<String> {
        let mut connection = self.target().await;
        let found =
            sqlx::query_scalar::<_, String>(TRACES).bind(placement.as_str()).fetch_all(&mut connection).await;
        let mut left: BTreeSet<String> = found.unwrap().into_iter().collect();
        left.extend(rows(&mut connection, ORPHANS).await);
        connection.close().await.unwrap();
        left
    }
}
