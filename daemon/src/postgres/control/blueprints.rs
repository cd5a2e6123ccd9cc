//! Blueprint versions and their files, as they were uploaded.

use std::sync::{Arc, Mutex, PoisonError};

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool};
use tenantry_protocol::name::{BlueprintName, BlueprintVersion};
use time::OffsetDateTime;

use crate::model::blueprint::{self, Blueprint, SourceFile};

use super::tenants::{corrupt, read, version};
use crate::postgres::error::{Error, Result, doing};

/// A version in the registry, without its files.
#[derive(Debug, Clone)]
pub struct StoredVersion {
    pub name: BlueprintName,
    pub version: BlueprintVersion,
    pub checksum: String,
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
        "select blueprint, major, minor, checksum, added_at from control.blueprint_version
         where $1::text is null or blueprint = $1 order by blueprint, major desc, minor desc",
    )
    .bind(name)
    .fetch_all(pool)
    .await
    .map_err(doing("list the blueprints"))?;
    rows.iter().map(stored).collect()
}

/// The files of one version, by path.
pub async fn files(
    pool: &PgPool,
    name: &BlueprintName,
    version: BlueprintVersion,
) -> Result<Vec<SourceFile>> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "select path, content from control.blueprint_file
         where blueprint = $1 and major = $2 and minor = $3 order by path",
    )
    .bind(name.as_str())
    .bind(i32::from(version.major()))
    .bind(i32::from(version.minor()))
    .fetch_all(pool)
    .await
    .map_err(doing("read the blueprint's files"))?;
    Ok(rows.into_iter().map(|(path, content)| SourceFile { path, content }).collect())
}

fn stored(row: &PgRow) -> Result<StoredVersion> {
    Ok(StoredVersion {
        name: BlueprintName::parse(&read::<String>(row, "blueprint")?).map_err(corrupt)?,
        version: version(row)?,
        checksum: read(row, "checksum")?,
        added_at: read(row, "added_at")?,
    })
}

/// The versions of blueprints that were read and parsed. The newest ones stay: an upgrade of many tenants reads the same two for
/// each of them.
#[derive(Debug, Default)]
pub(super) struct ReadVersions(Mutex<Vec<Arc<Blueprint>>>);

/// How many versions are kept.
const KEPT: usize = 16;

impl ReadVersions {
    pub(super) async fn get(
        &self,
        pool: &PgPool,
        name: &BlueprintName,
        version: BlueprintVersion,
    ) -> Result<Arc<Blueprint>> {
        let is_it = |one: &&Arc<Blueprint>| one.name == *name && one.version == version;
        if let Some(known) = self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().find(is_it) {
            return Ok(Arc::clone(known));
        }
        let parsed = blueprint::parse_judged(&files(pool, name, version).await?);
        let corrupt = || Error::Corrupt { what: "the blueprint", why: format!("{name} {version}") };
        let parsed = Arc::new(parsed.ok_or_else(corrupt)?);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() == KEPT {
            known.remove(0);
        }
        known.push(Arc::clone(&parsed));
        Ok(parsed)
    }
}
