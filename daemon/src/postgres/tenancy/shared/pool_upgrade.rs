//! A pool that is brought to a later version of its blueprint in place, while its tenants use it.
//!
//! Invariants: everything is one transaction, which holds the pool's row: no tenant joins meanwhile, and one that comes later finds
//! the new version. Files run as the pool's owner, under row-level security, and only define things; those that change rows run as
//! each tenant. No table that was there is written anew: that would lock out all tenants for its length, and would run expressions
//! of the blueprint over their rows.

use sqlx::PgConnection;
use tenantry_protocol::id::OperationId;
use tenantry_protocol::name::PlacementName;
use uuid::Uuid;

use super::pool_identity::Identity;
use super::pool_rules::{self, RULES_VERSION, Stage};
use crate::postgres::build::runner::Build;
use crate::postgres::connections::execute::execute;
use crate::postgres::error::{Error, Result, doing};
use crate::postgres::pool_ddl;
use crate::postgres::quote::{Value, render};
use crate::postgres::target::Target;
use crate::postgres::target::marker::Mark;

/// A pool before its upgrade.
#[derive(Debug)]
pub struct PoolBefore {
    /// Whether it has the version already, by an attempt whose answer was lost or by another tenant's operation.
    pub is_current: bool,
    /// Its tables and indexes, each with the file that holds it.
    files: Vec<(i64, i64)>,
}

/// The marker of the pool's build, at this daemon's fence.
pub async fn mark(target: &Target, pool: &PlacementName, fence: i64) -> Result<Mark> {
    let mut connection = target.acquire().await?;
    let build: Option<Uuid> = sqlx::query_scalar(
        "select operation_id from tenantry.placement where placement = $1 and kind = 'pool'",
    )
    .bind(pool.as_str())
    .fetch_optional(&mut *connection)
    .await
    .map_err(doing("look for the pool's marker"))?;
    let corrupt = || Error::Corrupt { what: "the pool's marker", why: "there is none".to_owned() };
    Ok(Mark { build: OperationId::from_uuid(build.ok_or_else(corrupt)?), fence })
}

/// The placements of the tenants whose rows are in the pool.
pub async fn members(target: &Target, pool: &PlacementName) -> Result<Vec<PlacementName>> {
    let mut connection = target.acquire().await?;
    let names: Vec<String> = sqlx::query_scalar(
        "select distinct placement from tenantry.pool_member where pool = $1 and placement <> pool order by 1",
    )
    .bind(pool.as_str())
    .fetch_all(&mut *connection)
    .await
    .map_err(doing("look for the pool's tenants"))?;
    parse(&names)
}

fn parse(names: &[String]) -> Result<Vec<PlacementName>> {
    let corrupt = |error| Error::Corrupt { what: "the name of a pool's tenant", why: format!("{error}") };
    names.iter().map(|name| PlacementName::parse(name).map_err(corrupt)).collect()
}

impl Build {
    /// Holds the pool's row, and lets what the files create belong to all tenants. The placement of the build is the pool.
    pub async fn open_pool(&mut self, to: &Identity) -> Result<PoolBefore> {
        let is_current: bool = sqlx::query_scalar(
            "select version = $2 and checksum = $3 from tenantry.pool where placement = $1 for update",
        )
        .persistent(false)
        .bind(self.placement.as_str())
        .bind(&to.version)
        .bind(&to.checksum)
        .fetch_one(&mut *self.connection)
        .await
        .map_err(doing("hold the pool"))?;
        let files = files(&mut self.connection, &self.placement).await?;
        self.join_owner().await?;
        self.open_to_files().await?;
        Ok(PoolBefore { is_current, files })
    }

    /// Lets what the next files create belong to all tenants.
    pub async fn open_to_files(&mut self) -> Result<()> {
        let open = render(pool_ddl::OPEN_POOL, &[("placement", Value::Placement(&self.placement))]);
        execute(&mut self.connection, open, "open the pool to its files").await
    }

    /// Covers the tables that are new, and checks the whole pool against its rules. Returns the rules that it breaks; if there are
    /// any, nothing may run as a tenant, and the transaction must not be committed.
    pub async fn cover_new(&mut self) -> Result<Vec<String>> {
        let sql = [pool_ddl::COVER_NEW, pool_ddl::CLOSE_POOL].concat();
        let sql = render(&sql, &[("placement", Value::Placement(&self.placement))]);
        execute(&mut self.connection, sql, "cover the pool's new tables").await?;
        pool_rules::broken(&mut self.connection, &self.placement, Stage::Finished).await
    }

    /// The tenants whose rows are in the pool, without the canary. Until the transaction ends none of them leaves, and none can join
    /// while the pool is held.
    pub async fn tenants(&mut self) -> Result<Vec<PlacementName>> {
        let names: Vec<String> = sqlx::query_scalar(
            "select placement from tenantry.pool_member where pool = $1 and role = placement and placement <> pool order by 1
             for key share",
        )
        .persistent(false)
        .bind(self.placement.as_str())
        .fetch_all(&mut *self.connection)
        .await
        .map_err(doing("hold the pool's tenants"))?;
        parse(&names)
    }

    /// Does what [`cover_new`](Self::cover_new) does, and notes the pool's version.
    pub async fn close_pool(&mut self, before: &PoolBefore, to: &Identity) -> Result<Vec<String>> {
        let broken = self.cover_new().await?;
        let rewritten = self.rewritten(before).await?;
        if !rewritten.is_empty() {
            return Err(Error::Refused(rewritten.join("; ")));
        }
        sqlx::query(
            "update tenantry.pool p set version = $2, checksum = $3, rules = $4,
                    is_open = not exists (select from tenantry.pool o where o.placement <> p.placement and o.is_open
                                          and o.blueprint = p.blueprint and o.version = $2 and o.checksum = $3)
             where placement = $1",
        )
        .persistent(false)
        .bind(self.placement.as_str())
        .bind(&to.version)
        .bind(&to.checksum)
        .bind(RULES_VERSION)
        .execute(&mut *self.connection)
        .await
        .map_err(doing("note the pool's version"))?;
        Ok(broken)
    }

    /// The tables that were there and have another file now, as sentences.
    async fn rewritten(&mut self, before: &PoolBefore) -> Result<Vec<String>> {
        let (ids, files): (Vec<i64>, Vec<i64>) = before.files.iter().copied().unzip();
        sqlx::query_scalar(
            "select format('%s %s would be written anew, which locks out all tenants for its length: add a column, and fill it '
                           'in batches', case c.relkind when 'i' then 'the index' else 'the table' end, c.relname)
             from unnest($1::bigint[], $2::bigint[]) as had (id, file) join pg_class c on c.oid = had.id::oid
             where pg_relation_filenode(c.oid)::bigint <> had.file and c.relkind in ('r', 'm') order by 1 limit 20",
        )
        .persistent(false)
        .bind(ids)
        .bind(files)
        .fetch_all(&mut *self.connection)
        .await
        .map_err(doing("look for tables that were written anew"))
    }
}

async fn files(connection: &mut PgConnection, pool: &PlacementName) -> Result<Vec<(i64, i64)>> {
    sqlx::query_as(
        "select oid::bigint, pg_relation_filenode(oid)::bigint from pg_class
         where relnamespace = to_regnamespace($1) and relkind in ('r', 'm') and pg_relation_filenode(oid) is not null",
    )
    .persistent(false)
    .bind(pool.as_str())
    .fetch_all(connection)
    .await
    .map_err(doing("look at the pool's tables"))
}
