//! Our own schemas: forward-only migrations, each applied once, all in one transaction on a connection of its own.
//!
//! A schema that is newer than this build is refused rather than guessed at.

use sqlx::{Connection as _, PgConnection, Row as _};

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
    read_version: &'static str,
    record_version: &'static str,
    migrations: &'static [OwnMigration],
}

/// The control database.
pub const CONTROL: Schema = Schema {
    version_table: "control.schema_version",
    create_version_table: "create table control.schema_version (number integer not null constraint schema_version_pk \
                           primary key, name text not null, applied_at timestamptz not null default now())",
    read_version: "select coalesce(max(number), 0) from control.schema_version",
    record_version: "insert into control.schema_version (number, name) values ($1, $2)",
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
    ],
};

/// The bookkeeping on a target.
pub const TARGET: Schema = Schema {
    version_table: "tenantry.schema_version",
    create_version_table: "create table tenantry.schema_version (number integer not null constraint schema_version_pk \
                           primary key, name text not null, applied_at timestamptz not null default now())",
    read_version: "select coalesce(max(number), 0) from tenantry.schema_version",
    record_version: "insert into tenantry.schema_version (number, name) values ($1, $2)",
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
    ],
};

impl Schema {
    /// The number of the newest migration.
    pub fn newest(&self) -> i32 {
        self.migrations.last().map_or(0, |migration| migration.number)
    }

    /// Applies what is missing. The connection must not be a pooled one: an error leaves it in no known state.
    pub async fn migrate(&self, connection: &mut PgConnection) -> Result<()> {
        let mut tx = connection.begin().await.map_err(doing("begin the schema's transaction"))?;
        let exists: bool = sqlx::query("select to_regclass($1) is not null")
            .bind(self.version_table)
            .fetch_one(&mut *tx)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(doing("look for our schema"))?;
        let current: i32 = if exists {
            sqlx::query_scalar(self.read_version)
                .fetch_one(&mut *tx)
                .await
                .map_err(doing("read our schema's version"))?
        } else {
            0
        };
        let newest = self.newest();
        if current > newest {
            return Err(Error::Refused(format!(
                "the schema behind {} has version {current}, and this build knows {newest}: install the newer \
                 tenantryd, or restore the older database",
                self.version_table
            )));
        }
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
        tx.commit().await.map_err(doing("commit our schema"))
    }
}
