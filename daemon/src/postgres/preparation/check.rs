//! Reads the privileges and limits of a target back, because a refused REVOKE or GRANT only causes a warning when it happens.
//!
//! Each finding says what an administrator should run. Nothing is changed here.

use sqlx::{Connection as _, PgConnection, Row as _};
use tenantry_protocol::plan::Finding;

use super::exposure::MOST;
use super::{commitment, exposure, trust};
use crate::postgres::error::{Result, doing};
use crate::postgres::quote::identifier;
use crate::postgres::target::{Ready, Target, prepared_transactions};
use crate::postgres::tenancy::database::template;

/// What a target has room for, and whether this room can be kept for all tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerRoom {
    /// Connections in use, without those of this daemon's pool.
    pub connections_used: i64,
    pub connections_max: i64,
    /// The part of `connections_max` that a tenant's session cannot get.
    pub connections_reserved: i64,
    /// `max_locks_per_transaction × (max_connections + max_prepared_transactions)`
    pub locks_max: i64,
    pub temp_files: TempFiles,
}

/// Whether the temporary files of tenants can be limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TempFiles {
    Bounded,
    /// Only an administrator can set `temp_file_limit`, and has not allowed the provisioner to do so.
    Unbounded,
}

/// Connections and locks, as the server counts them.
pub async fn room(connection: &mut PgConnection) -> Result<ServerRoom> {
    let row = sqlx::query(
        // The provisioner does not see the type of another role's session. It does see whether the
        // session has a user and a database.
        "select (select count(*) from pg_stat_activity
                 where usesysid is not null and datid is not null
                   and coalesce(backend_type, 'client backend') = 'client backend'
                   -- Our own connections are there to be used.
                   and not (usename = current_user and application_name = 'tenantryd')) as used,
                current_setting('max_connections')::bigint as max_connections,
                current_setting('superuser_reserved_connections')::bigint
                  + coalesce(current_setting('reserved_connections', true)::bigint, 0) as reserved,
                current_setting('max_locks_per_transaction')::bigint
                  * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint) as locks,
                has_parameter_privilege('temp_file_limit', 'set') as may_bound",
    )
    .fetch_one(connection)
    .await
    .map_err(doing("read the target's limits"))?;
    let read = |column| row.try_get::<i64, _>(column).map_err(doing("read the target's limits"));
    Ok(ServerRoom {
        connections_used: read("used")?,
        connections_max: read("max_connections")?,
        connections_reserved: read("reserved")?,
        locks_max: read("locks")?,
        temp_files: match row.try_get("may_bound").map_err(doing("read the target's limits"))? {
            true => TempFiles::Bounded,
            false => TempFiles::Unbounded,
        },
    })
}

/// The finding that an administrator has not allowed the provisioner to limit the tenants' temporary files.
pub fn unbounded_temp_files(ready: &Ready) -> Finding {
    let message = format!(
        "nothing bounds the temporary files of a tenant's statements, which can fill the disk; an administrator runs: \
         grant set on parameter temp_file_limit to {}",
        identifier(&ready.provisioner)
    );
    Finding::warning("unbounded_temp_files", message)
}

/// Everything that can be read back about a target.
pub async fn findings(target: &Target, ready: &Ready) -> Result<Vec<Finding>> {
    let mut connection = target.acquire().await?;
    let mut findings = vec![
        Finding::ok("server_version", format!("PostgreSQL {}", ready.server_version)),
        Finding::ok("provisioner", format!("{} creates roles and is no superuser", ready.provisioner)),
    ];
    let room = room(&mut connection).await?;
    findings.push(Finding::ok(
        "room",
        format!(
            "connections {} of {} · {} locks in all",
            room.connections_used, room.connections_max, room.locks_max
        ),
    ));
    findings.extend(commitment::look(&mut connection).await?.findings(ready));
    findings.extend(temp_files(&mut connection, ready, room.temp_files).await?);
    findings.push(prepared_transactions::look(&mut connection).await?);
    findings.extend(exposure::look(&mut connection, ready).await?);
    if let Some(template) = template::standing(&mut connection, ready).await? {
        let mut connection = target.connect_to(&template).await?;
        let found = exposure::look_into_template(&mut connection, &template).await;
        connection.close().await.ok();
        findings.extend(found?);
    }
    findings.extend(group_rights(&mut connection, ready).await?);
    findings.extend(trust::look(&mut connection, ready).await?);
    findings.extend(strangers(&mut connection).await?);
    Ok(findings)
}

