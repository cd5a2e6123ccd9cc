//! What others have on the objects that are to be dropped, and what `cascade` would take with them.
//!
//! Invariant: no column, foreign key or shared table of another tenant's goes with a tenant; that asks for a person. Nobody can
//! keep a tenant from being removed by it: what an object can feign to stand on goes, unless its owner could have used it. So
//! does what an administrator made on a tenant's tables. The log names what went.

use std::sync::LazyLock;

use sqlx::PgConnection;
use tenantry_protocol::name::PlacementName;

use crate::postgres::dependencies::{ELSEWHERE, INSIDE, LEANING};
use crate::postgres::error::{Error, Result, doing};

/// How many are named.
const MOST: usize = 5;

/// [`Error::Refused`] where another tenant would lose something.
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
