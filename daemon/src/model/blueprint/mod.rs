//! Blueprints: versioned, checksummed sets of migrations that tenants are built from, parsed from a folder's files.
//!
//! Invariant: a [`Blueprint`] comes from [`parse()`], so its migrations are in order and cut into statements, and the
//! same files always give the same checksum. It may be used only if there are no errors among the findings that come with
//! it. Nothing here does I/O, waits or talks to PostgreSQL.

mod adapt;
mod built_in;
mod checksum;
mod contract;
mod convention;
mod directive;
mod findings;
mod folder;
mod fresh;
mod lint;
mod manifest;
mod naming;
mod outside;
mod parse;
mod placeholders;
mod sections;
mod split;
mod split_error;
mod token;
mod way_back;

use std::collections::BTreeMap;
use std::sync::Arc;

use tenantry_protocol::blueprint as wire;
use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::name::{BlueprintName, BlueprintVersion};
use time::OffsetDateTime;

pub use built_in::built_in;
pub use checksum::{Checksum, ChecksumError};
pub use contract::{Contract, ContractObstacle, Standing, contract_obstacle};
pub use fresh::{BuildFile, FreshFile, blank_form, plain_form};
pub use lint::{
    OutsideWork, SchemasNamed, extensions_used, live_findings, mentions_temporary, reshaped_tables, work_of,
};
pub use manifest::{CONNECTION_LIMIT, MANIFEST, TEMP_FILE_LIMIT};
pub use naming::{Callback, callback};
pub use parse::{Parsed, parse, parse_judged};
pub use placeholders::placeholders_in;
pub use split::{Batched, Statement, first_word, statements};
pub use split_error::{SplitError, SplitProblem};

/// A file of a blueprint's folder, uploaded by a client or built in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Path in the folder, with `/` between its parts.
    pub path: String,
    pub content: String,
}

impl From<wire::UploadedFile> for SourceFile {
    fn from(file: wire::UploadedFile) -> Self {
        Self { path: file.path, content: file.content }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blueprint {
    pub name: BlueprintName,
    pub version: BlueprintVersion,
    pub title: String,
    pub tenancy: Tenancy,
    /// The name of the tool that the files are written for; none if there are no migrations.
    pub convention: Option<&'static str>,
    /// What it asks of tenants, if it takes away what an application used.
    pub contract: Option<Contract>,
    /// The settings by name; they always include [`CONNECTION_LIMIT`] and [`TEMP_FILE_LIMIT`].
    pub settings: BTreeMap<String, Setting>,
    /// Extensions that the target must have.
    pub extensions: Vec<String>,
    /// The migrations in the order in which they run.
    pub migrations: Vec<Migration>,
    /// How each migration runs while a tenant is made; `None` if one of them cannot run in the transaction that makes it.
    pub fresh: Option<Vec<FreshFile>>,
    /// The seed files in the order of the manifest.
    pub seed: Vec<Migration>,
    /// The number of tables that the migrations create, for the lock budget. It is read from the text, so a `do` block
    /// can hide some.
    pub tables: u32,
    pub checksum: Checksum,
    /// The manifest's text.
    pub manifest: Arc<str>,
    /// The file that says which migrations there are and in which order, for a tool that has one.
    pub journal: Option<SourceFile>,
}

/// A whole number that may be set for each tenant, with its range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub title: String,
    pub default: i64,
    pub min: i64,
    pub max: i64,
}

/// An SQL file: a migration, or a part of the seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Path in the blueprint's folder.
    pub path: String,
    /// The version in the file's name; `None` for repeatable migrations, for callbacks and for the seed.
    pub version: Option<String>,
    /// The title in the file's name.
    pub title: String,
    /// Empty if the file could not be cut into statements; a finding says why.
    pub statements: Vec<Statement>,
    /// Checksum of the content alone.
    pub checksum: Checksum,
    pub bytes: u64,
    pub bounds: Bounds,
    /// Its statements can open nothing to anybody: they add, change or drop columns, and build indexes on columns.
    pub is_plain: bool,
    /// Its statements define tables, indexes, types and views, and do nothing else. Such files can be sent together.
    pub is_declarative: bool,
    /// The SQL that runs: the whole file, or only its way up if the file also contains the way down.
    pub sql: Arc<str>,
    /// The whole file.
    pub content: Arc<str>,
    /// What takes it back, if something does that can be used. The version's checksum does not cover it, unless it is the way
    /// down in the file itself.
    pub way_back: Option<Arc<Migration>>,
    /// Extensions that it would install if that were a file's business.
    pub extensions: Vec<String>,
    /// Of a way back: the path of the file that it takes back.
    pub takes_back: Option<String>,
}

/// How a placement's history notes that a file ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileNote<'a> {
    pub file: &'a str,
    pub checksum: String,
}

/// Stands before the checksum of a way back in the history; persisted, so it never changes.
pub const TAKEN_BACK: &str = "taken-back:";

/// Whether a path is that of a migration with a version, by its name.
pub fn is_versioned(path: &str) -> bool {
    matches!(
        naming::read(path),
        naming::Name::Migration { version: Some(_), .. } | naming::Name::Baseline { .. }
    )
}

