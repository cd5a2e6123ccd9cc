//! Extensions that blueprints need: which of them a database lacks, and which of those the provisioner may install by itself.
//!
//! Invariant: what is installed is on a short list. PostgreSQL trusts each of them to the owner of a database, and none brings a
//! language, reads files or opens connections. Others are for an administrator.

use sqlx::PgConnection;

use crate::postgres::connections::execute::execute;
use crate::postgres::error::{Error, Result, doing};
use crate::postgres::quote::{Value, render};
use crate::postgres::target::location::Site;

/// Those that are data types, index methods and functions on their arguments. Not intarray: every tenant of the database would meet its
/// operators in the place of PostgreSQL's own.
const HARMLESS: [&str; 17] = [
    "btree_gin",
    "btree_gist",
    "citext",
    "cube",
    "dict_int",
    "fuzzystrmatch",
    "hstore",
    "isn",
    "ltree",
    "pg_trgm",
    "pgcrypto",
    "seg",
    "tablefunc",
    "tsm_system_rows",
    "tsm_system_time",
    "unaccent",
    "uuid-ossp",
];

/// An extension that a database does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingExtension {
    pub name: String,
    /// The server has its files, PostgreSQL trusts it, and the provisioner may install it.
    pub can_be_installed: bool,
    /// The server has its files.
    pub is_available: bool,
}

/// The extensions among `wanted` that the database does not have.
pub async fn missing(connection: &mut PgConnection, wanted: &[String]) -> Result<Vec<MissingExtension>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let missing: Vec<(String, bool, bool)> = sqlx::query_as(
        "select wanted.name, a.name is not null,
                coalesce(v.trusted, false) and has_database_privilege(current_database(), 'create') and wanted.name = any ($2)
         from unnest($1::text[]) as wanted(name)
         left join pg_available_extensions a on a.name = wanted.name
         left join pg_available_extension_versions v on v.name = a.name and v.version = a.default_version
         where not exists (select from pg_extension where extname = wanted.name)",
    )
    .bind(wanted)
    .bind(HARMLESS.as_slice())
    .fetch_all(connection)
    .await
    .map_err(doing("look for extensions"))?;
    let missing = missing.into_iter().map(|(name, is_available, can_be_installed)| MissingExtension {
        name,
        can_be_installed,
        is_available,
    });
    Ok(missing.collect())
}

/// Installs those of the extensions that the place lacks and that may be installed, and returns their names. They stay when
/// the operation fails: they belong to the database, and the next tenant finds them.
pub async fn install(site: Site<'_>, wanted: &[String]) -> Result<Vec<String>> {
    const MOST_ATTEMPTS: usize = 5;
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut connection = site.acquire().await?;
    let mut installed = Vec::new();
    for extension in missing(&mut connection, wanted).await?.into_iter().filter(|one| one.can_be_installed) {
        let sql = statement(&extension.name);
        for attempt in 1.. {
            match execute(&mut connection, sql.clone(), "install an extension").await {
                Ok(()) => break,
                // Somebody else installs it at this moment: the next attempt finds it.
                Err(error) if attempt < MOST_ATTEMPTS && is_race(&error) => {}
                Err(error) => return Err(error),
            }
        }
        tracing::info!(extension = extension.name, database = site.database(), "installed an extension");
        installed.push(extension.name);
    }
    Ok(installed)
}

/// The same within a transaction that is rolled back, which takes the extensions with it.
pub async fn install_within(connection: &mut PgConnection, wanted: &[String]) -> Result<()> {
    for extension in missing(connection, wanted).await?.into_iter().filter(|one| one.can_be_installed) {
        execute(connection, statement(&extension.name), "install an extension").await?;
    }
    Ok(())
}

fn statement(extension: &str) -> String {
    render(
        "create extension if not exists {extension} schema tenantry_ext",
        &[("extension", Value::Identifier(extension))],
    )
}

fn is_race(error: &Error) -> bool {
    error.server().is_some_and(|server| server.is("23505") || server.is("42710"))
}
