//! Transactions that keep a tenant's roles from being dropped: whoever gives a role something holds it until its transaction
//! ends, and any tenant can give any role something.
//!
//! Invariants: only sessions of tenants' own logins are ended, and only such as hold one of these very roles. It happens while
//! the removal waits for the roles, and holds the marker: who asks for one of them after that waits behind it.

use sqlx::{Connection as _, PgConnection};

use crate::postgres::error::{Result, doing};
use crate::postgres::execute::execute;
use crate::postgres::quote::{Value, render};
use crate::postgres::target::Ready;

/// Ends the sessions of other tenants that hold one of the roles; gives their logins.
pub(super) async fn end(
    connection: &mut PgConnection,
    ready: &Ready,
    roles: &[String],
) -> Result<Vec<String>> {
    let mut tx = connection.begin().await.map_err(doing("begin to free the tenant's roles"))?;
    let holders: Vec<(i32, String, bool)> = sqlx::query_as(
        "select distinct a.pid, a.usename::text,
                a.usename ~ '^t_[a-z2-7]{13}_[ab]$'
                and exists (select from tenantry.placement p where p.placement = left(a.usename, 15))
         from pg_locks l join pg_stat_activity a on a.pid = l.pid
         where l.locktype = 'object' and l.classid = 'pg_authid'::regclass and l.granted and a.usename <> current_user
           and l.objid in (select oid from pg_roles where rolname = any($1))",
    )
    .bind(roles)
    .fetch_all(&mut *tx)
    .await
    .map_err(doing("look for who holds the tenant's roles"))?;
    let mut ended = Vec::new();
    for (pid, holder, is_tenant) in holders {
        if !is_tenant {
            tracing::warn!(
                pid,
                role = holder,
                "a transaction keeps a tenant's roles from being dropped: end it"
            );
            continue;
        }
        let values =
            [("role", Value::Identifier(&holder)), ("provisioner", Value::Identifier(&ready.provisioner))];
        // Without the membership the server refuses to end another role's session.
        execute(&mut tx, render("grant {role} to {provisioner}", &values), "join a login role").await?;
        sqlx::query("select pg_terminate_backend($1)")
            .bind(pid)
            .execute(&mut *tx)
            .await
            .map_err(doing("end a session that holds the tenant's roles"))?;
        execute(&mut tx, render("revoke {role} from {provisioner}", &values), "leave a login role").await?;
        ended.push(holder);
    }
    tx.commit().await.map_err(doing("commit the end of who held the tenant's roles"))?;
    Ok(ended)
}
