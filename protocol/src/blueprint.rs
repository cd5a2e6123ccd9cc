//! Blueprints: versioned, checksummed sets of migrations that tenants are built from.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::name::{BlueprintName, BlueprintVersion};
use crate::plan::Finding;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Blueprint {
    pub name: BlueprintName,
    pub version: BlueprintVersion,
    pub title: String,
    pub tenancy: Tenancy,
    /// For a version with `phase = "contract"`, which takes away what an application used. Absent for all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<Contract>,
    /// The settings a tenant of this blueprint has, by name.
    pub settings: BTreeMap<String, Setting>,
    /// Extensions that the target must have.
    pub extensions: Vec<String>,
    pub migrations: Vec<BlueprintFile>,
    pub seed: Vec<BlueprintFile>,
    /// SHA-256 over the manifest and every file, as 64 hexadecimal digits.
    pub checksum: String,
    /// Absent for an answer to `blueprint_check`, which stores nothing.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub added_at: Option<OffsetDateTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tenancy {
    /// A schema of its own for each tenant.
    #[default]
    Schema,
    /// One set of tables for all, with row-level security.
    Shared,
    /// A database of its own for each tenant.
    Database,
    #[serde(other)]
    Other,
}

impl Tenancy {
    /// As in JSON and in `blueprint.toml`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Shared => "shared",
            Self::Database => "database",
            Self::Other => "other",
        }
    }
}

/// When a tenant may come to a version that takes something away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Contract {
    /// The version that each tenant must have, or a later one.
    pub after: BlueprintVersion,
    /// How long it must have had it, in seconds.
    pub soak_seconds: u64,
}

/// A whole number that may be set for each tenant, with its range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Setting {
    pub title: String,
    pub default: i64,
    pub min: i64,
    pub max: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlueprintFile {
    /// Path in the blueprint's folder.
    pub path: String,
    /// What the file's name says it does: `V1__identity.sql` → `identity`.
    pub title: String,
    pub statements: u32,
    pub bytes: u64,
    /// SHA-256 of the content, as 64 hexadecimal digits.
    pub checksum: String,
    /// It runs outside a transaction, statement by statement, where tenants stand. A new tenant has it in its one transaction, if each
    /// of its statements has a form for that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outside: bool,
    /// The file that takes it back for `blueprint downgrade`: a file of its own, or the file itself where that holds both ways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way_back: Option<String>,
    /// The content; only where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct BlueprintsRequest {
    /// Only blueprints of this name.
    #[serde(default)]
    pub name: Option<String>,
    /// Only this version.
    #[serde(default)]
    pub version: Option<String>,
    /// Include the SQL of the files; needs `name`.
    #[serde(default)]
    pub with_sql: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlueprintsResponse {
    /// By name, the newest version first.
    pub blueprints: Vec<Blueprint>,
}

/// The maximum size of all files of an upload together, in bytes; it leaves room in a frame for JSON's escapes.
pub const MAX_UPLOAD_BYTES: usize = 4 * 1024 * 1024;

/// A folder's files, read by the client: the daemon opens no path that a client names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct BlueprintUpload {
    pub files: Vec<UploadedFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UploadedFile {
    /// Path in the folder, with `/` between its parts: `blueprint.toml`, `V1__identity.sql`, `seed/demo.sql`.
    pub path: String,
    pub content: String,
}

/// A folder without a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BlueprintDraftRequest {
    /// What the blueprint is to be called.
    pub name: String,
    /// A manifest among them is passed over.
    pub files: Vec<UploadedFile>,
}

/// The manifest for a folder, ready to be saved as `blueprint.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlueprintDraft {
    pub manifest: String,
    /// What a check of the folder says with it: errors first, then by file and line.
    pub findings: Vec<Finding>,
}

/// A folder that is to be built where tenants are, and rolled back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BlueprintTrial {
    pub files: Vec<UploadedFile>,
    /// Where; may be left out if there is one target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlueprintReport {
    /// Absent if the folder is so broken that it is not a blueprint at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blueprint: Option<Blueprint>,
    /// Errors first, then by file and line.
    pub findings: Vec<Finding>,
    /// Whether this call stored it; false for a check, and if exactly this version was already stored.
    pub added: bool,
}

impl BlueprintReport {
    /// Whether it is complete and no finding prevents provisioning a tenant.
    pub fn is_usable(&self) -> bool {
        self.blueprint.is_some() && self.findings.iter().all(|f| f.severity != crate::plan::Severity::Error)
    }
}
