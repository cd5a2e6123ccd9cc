//! Blueprint versions and their files, as they were uploaded.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::QueryAs;
use sqlx::{FromRow, PgConnection, PgPool, Postgres};
use tenantry_protocol::name::{BlueprintName, BlueprintVersion};
use time::OffsetDateTime;

use crate::model::blueprint::{self, Blueprint, Checksum, SourceFile};

use super::tenants::{corrupt, read, version};
use crate::postgres::error::{Error, Result, doing};

/// A version in the registry, without its files.
#[derive(Debug, Clone)]
pub struct StoredVersion {
    pub name: BlueprintName,
    pub version: BlueprintVersion,
    pub checksum: String,
    /// What takes its files back: their checksums, by path.
    pub undo: String,
    pub added_at: OffsetDateTime,
}

pub async fn insert(
    tx: &mut PgConnection,
    name: &BlueprintName,
    version: BlueprintVersion,
    checksum: &str,
    files: &[SourceFile],
    added_by: &str,
) -> Result<()> {
    let (major, minor) = (i32::from(version.major()), i32::from(version.minor()));
    sqlx::query("insert into control.blueprint_version (blueprint, major, minor, checksum, added_by) values ($1, $2, $3, $4, $5)")
        .bind(name.as_str())
        .bind(major)
        .bind(minor)
        .bind(checksum)
        .bind(added_by)
        .execute(&mut *tx)
        .await
        .map_err(doing("store the blueprint's version"))?;
    sqlx::query(
        "insert into control.blueprint_file (blueprint, major, minor, path, content)
         select $1, $2, $3, path, content from unnest($4::text[], $5::text[]) as f(path, content)",
    )
    .bind(name.as_str())
    .bind(major)
    .bind(minor)
    .bind(files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>())
    .bind(files.iter().map(|file| file.content.as_str()).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(doing("store the blueprint's files"))
}

/// All versions, or those of one blueprint, ordered by name and then from new to old.
pub async fn versions(pool: &PgPool, name: Option<&str>) -> Result<Vec<StoredVersion>> {
    let rows = sqlx::query(
        "select v.blueprint, v.major, v.minor, v.checksum, v.added_at,
                coalesce((select string_agg(concat(u.checksum, ' ', u.path), ',' order by u.path)
                          from control.blueprint_undo_file u
                          where (u.blueprint, u.major, u.minor) = (v.blueprint, v.major, v.minor)), '') as undo
         from control.blueprint_version v
         where $1::text is null or v.blueprint = $1 order by v.blueprint, v.major desc, v.minor desc",
    )
    .bind(name)
    .fetch_all(pool)
    .await
    .map_err(doing("list the blueprints"))?;
    rows.iter().map(stored).collect()
}

/// The files of one version that its checksum covers, by path.
pub async fn files(
    pool: &PgPool,
    name: &BlueprintName,
    version: BlueprintVersion,
) -> Result<Vec<SourceFile>> {
    let sql = "select path, content from control.blueprint_file
               where blueprint = $1 and major = $2 and minor = $3 order by path";
    let rows: Vec<(String, String)> =
        of_version(sql, name, version).fetch_all(pool).await.map_err(doing("read the blueprint's files"))?;
    Ok(rows.into_iter().map(|(path, content)| SourceFile { path, content }).collect())
}

/// The files beside a version's migrations that take them back, by path. An error if one was changed in the database.
pub async fn undo_files(
    pool: &PgPool,
    name: &BlueprintName,
    version: BlueprintVersion,
) -> Result<Vec<SourceFile>> {
    let sql = "select path, content, checksum from control.blueprint_undo_file
               where blueprint = $1 and major = $2 and minor = $3 order by path";
    let rows: Vec<(String, String, String)> = of_version(sql, name, version)
        .fetch_all(pool)
        .await
        .map_err(doing("read what takes the blueprint's files back"))?;
    let checked = |(path, content, checksum): (String, String, String)| {
        if Checksum::of(content.as_bytes()).to_string() != checksum {
            let why = format!("{path} of {name} {version} does not match its checksum");
            return Err(Error::Corrupt { what: "a file that takes another back", why });
        }
        Ok(SourceFile { path, content })
    };
    rows.into_iter().map(checked).collect()
}

/// A query about one version, which it has as `$1`, `$2` and `$3`.
fn of_version<'q, Row>(
    sql: &'static str,
    name: &'q BlueprintName,
    version: BlueprintVersion,
) -> QueryAs<'q, Postgres, Row, PgArguments>
where
    Row: for<'r> FromRow<'r, PgRow>,
{
    sqlx::query_as(sql).bind(name.as_str()).bind(i32::from(version.major())).bind(i32::from(version.minor()))
}

/// All files of one version.
pub async fn all_files(
    pool: &PgPool,
    name: &BlueprintName,
    version: BlueprintVersion,
) -> Result<Vec<SourceFile>> {
    let mut files = files(pool, name, version).await?;
    files.extend(undo_files(pool, name, version).await?);
    Ok(files)
}

