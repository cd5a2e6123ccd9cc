//! Removes a tenant from its target: closes its logins, ends its sessions, drops its objects and roles, and looks for what is
//! left.
//!
//! Invariants: only what the marker proves to be the daemon's is touched. Every step may be repeated. No single transaction
//! takes more locks than a default server has room for. Dropping runs none of the tenant's code.

mod belongings;
pub mod blank;
mod dependents;
mod foreign_grants;
pub mod preview;
mod yielding;

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tenantry_protocol::name::PlacementName;
use tokio::time::Instant;

use self::belongings::Belongings;
use super::build::owner_login;
use super::connections::execute::execute;
use super::error::{Error, Result, doing};
use super::quote::{Value, identifier, render};
use super::target::Ready;
use super::target::location::Site;
use super::target::marker::{self, Mark, MarkerState};
use super::target::settlement::{self, Settled};
use super::target::{prepared_transactions, sessions};
use super::tenancy::database::databases;
use super::tenancy::shared::pools::{self, Door};
use super::tenancy::shared::{shared_names, tenant_rows};
use super::tenant_ddl;

/// Tables dropped in one transaction. Each takes about 10 locks, so that a batch stays far below the 6,400 of a default
/// server.
const TABLES_A_BATCH: i64 = 40;
/// How long the drop of the roles is repeated if others were faster.
const PATIENCE: Duration = Duration::from_secs(20);

/// The placement to be removed. The marker `mark` proves that it is the daemon's.
#[derive(Debug)]
pub struct Removal<'a> {
    site: Site<'a>,
    ready: &'a Ready,
    mark: Mark,
    placement: &'a PlacementName,
    /// The pool whose tables the placement shares.
    pool: Option<PlacementName>,
}

impl<'a> Removal<'a> {
    /// Settles the build first. This waits for an open build, and makes sure that no late one can follow.
    pub async fn begin(
        site: Site<'a>,
        ready: &'a Ready,
        mark: Mark,
        placement: &'a PlacementName,
    ) -> Result<(Self, Settled)> {
        let settled = settlement::settle(site.target, mark.build, placement).await?;
        let pool = pools::of_tenant(site.target, mark).await?;
        Ok((Self { site, ready, mark, placement, pool }, settled))
    }

    /// Closes the tenant's logins.
    pub async fn close_logins(&self) -> Result<()> {
        let mut connection = self.site.target.acquire().await?;
        let mut tx = connection.begin().await.map_err(doing("begin to close the logins"))?;
        // The marker comes first. Opening a login holds the marker too, so a login is closed after it
        // was opened, or is never opened.
        let state = marker::hold(&mut tx, self.mark).await?;
        if !state.is_going() {
            marker::set_state(&mut tx, self.mark.build, MarkerState::Suspended).await?;
        }
        let mut roles = existing(&mut tx, &tenant_ddl::login_roles(self.placement)).await?;
        // The owner's login is open only if a file that runs outside the transaction was interrupted.
        if can_log_in(&mut tx, self.placement).await? {
            roles.push(self.placement.to_string());
        }
        for role in roles {
            let sql = render("alter role {role} nologin", &[("role", Value::Identifier(&role))]);
            execute(&mut tx, sql, "close a login").await?;
        }
        pools::open_or_close(&mut tx, self.placement, Door::Closed).await?;
        tx.commit().await.map_err(doing("commit the closing of the logins"))
    }

    /// Ends the tenant's sessions and waits until they are gone. Returns their number. Also rolls back what they prepared.
    pub async fn end_sessions(&self) -> Result<u64> {
        let mut connection = self.site.target.acquire().await?;
        let mut roles = existing(&mut connection, &tenant_ddl::login_roles(self.placement)).await?;
        if owner_login::has_session(&mut connection, self.placement).await? {
            roles.push(self.placement.to_string());
        }
        let ended = sessions::end(&mut connection, self.ready, self.mark, &roles).await?;
        // Prepared transactions outlive their sessions. Those of shared roles can be the tenant's, and nobody
        // else is responsible for them.
        let mut roles = tenant_ddl::all_roles(self.placement);
        roles.extend(shared_names::roles(self.ready, self.pool.as_ref()));
        let left = prepared_transactions::of_roles(&mut connection, &roles).await?;
        if !left.is_empty() {
            prepared_transactions::roll_back(self.site.target, self.ready, &left).await?;
            tracing::info!(placement = %self.placement, number = left.len(), "rolled prepared transactions back");
            if !prepared_transactions::of_roles(&mut connection, &roles).await?.is_empty() {
                return Err(Error::Lingering("prepared transactions of the tenant do not end".to_owned()));
            }
        }
        drop(connection);
        if let Some(shared) = self.shared() {
            shared.wait_for_writers().await?;
        }
        Ok(ended)
    }

