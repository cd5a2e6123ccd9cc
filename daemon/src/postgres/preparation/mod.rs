//! Makes a target ready for tenants and reads its state back: the daemon's bookkeeping, the group of all tenants, the canary,
//! and the privileges and limits that an administrator set.
//!
//! Invariant: the provisioner is never a superuser. A target whose role is one is refused.

pub mod check;
pub mod commitment;
pub mod exposure;
pub mod extensions;
pub mod groundwork;
mod trust;

use std::sync::Arc;

use sqlx::{Connection as _, PgConnection};
use tenantry_protocol::name::PlacementName;

use super::error::{Error, Result, doing};
use super::quote::{Value, render};
use super::target::location::Site;
use super::target::{ACQUIRE_TIMEOUT, Ready, Target};
use super::tenancy::shared::pools;
use super::{canary, schema};

/// The oldest server version that Tenantry works with.
pub const MINIMUM_VERSION_NUM: i32 = 150_000;

/// The prepared target: reached, found suitable, and with the bookkeeping, the group and the canary. It is prepared once and
/// then kept. A caller waits for another caller's attempt no longer than for its own.
pub async fn ready(target: &Target) -> Result<Arc<Ready>> {
    target.readiness().get_or_find(ACQUIRE_TIMEOUT, "prepare the target", Box::pin(prepare(target))).await
}

/// Brings the bookkeeping in a tenant's own database up to this build's: the database is as old as the tenant. The bookkeeping of
/// the target itself is part of [`ready`].
pub async fn bring_up(site: Site<'_>) -> Result<()> {
    if !site.is_own_database() {
        return Ok(());
    }
    let mut connection = site.target.connect_to(site.database()).await?;
    let result = schema::TARGET.migrate(&mut connection).await;
    connection.close().await.ok();
    result
}

/// Connects without changing anything, and describes the target, if it is suitable.
pub async fn look(target: &Target) -> Result<String> {
    let mut connection = target.acquire().await?;
    let (version, _, role, database) = identify(&mut connection).await?;
    Ok(format!("PostgreSQL {version}, database {database}, as {role}"))
}

async fn prepare(target: &Target) -> Result<Ready> {
    let mut connection = target.acquire().await?;
    let result = Box::pin(prepare_on(target, &mut connection)).await;
    if result.is_err() {
        // An error halfway leaves the connection in an unknown state.
        connection.close().await.ok();
    }
    result
}

async fn prepare_on(target: &Target, connection: &mut PgConnection) -> Result<Ready> {
    let (server_version, version_num, provisioner, database) = identify(connection).await?;
    schema::TARGET.migrate(connection).await?;
    pools::secure_earlier(connection, &provisioner).await?;
    let group = match find_group(connection).await? {
        Some(group) => group,
        None => make_group(connection, &database).await?,
    };
    let mut ready = Ready {
        server_version,
        version_num,
        provisioner,
        database,
        group,
        canary: PlacementName::from_random(rand::random()),
    };
    ready.canary = canary::ensure(target, &ready).await?;
    Ok(ready)
}

/// The version, role and database, if they are suitable.
async fn identify(connection: &mut PgConnection) -> Result<(String, i32, String, String)> {
    let (version, version_num, role, database, is_superuser, may_create_roles): (String, i32, String, String, bool, bool) =
        sqlx::query_as(
            "select current_setting('server_version'), current_setting('server_version_num')::int, current_user::text,
                    current_database()::text, rolsuper, rolcreaterole
             from pg_catalog.pg_roles where rolname = current_user",
        )
        .fetch_one(connection)
        .await
        .map_err(doing("identify the target"))?;
    let short = version.split_whitespace().next().unwrap_or(&version).to_owned();
    if version_num < MINIMUM_VERSION_NUM {
        return Err(Error::Refused(format!("the server is PostgreSQL {short}; Tenantry needs 15 or later")));
    }
    if is_superuser {
        return Err(Error::Refused(format!(
            "the role {role} is a superuser, and migrations are other people's code: give the target a role made with \
             CREATE ROLE … LOGIN CREATEROLE CREATEDB that owns the database"
        )));
    }
    if !may_create_roles {
        return Err(Error::Refused(format!(
            "the role {role} may not create roles: have an administrator run ALTER ROLE {role} CREATEROLE"
        )));
    }
    Ok((short, version_num, role, database))
}

async fn find_group(connection: &mut PgConnection) -> Result<Option<String>> {
    sqlx::query_scalar("select group_role from tenantry.target_identity")
        .fetch_optional(connection)
        .await
        .map_err(doing("look for the target's group"))
}

async fn make_group(connection: &mut PgConnection, database: &str) -> Result<String> {
    // The random part of a placement name is used, because groups belong to a cluster, which can contain several targets.
    let random = PlacementName::from_random(rand::random());
    let group = format!("tenantry_g_{}", random.as_str().trim_start_matches("t_"));
    let sql =
        render(GROUP, &[("group", Value::Identifier(&group)), ("database", Value::Identifier(database))]);
    let mut tx = connection.begin().await.map_err(doing("begin to make the target's group"))?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&mut *tx)
        .await
        .map_err(doing("make the target's group"))?;
    sqlx::query("insert into tenantry.target_identity (group_role) values ($1)")
        .bind(&group)
        .execute(&mut *tx)
        .await
        .map_err(doing("note the target's group"))?;
    tx.commit().await.map_err(doing("commit the target's group"))?;
    Ok(group)
}

/// A refused REVOKE only causes a warning. The check of a target reads the privileges back.
const GROUP: &str = "\
create role {group} nologin;
grant connect on database {database} to {group};
revoke connect, temporary on database {database} from public;
";
