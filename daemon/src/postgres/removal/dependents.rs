//! What others have on the objects that are to be dropped, and what `cascade` would take with them.
//!
//! Invariant: nothing of another tenant's, and nothing of shared tables, goes with a tenant. What an administrator made on a
//! tenant's tables goes, as it would with the tables in any case, and the log names it.

use std::sync::LazyLock;

use sqlx::PgConnection;
use tenantry_protocol::name::PlacementName;

use crate::postgres::dependencies::{ELSEWHERE, LEANING};
use crate::postgres::error::{Error, Result, doing};

/// How many are named.
const MOST: usize = 5;

/// [`Error::Refused`] where others than administrators would lose something.
pub(super) async fn spare(connection: &mut PgConnection, placement: &PlacementName) -> Result<()> {
    static FOUND: LazyLock<String> = LazyLock::new(|| {
        format!(
            "with recursive root as (
                select n.tableoid as classid, n.oid as objid from pg_namespace n where n.nspname = $1
                union all
                select d.classid, d.objid from pg_namespace n
                join pg_depend d on d.refclassid = n.tableoid and d.refobjid = n.oid where n.nspname = $1),
             {ELSEWHERE}, {LEANING}
             select left(said, 300), exists (select from tenantry.placement p where p.placement = leaning.placement)
             from leaning order by 2 desc, 1 limit {}",
            MOST + 1
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
    let (tenants, administrators) = (named(true), named(false));
    if !tenants.is_empty() {
        return Err(Error::Refused(format!(
            "other tenants have something on this tenant's objects, which would go with them: {tenants}; an administrator \
             gives them objects of their own, or drops these, and tries again"
        )));
    }
    if !administrators.is_empty() {
        tracing::warn!(%placement, objects = administrators, "objects that stand on the tenant's go with it");
    }
    Ok(())
}
