//! The fingerprints of new tenants, by version, tenancy and server: what tenants are compared with.
//!
//! Invariant: a stored fingerprint never changes, because neither the version nor the way of reading it does.

use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::id::TenantId;
use tenantry_protocol::name::{BlueprintName, BlueprintVersion, TargetName};
use time::OffsetDateTime;

use super::tenants::corrupt;
use crate::model::fingerprint::{FORMAT, Fingerprint, Object};
use crate::postgres::error::{Error, Result, doing};

/// What a fingerprint is of.
#[derive(Debug, Clone, Copy)]
pub struct FingerprintKey<'a> {
    pub blueprint: &'a BlueprintName,
    pub version: BlueprintVersion,
    pub tenancy: Tenancy,
    /// `15` for `15.20`.
    pub server_major: u32,
}

/// A stored fingerprint without its objects.
#[derive(Debug, Clone)]
pub struct StoredFingerprint {
    pub digest: String,
    /// Where it was made.
    pub target: TargetName,
    pub made_at: OffsetDateTime,
}

const KEY: &str =
    "blueprint = $1 and major = $2 and minor = $3 and tenancy = $4 and server_major = $5 and format = $6";

pub async fn find(pool: &PgPool, key: FingerprintKey<'_>) -> Result<Option<StoredFingerprint>> {
    let sql = format!("select digest, target, made_at from control.fingerprint where {KEY}");
    let row: Option<(String, String, OffsetDateTime)> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(key.blueprint.as_str())
        .bind(i32::from(key.version.major()))
        .bind(i32::from(key.version.minor()))
        .bind(key.tenancy.name())
        .bind(i32::try_from(key.server_major).unwrap_or(i32::MAX))
        .bind(FORMAT)
        .fetch_optional(pool)
        .await
        .map_err(doing("look for the version's fingerprint"))?;
    row.map(|(digest, target, made_at)| {
        let target = TargetName::parse(&target).map_err(corrupt)?;
        Ok(StoredFingerprint { digest, target, made_at })
    })
    .transpose()
}

/// The objects of a stored fingerprint, which must exist.
pub async fn read(pool: &PgPool, key: FingerprintKey<'_>) -> Result<Fingerprint> {
    let sql = format!("select objects, digest from control.fingerprint where {KEY}");
    let (Json(objects), digest): (Json<Vec<Object>>, String) = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(key.blueprint.as_str())
        .bind(i32::from(key.version.major()))
        .bind(i32::from(key.version.minor()))
        .bind(key.tenancy.name())
        .bind(i32::try_from(key.server_major).unwrap_or(i32::MAX))
        .bind(FORMAT)
        .fetch_one(pool)
        .await
        .map_err(doing("read the version's fingerprint"))?;
    let fingerprint = Fingerprint::new(objects);
    if fingerprint.digest() == digest {
        Ok(fingerprint)
    } else {
        Err(Error::Corrupt { what: "a version's fingerprint", why: "its digest is another".to_owned() })
    }
}

/// Stores a fingerprint, unless somebody else has stored one meanwhile.
pub async fn insert(
    tx: &mut PgConnection,
    key: FingerprintKey<'_>,
    target: &TargetName,
    fingerprint: &Fingerprint,
) -> Result<()> {
    let objects: Vec<&Object> = fingerprint.objects().collect();
    sqlx::query(
        "insert into control.fingerprint (blueprint, major, minor, tenancy, server_major, format, digest, objects, target)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict on constraint fingerprint_pk do nothing",
    )
    .bind(key.blueprint.as_str())
    .bind(i32::from(key.version.major()))
    .bind(i32::from(key.version.minor()))
    .bind(key.tenancy.name())
    .bind(i32::try_from(key.server_major).unwrap_or(i32::MAX))
    .bind(FORMAT)
    .bind(fingerprint.digest())
    .bind(Json(objects))
    .bind(target.as_str())
    .execute(tx)
    .await
    .map(|_| ())
    .map_err(doing("store the version's fingerprint"))
}

/// Notes whether a tenant was found drifted, and returns whether that is news.
pub async fn note(tx: &mut PgConnection, tenant: TenantId, is_drifted: bool) -> Result<bool> {
    let changed = sqlx::query(
        "update control.tenant set drifted_since = case when $2 then now() end
         where id = $1 and (drifted_since is not null) <> $2",
    )
    .bind(tenant.as_uuid())
    .bind(is_drifted)
    .execute(tx)
    .await
    .map_err(doing("note whether the tenant has drifted"))?;
    Ok(changed.rows_affected() > 0)
}