    /// Drops the tenant's database or its schema. In a pool, removes the tenant's rows.
    pub async fn drop_objects(&self) -> Result<()> {
        if self.site.is_own_database() {
            return databases::drop_database(self.site.target, self.ready, self.mark, self.placement).await;
        }
        let Some(shared) = self.shared() else { return self.drop_schema().await };
        let mut connection = self.site.target.acquire().await?;
        let owner = self.placement.to_string();
        let is_there = !existing(&mut connection, std::slice::from_ref(&owner)).await?.is_empty();
        drop(connection);
        if is_there { shared.remove().await.map(drop) } else { Ok(()) }
    }

    /// Drops the tables first, in batches.
    async fn drop_schema(&self) -> Result<()> {
        let mut connection = self.site.target.acquire().await?;
        dependents::spare(&mut connection, self.placement).await?;
        let backend = settlement::backend(&mut connection).await?;
        let dropping = self.drop_tables(&mut connection);
        yielding::while_others_yield(self.site.target, self.ready, backend, dropping).await
    }

    async fn drop_tables(&self, connection: &mut PgConnection) -> Result<()> {
        let owner = self.placement.to_string();
        while !existing(connection, std::slice::from_ref(&owner)).await?.is_empty() {
            let mut tx = connection.begin().await.map_err(doing("begin to drop the tenant's objects"))?;
            let state = marker::hold(&mut tx, self.mark).await?;
            if !state.is_going() {
                marker::set_state(&mut tx, self.mark.build, MarkerState::Removing).await?;
            }
            execute(&mut tx, self.ready.join(&owner), "join the owner").await?;
            let tables: Vec<(String, String)> = sqlx::query_as(
                "select n.nspname::text, c.relname::text
                 from pg_namespace n
                 join pg_depend d on d.refclassid = 'pg_namespace'::regclass and d.refobjid = n.oid
                                 and d.classid = 'pg_class'::regclass
                 join pg_class c on c.oid = d.objid and c.relnamespace = n.oid
                 where n.nspname = $1 and c.relkind in ('r', 'p', 'f') and not c.relispartition
                 order by c.oid limit $2",
            )
            .bind(&owner)
            .bind(TABLES_A_BATCH)
            .fetch_all(&mut *tx)
            .await
            .map_err(doing("list the tenant's tables"))?;
            let done = tables.is_empty();
            let sql = if done {
                format!("drop schema if exists {owner} cascade")
            } else {
                let names: Vec<String> = tables
                    .iter()
                    .map(|(schema, table)| format!("{}.{}", identifier(schema), identifier(table)))
                    .collect();
                format!("drop table if exists {} cascade", names.join(", "))
            };
            execute(&mut tx, sql, "drop the tenant's objects").await?;
            execute(&mut tx, self.ready.leave(&owner), "leave the owner").await?;
            tx.commit().await.map_err(doing("commit the drop of the tenant's objects"))?;
            if done {
                break;
            }
        }
        Ok(())
    }

