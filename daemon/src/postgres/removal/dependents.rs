//! Objects of others that depend on the objects to be dropped, and that `cascade` would drop with them.
//!
//! Invariant: no column, foreign key or shared table of another tenant is dropped with a tenant; such a case needs a
//! person. Nobody can use this to prevent a tenant's removal: an object whose dependency can be faked is dropped, unless
//! its owner could have used what it depends on. Objects that an administrator made on a tenant's tables are dropped, too.
//! The log names what was dropped.

use std::sync::LazyLock;

use sqlx::PgConnection;
use tenantry_protocol::name::PlacementName;

use crate::postgres::dependencies::{ELSEWHERE, INSIDE, LEANING};
use crate::postgres::error::{Error, Result, doing};

/// How many objects are named.
const MOST: usize = 5;

/// Returns [`Error::Refused`] if another tenant would lose something.
pub(super) async fn spare(connection: &mut PgConnection, placement: &PlacementName) -> Result<()> {
    static FOUND: LazyLock<String> = LazyLock::new(|| {
        format!(
            "with recursive home (oid) as (select oid from pg_namespace where nspname = $1), {INSIDE},
             root as (select classid, objid from inside union all select 'pg_namespace'::regclass, oid from home),
             {ELSEWHERE}, {LEANING}
             select distinct left(format('%s on %s', pg_describe_object(classid, objid, objsubid),
                                         pg_describe_object(refclassid, refobjid, 0)), 300), is_kept
             from (
                 select leaning.*, coalesce(own.kind <> 'canary' and other.placement is not null and (
                        is_certain or other.kind = 'pool'
                        or has_schema_privilege(to_regrole(other.placement)::oid, own.placement, 'usage')), false) as is_kept
                 from leaning
                 join tenantry.placement own on own.placement = $1 and own.kind <> 'tombstone'
                 left join tenantry.placement other on other.placement = leaning.placement and other.kind <> 'tombstone'
                 order by is_kept desc limit {}) few
             order by 2 desc, 1",
            2 * MOST
        )
    });
    let found: Vec<(String, bool)> = sqlx::query_as(sqlx::AssertSqlSafe(FOUND.as_str()))
        .persistent(false)
        .bind(placement.as_str())
        .fetch_all(connection)
        .await
        .map_err(doing("look for what others have on the tenant's objects"))?;
    let named = |of_tenants: bool| {
        let of = found.iter().filter(|(_, is)| *is == of_tenants).take(MOST);
        of.map(|(said, _)| said.as_str()).collect::<Vec<_>>().join(", ")
    };
    let (kept, goes) = (named(true), named(false));
    if !kept.is_empty() {
        return Err(Error::Refused(format!(
            "other tenants have something on this tenant's objects, which would go with them: {kept}; an administrator \
             gives them objects of their own, or drops these, and tries again"
        )));
    }
    if !goes.is_empty() {
        tracing::warn!(%placement, objects = goes, "objects that stand on the tenant's go with it");
    }
    Ok(())
}
