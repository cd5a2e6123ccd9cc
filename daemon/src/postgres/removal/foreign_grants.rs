//! Rights that other tenants granted to a tenant's roles on their own objects. Any tenant can grant them, to any role of the
//! cluster. Only a member of the granting role can revoke such a right, and until then the roles cannot be dropped.
//!
//! Invariant: only what the roles were granted is revoked. Nothing that belongs to the granting tenant is changed.

use sqlx::{Connection as _, PgConnection};

use super::belongings::Belongings;
use super::yielding;
use crate::postgres::connections::execute::execute;
use crate::postgres::error::{Result, doing};
use crate::postgres::quote::identifier;
use crate::postgres::target::marker;
use crate::postgres::target::settlement;
use crate::postgres::target::{Ready, Target};

/// Revokes what was granted in the databases of tenants that have their own. What was granted in the target's database is
/// revoked when the roles are dropped.
pub(super) async fn return_elsewhere(
    connection: &mut PgConnection,
    target: &Target,
    belongings: Belongings<'_>,
) -> Result<()> {
    let Belongings { ready, mark, roles } = belongings;
    let databases: Vec<String> = sqlx::query_scalar(
        "select distinct d.datname::text from pg_roles ours
         join pg_shdepend given on given.refclassid = 'pg_authid'::regclass and given.refobjid = ours.oid
         join pg_database d on d.oid = given.dbid
         where ours.rolname = any($1) and d.datname <> current_database() and d.datallowconn
           and d.datdba = (select oid from pg_roles where rolname = current_user)
           and exists (select from tenantry.placement p where p.placement = d.datname)",
    )
    .bind(roles)
    .fetch_all(&mut *connection)
    .await
    .map_err(doing("look for rights that were given in other databases"))?;
    for database in databases {
        let mut there = target.connect_to(&database).await?;
        let backend = settlement::backend(&mut there).await?;
        let clearing = belongings.clear_elsewhere(connection, &mut there);
        yielding::while_others_yield(target, ready, backend, clearing).await?;
        // The fence belongs to the tenant itself, whose marker is on the target.
        let mut tx = connection.begin().await.map_err(doing("begin to give rights back"))?;
        marker::hold(&mut tx, mark).await?;
        let returning = return_here(&mut there, ready, roles);
        let returned = yielding::while_others_yield(target, ready, backend, returning).await;
        there.close().await.ok();
        returned?;
        tx.commit().await.map_err(doing("commit the hold on the marker"))?;
    }
    Ok(())
}

async fn return_here(connection: &mut PgConnection, ready: &Ready, roles: &[String]) -> Result<()> {
    let mut tx = connection.begin().await.map_err(doing("begin to give rights back"))?;
    let givers = givers(&mut tx, roles).await?;
    for role in roles.iter().chain(&givers) {
        execute(&mut tx, ready.join(role), "join a role").await?;
    }
    let list = roles.iter().map(|role| identifier(role)).collect::<Vec<_>>().join(", ");
    execute(&mut tx, format!("drop owned by {list} cascade"), "give rights back").await?;
    for role in roles.iter().chain(&givers) {
        execute(&mut tx, ready.leave(role), "leave a role").await?;
    }
    tx.commit().await.map_err(doing("commit the return of rights"))
}

/// The roles of tenants that granted `roles` rights in this database.
pub(super) async fn givers(connection: &mut PgConnection, roles: &[String]) -> Result<Vec<String>> {
    sqlx::query_scalar(
        "select giver.rolname::text
         from (select distinct owned.refobjid as oid
               from pg_roles ours
               join pg_shdepend given on given.refclassid = 'pg_authid'::regclass and given.refobjid = ours.oid
               join pg_shdepend owned on owned.dbid = given.dbid and owned.classid = given.classid
                    and owned.objid = given.objid and owned.deptype = 'o'
               join pg_database here on here.oid = given.dbid and here.datname = current_database()
               where ours.rolname = any($1)) owner
         join pg_roles giver using (oid)
         where giver.rolname <> all($1)
           and exists (select from tenantry.placement p where p.placement = left(giver.rolname, 15))",
    )
    .bind(roles)
    .fetch_all(connection)
    .await
    .map_err(doing("look for rights that other tenants gave"))
}