    /// Drops the roles together with what depends on them (default privileges, large objects), and closes the bookkeeping.
    /// Other tenants can grant them something again and again, so a session that keeps the drop waiting is ended.
    pub async fn drop_roles(&self) -> Result<()> {
        let Self { site, ready, mark, .. } = *self;
        let target = site.target;
        // Something that was made in the name of a shared role could have been granted to these roles.
        Box::pin(shared_names::take_away(target, ready, self.pool.as_ref())).await?;
        let mut connection = target.acquire().await?;
        let roles = existing(&mut connection, &tenant_ddl::all_roles(self.placement)).await?;
        let belongings = Belongings { ready, mark, roles: &roles };
        Box::pin(foreign_grants::return_elsewhere(&mut connection, target, belongings)).await?;
        let backend = settlement::backend(&mut connection).await?;
        let clearing = Box::pin(belongings.clear(&mut connection));
        yielding::while_others_yield(target, ready, backend, clearing).await?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let dropping = Box::pin(self.drop_free_roles(&mut connection));
            match yielding::while_others_yield(target, ready, backend, dropping).await {
                // Another session was slightly faster.
                Err(error) if was_overtaken(&error) => {
                    let givers = foreign_grants::givers(&mut connection, &roles).await?;
                    if Instant::now() > deadline {
                        return Err(overtaken(error, &givers));
                    }
                    yielding::end_givers(target, ready, &tenants_of(&givers)).await?;
                }
                done => return done,
            }
        }
    }

    async fn drop_free_roles(&self, connection: &mut PgConnection) -> Result<()> {
        let mut tx = connection.begin().await.map_err(doing("begin to drop the tenant's roles"))?;
        marker::hold(&mut tx, self.mark).await?;
        let roles = existing(&mut tx, &tenant_ddl::all_roles(self.placement)).await?;
        let givers = foreign_grants::givers(&mut tx, &roles).await?;
        for role in roles.iter().chain(&givers) {
            execute(&mut tx, self.ready.join(role), "join a role").await?;
        }
        if !roles.is_empty() {
            let list = roles.iter().map(|role| identifier(role)).collect::<Vec<_>>().join(", ");
            // In one message: between the two statements, somebody could grant a role something, and the role could not be
            // dropped.
            let sql = format!("drop owned by {list} cascade; drop role {list}");
            execute(&mut tx, sql, "drop the tenant's roles, and what hangs on them").await?;
        }
        for role in &givers {
            execute(&mut tx, self.ready.leave(role), "leave a role").await?;
        }
        for history in [
            "delete from tenantry.migration_history where placement = $1",
            "delete from tenantry.outside_statement where placement = $1",
            "delete from tenantry.pool_member where placement = $1",
        ] {
            sqlx::query(history)
                .bind(self.placement.as_str())
                .execute(&mut *tx)
                .await
                .map_err(doing("remove the migrations' history"))?;
        }
        marker::set_state(&mut tx, self.mark.build, MarkerState::Removed).await?;
        tx.commit().await.map_err(doing("commit the drop of the tenant's roles"))
    }

    /// What the catalog still shows of the placement; empty once it is gone.
    pub async fn leftovers(&self) -> Result<Vec<String>> {
        let mut connection = self.site.target.acquire().await?;
        sqlx::query_scalar(
            "select 'role ' || rolname from pg_roles where rolname = any($1)
             union all select 'schema ' || nspname from pg_namespace where nspname = $2
             union all select 'database ' || datname from pg_database where datname = $2
             union all select 'member ' || role || ' of pool ' || pool from tenantry.pool_member where placement = $2
             union all select 'session ' || pid from pg_stat_activity where usename = any($1)
             union all select 'prepared transaction ' || gid from pg_prepared_xacts where owner = any($1) or database = $2",
        )
        .bind(tenant_ddl::all_roles(self.placement))
        .bind(self.placement.as_str())
        .fetch_all(&mut *connection)
        .await
        .map_err(doing("look for what is left"))
    }

    /// Whether the removal has begun. Some of the data may be gone then, so nothing may be opened or archived any more.
    pub async fn is_begun(&self) -> Result<bool> {
        let mut connection = self.site.target.acquire().await?;
        let mut tx = connection.begin().await.map_err(doing("begin to look at the marker"))?;
        let state = marker::hold(&mut tx, self.mark).await?;
        tx.commit().await.map_err(doing("commit the look at the marker"))?;
        Ok(state.is_going())
    }

    fn shared(&self) -> Option<tenant_rows::Tenant<'_>> {
        let pool = self.pool.as_ref()?;
        let Self { site, ready, mark, placement, .. } = self;
        Some(tenant_rows::Tenant { target: site.target, ready, mark: *mark, placement, pool })
    }
}

/// Somebody granted a role something, or was about to, between the look at what depends on it and its drop.
fn was_overtaken(error: &Error) -> bool {
    /// dependent_objects_still_exist, lock_not_available, deadlock_detected
    const OVERTAKEN: [&str; 3] = ["2BP01", "55P03", "40P01"];
    error.server().is_some_and(|server| server.is_any(&OVERTAKEN) || server.is_concurrent_update())
}

/// A readable error that names the tenants.
fn overtaken(error: Error, givers: &[String]) -> Error {
    let tenants = tenants_of(givers);
    if tenants.is_empty() {
        return error;
    }
    Error::Lingering(format!(
        "other tenants give this tenant's roles something again and again, so that the roles cannot be dropped: suspend the \
         tenants whose placements are {}, and try again",
        tenants.join(", ")
    ))
}

fn tenants_of(roles: &[String]) -> Vec<String> {
    let placements = roles.iter().map(|role| role.chars().take(15).collect());
    placements.collect::<BTreeSet<String>>().into_iter().collect()
}

async fn can_log_in(connection: &mut PgConnection, owner: &PlacementName) -> Result<bool> {
    sqlx::query_scalar("select exists (select from pg_roles where rolname = $1 and rolcanlogin)")
        .bind(owner.as_str())
        .fetch_one(connection)
        .await
        .map_err(doing("look at the owner's login"))
}

/// Those of `roles` that exist, in the same order.
async fn existing(connection: &mut PgConnection, roles: &[String]) -> Result<Vec<String>> {
    let found: Vec<String> = sqlx::query_scalar("select rolname::text from pg_roles where rolname = any($1)")
        .bind(roles)
        .fetch_all(connection)
        .await
        .map_err(doing("look for the tenant's roles"))?;
    Ok(roles.iter().filter(|role| found.contains(role)).cloned().collect())
}
