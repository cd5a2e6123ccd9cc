//! Things that a tenant's logins can make or receive in any number: large objects, default privileges, and rights on
//! those of others. They are outside of every schema, and are removed in batches before the roles, so that a flood of
//! them cannot delay a removal.
//!
//! Invariant: a batch holds the marker, takes few locks, and removes nothing that DROP OWNED would keep. DROP OWNED runs
//! afterwards and finds what a batch could not do. No code of any role runs here.

use std::collections::BTreeSet;

use sqlx::{Connection as _, PgConnection};

use crate::postgres::connections::execute::execute;
use crate::postgres::error::{Result, doing};
use crate::postgres::quote::identifier;
use crate::postgres::target::Ready;
use crate::postgres::target::marker::{self, Mark};

/// Statements in one transaction. Each takes about two locks, of the 6,400 that a default server has.
const A_BATCH: usize = 500;
/// Statements that are listed at a time, which take a few megabytes.
const LISTED: i64 = 20_000;
/// How many lists are worked through. Others can grant more in the meantime, and DROP OWNED finds what is left.
const MOST_LISTS: usize = 100;

/// The roles whose belongings are removed. They are roles of the tenant that `mark` stands for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Belongings<'a> {
    pub(super) ready: &'a Ready,
    pub(super) mark: Mark,
    pub(super) roles: &'a [String],
}

/// The role that must be joined, and the statement that is then run.
type Relief = (String, String);

impl Belongings<'_> {
    /// Clears the belongings in the target's own database.
    pub(super) async fn clear(&self, connection: &mut PgConnection) -> Result<()> {
        let mut before = None;
        for _ in 0..MOST_LISTS {
            let Some(listed) = self.listed(connection, &mut before).await? else { break };
            for batch in listed.chunks(A_BATCH) {
                let mut tx = connection.begin().await.map_err(doing("begin to take belongings away"))?;
                marker::hold(&mut tx, self.mark).await?;
                if self.is_done(execute(&mut tx, self.batch(batch), "take belongings away").await)? {
                    tx.commit().await.map_err(doing("commit the taking of belongings"))?;
                }
            }
        }
        Ok(())
    }

    /// Clears the belongings in the database of another tenant, which `there` is connected to. The marker is on the target.
    pub(super) async fn clear_elsewhere(
        &self,
        connection: &mut PgConnection,
        there: &mut PgConnection,
    ) -> Result<()> {
        let mut before = None;
        for _ in 0..MOST_LISTS {
            let Some(listed) = self.listed(there, &mut before).await? else { break };
            for batch in listed.chunks(A_BATCH) {
                let mut hold = connection.begin().await.map_err(doing("begin to take belongings away"))?;
                marker::hold(&mut hold, self.mark).await?;
                let mut tx = there.begin().await.map_err(doing("begin to take belongings away"))?;
                if self.is_done(execute(&mut tx, self.batch(batch), "take belongings away").await)? {
                    tx.commit().await.map_err(doing("commit the taking of belongings"))?;
                }
                hold.commit().await.map_err(doing("commit the hold on the marker"))?;
            }
        }
        Ok(())
    }

    /// Some of the work to do; none if there is none, or if it is the same work as `before`, which could not be done.
    async fn listed(
        &self,
        connection: &mut PgConnection,
        before: &mut Option<Relief>,
    ) -> Result<Option<Vec<Relief>>> {
        let listed: Vec<Relief> = sqlx::query_as(TAKINGS)
            .bind(self.roles)
            .bind(LISTED)
            .fetch_all(connection)
            .await
            .map_err(doing("list the belongings of roles"))?;
        let first = listed.first().cloned();
        let is_new = first.is_some() && first != *before;
        *before = first;
        Ok(is_new.then_some(listed))
    }

    fn batch(&self, takings: &[Relief]) -> String {
        let roles: BTreeSet<&str> = takings.iter().map(|(role, _)| role.as_str()).collect();
        let mut sql: Vec<String> = roles.iter().map(|role| self.ready.join(role)).collect();
        sql.extend(takings.iter().map(|(_, statement)| statement.clone()));
        sql.extend(roles.iter().map(|role| self.ready.leave(role)));
        sql.join(";\n")
    }

    /// What the server refuses (because another tenant has removed its own things meanwhile) is left to DROP OWNED.
    fn is_done(&self, batch: Result<()>) -> Result<bool> {
        match batch {
            Ok(()) => Ok(true),
            Err(error) if error.is_unreachable() => Err(error),
            Err(error) => {
                let role = self.roles.first().map_or_else(String::new, |role| identifier(role));
                tracing::warn!(%role, error = %error.explain(), "some belongings of a tenant are left for later");
                Ok(false)
            }
        }
    }
}

/// Default privileges for single schemas are separate rows, one for each schema. The few that hold for all schemas are left.
const TAKINGS: &str = "
    with ours as materialized (select oid, rolname from pg_roles where rolname = any($1)),
    names as materialized (select string_agg(quote_ident(rolname), ', ') as ours from ours),
    given as materialized (select distinct classid, objid from (
        select d.classid, d.objid from ours r
        join pg_shdepend d on d.refclassid = 'pg_authid'::regclass and d.refobjid = r.oid and d.deptype = 'a'
         and d.classid in ('pg_largeobject'::regclass, 'pg_default_acl'::regclass)
         and d.dbid::bigint = (select oid::bigint from pg_database where datname = current_database())
        limit $2) rights),
    gifts as materialized (
        select g.classid, g.objid, case g.classid
            when 'pg_largeobject'::regclass then (select lomowner from pg_largeobject_metadata where oid = g.objid)
            else (select defaclrole from pg_default_acl where oid = g.objid) end as giver
        from given g),
    givers as materialized (
        select r.oid from (select distinct giver from gifts) g join pg_roles r on r.oid = g.giver
        where r.rolname <> all($1)
          and exists (select from tenantry.placement p where p.placement = left(r.rolname, 15))),
    defaults as (
        select a.defaclrole, a.defaclnamespace, a.defaclobjtype, (
            select string_agg(distinct case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end, ', ')
            from aclexplode(a.defaclacl)) as grantees
        from ours join pg_default_acl a on a.defaclrole = ours.oid
        union all
        select a.defaclrole, a.defaclnamespace, a.defaclobjtype, (select ours from names)
        from gifts g join givers on givers.oid = g.giver join pg_default_acl a on a.oid = g.objid
        where g.classid = 'pg_default_acl'::regclass)
    select pg_get_userbyid(lomowner)::text, format('select pg_catalog.lo_unlink(%s)', oid)
    from pg_largeobject_metadata
    where lomowner in (select oid from ours) and has_function_privilege('pg_catalog.lo_unlink(oid)', 'execute')
    union all
    select pg_get_userbyid(g.giver)::text, format('revoke all on large object %s from %s', g.objid, (select ours from names))
    from gifts g join givers on givers.oid = g.giver where g.classid = 'pg_largeobject'::regclass
    union all
    select pg_get_userbyid(defaclrole)::text, format('alter default privileges for role %I in schema %I revoke all on %s from %s',
        pg_get_userbyid(defaclrole), n.nspname, case defaclobjtype
            when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' else 'types' end, grantees)
    from defaults join pg_namespace n on n.oid = defaclnamespace
    where defaclobjtype in ('r', 'S', 'f', 'T') and grantees is not null
    limit $2";