/// What takes the blueprint's versions back: their checksums, by version and path.
pub async fn undo_state(connection: &mut PgConnection, name: &BlueprintName) -> Result<String> {
    sqlx::query_scalar(
        "select coalesce(string_agg(concat_ws(' ', major, minor, checksum, path), ',' order by major, minor, path), '')
         from control.blueprint_undo_file where blueprint = $1",
    )
    .bind(name.as_str())
    .fetch_one(connection)
    .await
    .map_err(doing("look at what takes the blueprint back"))
}

/// Until the transaction ends, nobody else changes what takes the blueprint back, or begins to go back.
pub async fn hold_undo(tx: &mut PgConnection, name: &BlueprintName) -> Result<()> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1, 0))")
        .bind(format!("undo files of {name}"))
        .execute(tx)
        .await
        .map(|_| ())
        .map_err(doing("hold what takes the blueprint back"))
}

/// Whether an upgrade of the blueprint is open.
pub async fn is_in_upgrade(tx: &mut PgConnection, name: &BlueprintName) -> Result<bool> {
    sqlx::query_scalar(
        "select exists (select from control.upgrade
                        where blueprint = $1 and state in ('rehearsing', 'running', 'paused'))",
    )
    .bind(name.as_str())
    .fetch_one(tx)
    .await
    .map_err(doing("look for an open upgrade of the blueprint"))
}

/// Has these files take back those of the version, and no others.
pub async fn set_undo_files(
    tx: &mut PgConnection,
    name: &BlueprintName,
    version: BlueprintVersion,
    files: &[SourceFile],
    added_by: &str,
) -> Result<()> {
    let (major, minor) = (i32::from(version.major()), i32::from(version.minor()));
    sqlx::query("delete from control.blueprint_undo_file where blueprint = $1 and major = $2 and minor = $3")
        .bind(name.as_str())
        .bind(major)
        .bind(minor)
        .execute(&mut *tx)
        .await
        .map_err(doing("replace what takes the blueprint's files back"))?;
    let checksums = files.iter().map(|file| Checksum::of(file.content.as_bytes()).to_string());
    sqlx::query(
        "insert into control.blueprint_undo_file (blueprint, major, minor, path, content, checksum, added_by)
         select $1, $2, $3, f.path, f.content, f.checksum, $7
         from unnest($4::text[], $5::text[], $6::text[]) as f (path, content, checksum)",
    )
    .bind(name.as_str())
    .bind(major)
    .bind(minor)
    .bind(files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>())
    .bind(files.iter().map(|file| file.content.as_str()).collect::<Vec<_>>())
    .bind(checksums.collect::<Vec<_>>())
    .bind(added_by)
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(doing("store what takes the blueprint's files back"))
}

fn stored(row: &PgRow) -> Result<StoredVersion> {
    Ok(StoredVersion {
        name: BlueprintName::parse(&read::<String>(row, "blueprint")?).map_err(corrupt)?,
        version: version(row)?,
        checksum: read(row, "checksum")?,
        undo: read(row, "undo")?,
        added_at: read(row, "added_at")?,
    })
}

/// The versions of blueprints that were read and parsed in a term of this daemon: what takes their files back may have been replaced
/// in another daemon's. The newest ones stay: an upgrade of many tenants reads the same two for each of them.
#[derive(Debug, Default)]
pub(super) struct ReadVersions(Mutex<KeptVersions>);

#[derive(Debug, Default)]
struct KeptVersions {
    epoch: i64,
    /// How often something was forgotten. What was read before that is not kept.
    forgotten: u64,
    versions: Vec<Arc<Blueprint>>,
}

/// How many versions are kept.
const KEPT: usize = 16;

impl ReadVersions {
    pub(super) async fn get(
        &self,
        pool: &PgPool,
        epoch: i64,
        name: &BlueprintName,
        version: BlueprintVersion,
    ) -> Result<Arc<Blueprint>> {
        let is_it = |one: &&Arc<Blueprint>| one.name == *name && one.version == version;
        let forgotten = {
            let known = self.of(epoch);
            if let Some(known) = known.versions.iter().find(is_it) {
                return Ok(Arc::clone(known));
            }
            known.forgotten
        };
        let parsed = blueprint::parse_judged(&all_files(pool, name, version).await?);
        let corrupt = || Error::Corrupt { what: "the blueprint", why: format!("{name} {version}") };
        let parsed = Arc::new(parsed.ok_or_else(corrupt)?);
        let mut known = self.of(epoch);
        if known.forgotten == forgotten {
            if known.versions.len() == KEPT {
                known.versions.remove(0);
            }
            known.versions.push(Arc::clone(&parsed));
        }
        Ok(parsed)
    }

    pub(super) fn forget(&self, name: &BlueprintName, version: BlueprintVersion) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.forgotten += 1;
        known.versions.retain(|one| one.name != *name || one.version != version);
    }

    /// What was read in this term.
    fn of(&self, epoch: i64) -> MutexGuard<'_, KeptVersions> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.epoch != epoch {
            *known = KeptVersions { epoch, forgotten: known.forgotten, versions: Vec::new() };
        }
        known
    }
}
