//! Our own schemas: forward-only migrations, each applied once, all in one transaction on a connection of its own.
//!
//! A schema that is newer than this build, or whose history has a migration with another text, is refused rather than guessed
//! at. Schemas of 0.1.0 recorded no texts; theirs are recorded as this build has them.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, PgConnection};

use super::error::{Error, Result, doing};

/// A migration of ours: its number (from 1, without gaps), its file name and its text.
#[derive(Debug, Clone, Copy)]
pub struct OwnMigration {
    pub number: i32,
    pub name: &'static str,
    pub sql: &'static str,
}

/// One of our schemas with its history.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    version_table: &'static str,
    create_version_table: &'static str,
    read_history: &'static str,
    record_version: &'static str,
    record_checksums: &'static str,
    migrations: &'static [OwnMigration],
}

/// The control database.
pub const CONTROL: Schema = Schema {
    version_table: "control.schema_version",
    create_version_table: "create table control.schema_version (number integer not null constraint schema_version_pk \
                           primary key, name text not null, applied_at timestamptz not null default now())",
    read_history: "select v.number, v.name, to_jsonb(v) ->> 'sha256' from control.schema_version v",
    record_version: "insert into control.schema_version (number, name) values ($1, $2)",
    record_checksums: "update control.schema_version v set sha256 = m.sha256 from unnest($1::integer[], $2::text[]) m (number, sha256) \
                       where v.number = m.number and v.sha256 is null",
    migrations: &[
        OwnMigration {
            number: 1,
            name: "0001_registry.sql",
            sql: include_str!("../../../migrations/control_plane/0001_registry.sql"),
        },
        OwnMigration {
            number: 2,
            name: "0002_audit.sql",
            sql: include_str!("../../../migrations/control_plane/0002_audit.sql"),
        },
        OwnMigration {
            number: 3,
            name: "0003_lifecycle.sql",
            sql: include_str!("../../../migrations/control_plane/0003_lifecycle.sql"),
        },
        OwnMigration {
            number: 4,
            name: "0004_archives.sql",
            sql: include_str!("../../../migrations/control_plane/0004_archives.sql"),
        },
        OwnMigration {
            number: 5,
            name: "0005_tenancies.sql",
            sql: include_str!("../../../migrations/control_plane/0005_tenancies.sql"),
        },
        OwnMigration {
            number: 6,
            name: "0006_isolation.sql",
            sql: include_str!("../../../migrations/control_plane/0006_isolation.sql"),
        },
        OwnMigration {
            number: 7,
            name: "0007_signed_audit.sql",
            sql: include_str!("../../../migrations/control_plane/0007_signed_audit.sql"),
        },
        OwnMigration {
            number: 8,
            name: "0008_audit_reading.sql",
            sql: include_str!("../../../migrations/control_plane/0008_audit_reading.sql"),
        },
        OwnMigration {
            number: 9,
            name: "0009_audit_retention.sql",
            sql: include_str!("../../../migrations/control_plane/0009_audit_retention.sql"),
        },
        OwnMigration {
            number: 10,
            name: "0010_schema_checksums.sql",
            sql: include_str!("../../../migrations/control_plane/0010_schema_checksums.sql"),
        },
        OwnMigration {
            number: 11,
            name: "0011_upgrades.sql",
            sql: include_str!("../../../migrations/control_plane/0011_upgrades.sql"),
        },
        OwnMigration {
            number: 12,
            name: "0012_fingerprints.sql",
            sql: include_str!("../../../migrations/control_plane/0012_fingerprints.sql"),
        },
        OwnMigration {
            number: 13,
            name: "0013_rehearsals.sql",
            sql: include_str!("../../../migrations/control_plane/0013_rehearsals.sql"),
        },
        OwnMigration {
            number: 14,
            name: "0014_downgrades.sql",
            sql: include_str!("../../../migrations/control_plane/0014_downgrades.sql"),
        },
        OwnMigration {
            number: 15,
            name: "0015_tenant_order.sql",
            sql: include_str!("../../../migrations/control_plane/0015_tenant_order.sql"),
        },
    ],
};

