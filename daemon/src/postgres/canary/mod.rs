//! The canary: a tenant on every target that belongs to no customer, so that even the first customer's probes have a victim.

pub mod database;

use sqlx::Row as _;
use tenantry_protocol::id::OperationId;
use tenantry_protocol::name::PlacementName;
use uuid::Uuid;

use crate::model::blueprint::statements;

use super::build::file_error::FileError;
use super::build::runner::{Build, File};
use super::dependencies::INSIDE;
use super::error::{Error, Result, doing};
use super::quote;
use super::removal::Removal;
use super::secret::Password;
use super::target::location::Site;
use super::target::marker::{self, Mark, MarkerState, Owner};
use super::target::settlement::Settled;
use super::target::{Ready, Target};
use super::tenant_ddl::{self, LoginLimits};

const FILE: &str = "canary.sql";
const SQL: &str = include_str!("../../../../migrations/canary.sql");
/// Raised whenever [`SQL`] changes, and then older canaries are replaced. The history stores it as the file's checksum.
const VERSION: &str = "built in, version 3";

/// The canary is made once for a target, by the daemon that comes first, so no epoch fences it.
const UNFENCED: i64 = 0;

/// The canary's placement, made if it is missing or outdated.
pub async fn ensure(target: &Target, ready: &Ready) -> Result<PlacementName> {
    let found: Option<(String, Uuid, String)> = {
        let mut connection = target.acquire().await?;
        sqlx::query_as(
            "select placement, operation_id, state from tenantry.placement where kind = 'canary' and state <> 'removed'",
        )
        .fetch_optional(&mut *connection)
        .await
        .map_err(doing("look for the canary"))?
    };
    let Some((name, build, state)) = found else { return make(target, ready).await };
    let name = PlacementName::parse(&name)
        .map_err(|error| Error::Corrupt { what: "the canary's name", why: error.to_string() })?;
    if MarkerState::parse(&state)? == MarkerState::Active && is_current(target.site(), &name).await? {
        return Ok(name);
    }
    remove(target, ready, OperationId::from_uuid(build), &name).await?;
    make(target, ready).await
}

/// Whether the canary was made from the current SQL.
pub(super) async fn is_current(site: Site<'_>, placement: &PlacementName) -> Result<bool> {
    let mut connection = site.acquire().await?;
    sqlx::query_scalar(
        "select exists (select from tenantry.migration_history where placement = $1 and file = $2 and checksum = $3)",
    )
    .bind(placement.as_str())
    .bind(FILE)
    .bind(VERSION)
    .fetch_one(&mut *connection)
    .await
    .map_err(doing("look what the canary was made from"))
}

async fn remove(target: &Target, ready: &Ready, build: OperationId, name: &PlacementName) -> Result<()> {
    let mark = Mark { build, fence: UNFENCED };
    let (removal, settled) = Removal::begin(target.site(), ready, mark, name).await?;
    if settled == Settled::Committed {
        removal.close_logins().await?;
        removal.end_sessions().await?;
        removal.drop_objects().await?;
        removal.drop_roles().await?;
    }
    Ok(())
}

/// Everything about the canary that an attack of the core could change, as one text: rows, columns, owners and privileges.
pub async fn fingerprint(site: Site<'_>, canary: &PlacementName) -> Result<String> {
    picture(site, canary, &core_fingerprint()).await
}

/// The same, and what the other attacks could change: roles with their settings and members, and large objects.
pub async fn whole_fingerprint(site: Site<'_>, canary: &PlacementName) -> Result<String> {
    Ok(picture(site, canary, &core_fingerprint()).await? + &picture(site, canary, ROLES_FINGERPRINT).await?)
}

async fn picture(site: Site<'_>, canary: &PlacementName, sql: &str) -> Result<String> {
    let sql = quote::render(sql, &[("canary", quote::Value::Placement(canary))]);
    let mut connection = site.read().await?;
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(canary.as_str())
        .fetch_one(&mut *connection)
        .await
        .and_then(|row| row.try_get(0))
        .map_err(doing("take the canary's fingerprint"))
}