/// The transaction that a file runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bounds {
    /// One transaction holds the whole file: that of the build, or a transaction of its own after a file that runs outside.
    Inside,
    /// No transaction: each statement runs by itself. `marked_by` is the file beside it that says so, if there is one.
    Outside { marked_by: Option<SourceFile> },
}

/// Whether an answer carries the SQL of its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlText {
    Included,
    Omitted,
}

impl Blueprint {
    /// The files beside migrations that take them back. The checksum does not cover them.
    pub fn undo_files(&self) -> Vec<SourceFile> {
        let ways_back = self
            .migrations
            .iter()
            .filter_map(|file| file.way_back.as_deref().filter(|way| way.path != file.path));
        let source =
            |way: &Migration| SourceFile { path: way.path.clone(), content: way.content.to_string() };
        ways_back.map(source).collect()
    }

    /// The checksum of all that takes something back.
    pub fn undo_checksum(&self) -> Checksum {
        Checksum::of_files(&self.undo_files())
    }

    /// The files that the checksum covers; parsing them again, with the undo files, returns this blueprint.
    pub fn source_files(&self) -> Vec<SourceFile> {
        let manifest = SourceFile { path: MANIFEST.to_owned(), content: self.manifest.to_string() };
        let sql = self.migrations.iter().chain(&self.seed);
        std::iter::once(manifest)
            .chain(self.journal.clone())
            .chain(sql.flat_map(Migration::source_files))
            .collect()
    }

    /// The migrations as they run in the one transaction of a new tenant; `None` if one of them cannot.
    pub fn in_one_transaction(&self) -> Option<Vec<BuildFile<'_>>> {
        let forms = self.fresh.as_ref()?;
        Some(self.migrations.iter().zip(forms).map(|(file, form)| BuildFile { file, form }).collect())
    }

    /// The migrations of the one transaction: all before the first that runs outside it.
    pub fn inside(&self) -> &[Migration] {
        &self.migrations[..self.first_outside()]
    }

    /// The migrations after that: from the first that runs outside the transaction.
    pub fn outside(&self) -> &[Migration] {
        &self.migrations[self.first_outside()..]
    }

    pub const fn is_contract(&self) -> bool {
        self.contract.is_some()
    }

    fn first_outside(&self) -> usize {
        self.migrations.iter().position(Migration::is_outside).unwrap_or(self.migrations.len())
    }

    pub fn to_wire(&self, sql: SqlText, added_at: Option<OffsetDateTime>) -> wire::Blueprint {
        let files = |files: &[Migration]| files.iter().map(|file| file.to_wire(sql)).collect();
        let setting = |(name, setting): (&String, &Setting)| (name.clone(), setting.to_wire());
        wire::Blueprint {
            name: self.name.clone(),
            version: self.version,
            title: self.title.clone(),
            tenancy: self.tenancy,
            contract: self.contract.map(Contract::to_wire),
            settings: self.settings.iter().map(setting).collect(),
            extensions: self.extensions.clone(),
            migrations: files(&self.migrations),
            seed: files(&self.seed),
            checksum: self.checksum.to_string(),
            added_at,
        }
    }
}

impl Migration {
    pub const fn is_outside(&self) -> bool {
        matches!(self.bounds, Bounds::Outside { .. })
    }

    /// How the history notes that it ran. A way back is noted for the file that it takes back.
    pub fn note(&self) -> FileNote<'_> {
        match &self.takes_back {
            Some(file) => FileNote { file, checksum: format!("{TAKEN_BACK}{}", self.checksum) },
            None => FileNote { file: &self.path, checksum: self.checksum.to_string() },
        }
    }

    /// When it runs, if it runs with each upgrade that runs anything.
    pub fn callback(&self) -> Option<Callback> {
        callback(&self.path).filter(|_| self.version.is_none())
    }

    /// Whether it changes rows and defines nothing. In shared tables such a file runs as each tenant.
    pub fn is_data(&self) -> bool {
        !self.statements.is_empty() && self.statements.iter().all(Statement::changes_rows)
    }

    /// The file, and the file beside it that says how it runs.
    fn source_files(&self) -> impl Iterator<Item = SourceFile> {
        let file = SourceFile { path: self.path.clone(), content: self.content.to_string() };
        let companion = match &self.bounds {
            Bounds::Outside { marked_by } => marked_by.clone(),
            Bounds::Inside => None,
        };
        std::iter::once(file).chain(companion)
    }

    fn to_wire(&self, sql: SqlText) -> wire::BlueprintFile {
        wire::BlueprintFile {
            path: self.path.clone(),
            title: self.title.clone(),
            statements: u32::try_from(self.statements.len()).unwrap_or(u32::MAX),
            bytes: self.bytes,
            checksum: self.checksum.to_string(),
            outside: self.is_outside(),
            way_back: self.way_back.as_ref().map(|way| way.path.clone()),
            sql: (sql == SqlText::Included).then(|| self.content.to_string()),
        }
    }
}

impl Contract {
    const fn to_wire(self) -> wire::Contract {
        wire::Contract { after: self.after, soak_seconds: self.soak.as_secs() }
    }
}

impl Setting {
    fn to_wire(&self) -> wire::Setting {
        wire::Setting { title: self.title.clone(), default: self.default, min: self.min, max: self.max }
    }
}

#[cfg(any(test, fuzzing))]
#[path = "tests/invariants.rs"]
pub mod invariants;