/// The bookkeeping on a target.
pub const TARGET: Schema = Schema {
    version_table: "tenantry.schema_version",
    create_version_table: "create table tenantry.schema_version (number integer not null constraint schema_version_pk \
                           primary key, name text not null, applied_at timestamptz not null default now())",
    read_history: "select v.number, v.name, to_jsonb(v) ->> 'sha256' from tenantry.schema_version v",
    record_version: "insert into tenantry.schema_version (number, name) values ($1, $2)",
    record_checksums: "update tenantry.schema_version v set sha256 = m.sha256 from unnest($1::integer[], $2::text[]) m (number, sha256) \
                       where v.number = m.number and v.sha256 is null",
    migrations: &[
        OwnMigration {
            number: 1,
            name: "0001_bookkeeping.sql",
            sql: include_str!("../../../migrations/target/0001_bookkeeping.sql"),
        },
        OwnMigration {
            number: 2,
            name: "0002_lifecycle.sql",
            sql: include_str!("../../../migrations/target/0002_lifecycle.sql"),
        },
        OwnMigration {
            number: 3,
            name: "0003_close_file.sql",
            sql: include_str!("../../../migrations/target/0003_close_file.sql"),
        },
        OwnMigration {
            number: 4,
            name: "0004_outside.sql",
            sql: include_str!("../../../migrations/target/0004_outside.sql"),
        },
        OwnMigration {
            number: 5,
            name: "0005_databases.sql",
            sql: include_str!("../../../migrations/target/0005_databases.sql"),
        },
        OwnMigration {
            number: 6,
            name: "0006_pools.sql",
            sql: include_str!("../../../migrations/target/0006_pools.sql"),
        },
        OwnMigration {
            number: 7,
            name: "0007_pool_rules.sql",
            sql: include_str!("../../../migrations/target/0007_pool_rules.sql"),
        },
        OwnMigration {
            number: 8,
            name: "0008_triggered_tables.sql",
            sql: include_str!("../../../migrations/target/0008_triggered_tables.sql"),
        },
        OwnMigration {
            number: 9,
            name: "0009_schema_checksums.sql",
            sql: include_str!("../../../migrations/target/0009_schema_checksums.sql"),
        },
        OwnMigration {
            number: 10,
            name: "0010_history.sql",
            sql: include_str!("../../../migrations/target/0010_history.sql"),
        },
        OwnMigration {
            number: 11,
            name: "0011_pool_upgrades.sql",
            sql: include_str!("../../../migrations/target/0011_pool_upgrades.sql"),
        },
        OwnMigration {
            number: 12,
            name: "0012_rehearsals.sql",
            sql: include_str!("../../../migrations/target/0012_rehearsals.sql"),
        },
        OwnMigration {
            number: 13,
            name: "0013_upgrade_calls.sql",
            sql: include_str!("../../../migrations/target/0013_upgrade_calls.sql"),
        },
        OwnMigration {
            number: 14,
            name: "0014_bundles.sql",
            sql: include_str!("../../../migrations/target/0014_bundles.sql"),
        },
    ],
};

impl OwnMigration {
    /// Of its text, in hexadecimal.
    fn checksum(&self) -> String {
        data_encoding::HEXLOWER.encode(&Sha256::digest(self.sql))
    }
}

/// A migration that a database has.
#[derive(Debug)]
struct Applied {
    name: String,
    /// Absent where 0.1.0 applied it, and no later build was there since.
    sha256: Option<String>,
}

impl Schema {
    /// The number of the newest migration.
    pub fn newest(&self) -> i32 {
        self.migrations.last().map_or(0, |migration| migration.number)
    }

    /// Applies what is missing. The connection must not be a pooled one: an error leaves it in no known state.
    pub async fn migrate(&self, connection: &mut PgConnection) -> Result<()> {
        let mut tx = connection.begin().await.map_err(doing("begin the schema's transaction"))?;
        let history = self.history(&mut tx).await?;
        self.check(&history).map_err(Error::Refused)?;
        let current = history.last_key_value().map_or(0, |(number, _)| *number);
        for migration in self.migrations.iter().filter(|migration| migration.number > current) {
            sqlx::raw_sql(migration.sql)
                .execute(&mut *tx)
                .await
                .map_err(doing("apply our schema's migration"))?;
            if migration.number == 1 {
                sqlx::raw_sql(self.create_version_table)
                    .execute(&mut *tx)
                    .await
                    .map_err(doing("create our schema's version table"))?;
            }
            sqlx::query(self.record_version)
                .bind(migration.number)
                .bind(migration.name)
                .execute(&mut *tx)
                .await
                .map_err(doing("record our schema's version"))?;
        }
        let recorded = history.values().filter(|applied| applied.sha256.is_some()).count();
        if recorded < self.migrations.len() {
            let numbers: Vec<i32> = self.migrations.iter().map(|migration| migration.number).collect();
            let checksums: Vec<String> = self.migrations.iter().map(OwnMigration::checksum).collect();
            sqlx::query(self.record_checksums)
                .bind(numbers)
                .bind(checksums)
                .execute(&mut *tx)
                .await
                .map_err(doing("record our schema's checksums"))?;
        }
        tx.commit().await.map_err(doing("commit our schema"))
    }

    /// What the database has, by number; nothing where our schema is not there.
    async fn history(&self, connection: &mut PgConnection) -> Result<BTreeMap<i32, Applied>> {
        let exists: bool = sqlx::query_scalar("select to_regclass($1) is not null")
            .bind(self.version_table)
            .fetch_one(&mut *connection)
            .await
            .map_err(doing("look for our schema"))?;
        if !exists {
            return Ok(BTreeMap::new());
        }
        let rows: Vec<(i32, String, Option<String>)> = sqlx::query_as(self.read_history)
            .fetch_all(&mut *connection)
            .await
            .map_err(doing("read our schema's history"))?;
        Ok(rows.into_iter().map(|(number, name, sha256)| (number, Applied { name, sha256 })).collect())
    }

    /// Whether this build can go on from that history; if it cannot, why and what to do.
    fn check(&self, history: &BTreeMap<i32, Applied>) -> Result<(), String> {
        let newest = self.newest();
        if let Some((version, _)) = history.last_key_value()
            && *version > newest
        {
            return Err(format!(
                "the schema behind {} has version {version}, and this build knows {newest}: install the newer \
                 tenantryd, or restore the older database",
                self.version_table
            ));
        }
        for migration in self.migrations {
            let Some(applied) = history.get(&migration.number) else { continue };
            let is_same = applied.name == migration.name
                && applied.sha256.as_ref().is_none_or(|sha256| *sha256 == migration.checksum());
            if !is_same {
                return Err(format!(
                    "the schema behind {} was made by a migration {} that is not this build's {}: their texts differ, \
                     and a released migration never changes. Install the tenantryd that made the schema",
                    self.version_table, applied.name, migration.name
                ));
            }
        }
        Ok(())
    }
}