fn core_fingerprint() -> String {
    format!("with home (oid) as (select oid from pg_namespace where nspname = $1), {INSIDE}, {FINGERPRINT}")
}

/// Needs [`INSIDE`].
const FINGERPRINT: &str = "
    relations as materialized (
        select c.* from inside i join pg_class c on c.oid = i.objid where i.classid = 'pg_class'::regclass)
    select concat_ws('|',
        (select string_agg(id || ':' || note, ',' order by id) from {canary}.record),
        (select count(*) from {canary}.event), (select last_value from {canary}.ticket),
        (select string_agg(concat_ws(':', classid, objid), ',' order by classid, objid) from inside),
        (select string_agg(concat_ws(':', oid, relname, relkind, relowner, relfilenode, relacl), ',' order by oid)
         from relations),
        (select string_agg(concat_ws(':', a.attrelid, a.attname, a.atttypid), ',' order by a.attrelid, a.attnum)
         from relations r join pg_attribute a on a.attrelid = r.oid),
        (select count(*) from relations r join pg_trigger t on t.tgrelid = r.oid),
        n.nspowner, n.nspacl)
    from pg_namespace n where n.nspname = $1";

/// A separate query, because it takes longer to plan than the core has time for.
const ROLES_FINGERPRINT: &str = "
    select concat_ws('|',
        (select string_agg(concat_ws(':', r.rolname, r.rolcanlogin, r.rolsuper, r.rolconnlimit, s.setconfig), ',' order by r.rolname)
         from pg_roles r left join pg_db_role_setting s on s.setrole = r.oid
         where r.rolname = any(array['{canary}', '{canary}_app', '{canary}_a', '{canary}_b'])),
        (select string_agg(concat_ws(':', roleid, member), ',' order by roleid, member) from pg_auth_members
         where roleid = to_regrole('{canary}') or roleid = to_regrole('{canary}_app')),
        (select string_agg(concat_ws(':', oid, lomacl), ',' order by oid) from pg_largeobject_metadata
         where lomowner = to_regrole('{canary}')))
    from pg_roles where rolname = $1";

async fn make(target: &Target, ready: &Ready) -> Result<PlacementName> {
    let mark = Mark { build: OperationId::generate(), fence: UNFENCED };
    build(target.site(), ready, mark, &ready.canary).await?;
    activate(target, mark, &ready.canary).await?;
    Ok(ready.canary.clone())
}

/// Makes the canary's roles and rows in the way a tenant's are made.
pub(super) async fn build(
    site: Site<'_>,
    ready: &Ready,
    mark: Mark,
    placement: &PlacementName,
) -> Result<()> {
    let mut build = Build::begin(site, ready, mark, placement, Owner::Canary).await?;
    let nobody = LoginLimits { connections: 0, temp_files_mb: None };
    build.create_roles(nobody, &Password::generate().brief_verifier()).await?;
    build.create_schema().await?;
    let statements =
        statements(SQL).map_err(|error| Error::Corrupt { what: FILE, why: error.to_string() })?;
    let statements: Vec<String> = statements.into_iter().map(|statement| statement.text).collect();
    let file = File { path: FILE, checksum: VERSION, statements: &statements };
    build.apply(file).await.map_err(|error| match error {
        FileError::Database(error) => error,
        other => Error::Refused(format!("the canary cannot be made: {other}")),
    })?;
    build.open_canary().await?;
    build.commit(site).await
}

/// Marks the canary as complete and closes its login.
pub(super) async fn activate(target: &Target, mark: Mark, placement: &PlacementName) -> Result<()> {
    let mut connection = target.acquire().await?;
    let close = quote::render(tenant_ddl::CLOSE_PROBE, &[("placement", quote::Value::Placement(placement))]);
    sqlx::raw_sql(sqlx::AssertSqlSafe(close))
        .execute(&mut *connection)
        .await
        .map_err(doing("close the canary's login"))?;
    marker::set_state(&mut connection, mark.build, MarkerState::Active).await
}