/// Whether temporary files can be limited, and whether those of the existing tenants are limited.
async fn temp_files(
    connection: &mut PgConnection,
    ready: &Ready,
    temp_files: TempFiles,
) -> Result<Vec<Finding>> {
    if temp_files == TempFiles::Unbounded {
        return Ok(vec![unbounded_temp_files(ready)]);
    }
    // Tenants that were made before the setting existed, or before the administrator allowed it.
    let without: Vec<String> = sqlx::query_scalar(
        "select p.placement from tenantry.placement p
         where p.kind = 'tenant' and p.state in ('active', 'suspended') and exists (
             select from pg_roles r where r.rolname in (p.placement || '_a', p.placement || '_b')
             and not exists (select from pg_db_role_setting s, unnest(s.setconfig) setting
                             where s.setrole = r.oid and s.setdatabase = 0 and setting like 'temp\\_file\\_limit=%'))
         order by 1",
    )
    .fetch_all(connection)
    .await
    .map_err(doing("read the limits of temporary files"))?;
    if without.is_empty() {
        return Ok(vec![Finding::ok(
            "temp_files",
            "the temporary files of tenants' logins are bounded".to_owned(),
        )]);
    }
    let shown = without.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
    let message = format!(
        "nothing bounds the temporary files of {} tenants, whose placements are {shown}{}: for each of them run \
         `tenantry tenant update NAME --set temp_file_limit_mb=1024`",
        without.len(),
        if without.len() > 5 { " and others" } else { "" }
    );
    Ok(vec![Finding::warning("temp_files", message)])
}

/// The tenants' group exists for CONNECT and nothing else, because all tenants have its rights.
async fn group_rights(connection: &mut PgConnection, ready: &Ready) -> Result<Vec<Finding>> {
    // Through their group, a tenant can grant all others rights on any number of its large objects. That is
    // a finding about that tenant.
    let more: Vec<String> = sqlx::query_scalar(
        "select pg_describe_object(classid, objid, objsubid) from (
             select * from pg_shdepend
             where refclassid = 'pg_authid'::regclass and refobjid = to_regrole(quote_ident($1)) and deptype = 'a'
               and dbid in (0, (select oid from pg_database where datname = current_database()))
               and not (classid = 'pg_database'::regclass and objid = (select oid from pg_database where datname = current_database()))
             order by classid = 'pg_largeobject'::regclass limit $2) rights",
    )
    .bind(&ready.group)
    .bind(MOST as i64)
    .fetch_all(connection)
    .await
    .map_err(doing("read the group's rights"))?;
    let finding = |object: &String| {
        let group = identifier(&ready.group);
        Finding::warning(
            "group_rights",
            format!("all tenants have rights on {object}, by their group {group}: revoke them"),
        )
    };
    Ok(more.iter().map(finding).collect())
}

/// Schemas that look like a tenant's, but belong to no tenant in the bookkeeping.
async fn strangers(connection: &mut PgConnection) -> Result<Vec<Finding>> {
    let strange: Vec<String> = sqlx::query_scalar(
        "select nspname::text from pg_namespace n
         where nspname ~ '^t_[a-z2-7]{13}$' and not exists (
             select from tenantry.placement p
             where p.placement = n.nspname and p.kind <> 'tombstone' and p.state not in ('removed', 'void'))
         order by 1 limit $1",
    )
    .bind(MOST as i64)
    .fetch_all(connection)
    .await
    .map_err(doing("look for strangers"))?;
    let finding = |schema: &String| {
        Finding::warning(
            "stranger",
            format!("schema {schema} looks like a tenant's, and no tenant of this target has it"),
        )
    };
    Ok(strange.iter().map(finding).collect())
}
