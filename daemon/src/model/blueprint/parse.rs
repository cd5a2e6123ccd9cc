//! From a folder's files to a blueprint and everything that is wrong with it, in one pass.
//!
//! Invariant: a fault never hides another: what can still be read is read and looked at. A blueprint is given even
//! where errors were found, so that it can be shown; the errors stand against using it.

use std::sync::Arc;

use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::plan::Finding;

use super::findings::{Findings, Place};
use super::folder::{self, Named};
use super::lint::Linter;
use super::manifest::{self, MANIFEST, Manifest};
use super::split;
use super::{Blueprint, Checksum, Migration, SourceFile};

/// What a folder turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// `None` where there is no manifest that says at least name and version.
    pub blueprint: Option<Blueprint>,
    /// Errors first, then by file and line.
    pub findings: Vec<Finding>,
}

/// Reads a folder's files; their order does not matter. Every fault is a finding, with file and line where it has them.
pub fn parse(files: &[SourceFile]) -> Parsed {
    let mut findings = Findings::default();
    let blueprint = read(files, &mut findings);
    Parsed { blueprint, findings: findings.into_sorted() }
}

fn read(files: &[SourceFile], findings: &mut Findings) -> Option<Blueprint> {
    let files = folder::accept(files, findings)?;
    let source = files.get(MANIFEST).copied();
    let manifest = match source {
        Some(source) => manifest::read(&source.content, findings),
        None => {
            let message =
                format!("there is no {MANIFEST}: add one with name, version and title to the folder");
            findings.folder_error("no_manifest", message);
            Manifest::default()
        }
    };
    let mut linter = Linter::default();
    let migrations = folder::migrations(&manifest.seed, &files, findings);
    let migrations = read_all(migrations, &mut linter, findings);
    let tables = linter.tables();
    let seed = folder::seed(&manifest.seed, &files, findings);
    let seed = read_all(seed, &mut linter, findings);
    linter.finish(findings);

    let source = source?;
    let covered = migrations.iter().chain(&seed).filter_map(|file| files.get(file.path.as_str()).copied());
    let checksum = Checksum::of_files(covered.chain([source]));
    let name = manifest.name?;
    Some(Blueprint {
        title: manifest.title.unwrap_or_else(|| name.to_string()),
        name,
        version: manifest.version?,
        tenancy: manifest.tenancy.unwrap_or(Tenancy::Schema),
        settings: manifest.settings,
        extensions: manifest.extensions,
        migrations,
        seed,
        tables,
        checksum,
        manifest: Arc::from(source.content.as_str()),
    })
}

fn read_all(files: Vec<Named<'_>>, linter: &mut Linter, findings: &mut Findings) -> Vec<Migration> {
    files.into_iter().map(|named| read_one(named, linter, findings)).collect()
}

fn read_one(named: Named<'_>, linter: &mut Linter, findings: &mut Findings) -> Migration {
    let Named { file, version, title } = named;
    if let Some(line) = sections_of_another_tool(&file.content) {
        let message = "the file has sections for up and down in the manner of dbmate or goose, and running it would \
                       run both: keep only the part for up, without its marker";
        findings.error("foreign_format", Place { file: &file.path, line }, message);
    }
    let statements = match split::split(&file.content) {
        Ok(pieces) => {
            for piece in &pieces {
                linter.look_at(&file.path, piece, findings);
            }
            pieces.into_iter().map(|piece| piece.statement).collect::<Vec<_>>()
        }
        Err(error) => {
            let place = Place { file: &file.path, line: error.line };
            findings.error(error.problem.code(), place, error.to_string());
            return migration(file, version, title, Vec::new());
        }
    };
    if statements.is_empty() {
        let message = format!("{} holds no statement: fill it or remove it", file.path);
        findings.file_warning("empty_file", &file.path, message);
    }
    migration(file, version, title, statements)
}

fn migration(
    file: &SourceFile,
    version: Option<String>,
    title: String,
    statements: Vec<split::Statement>,
) -> Migration {
    Migration {
        path: file.path.clone(),
        version,
        title,
        statements,
        checksum: Checksum::of(file.content.as_bytes()),
        bytes: file.content.len() as u64,
        sql: Arc::from(file.content.as_str()),
    }
}

/// The line, from 1, of a marker such as `-- migrate:down`; these stand in comments, which the lints do not see.
fn sections_of_another_tool(content: &str) -> Option<u32> {
    let is_marker = |line: &str| {
        let comment = line.trim_start().strip_prefix("--").map(|rest| rest.trim_start().to_ascii_lowercase());
        comment.is_some_and(|rest| {
            ["migrate:up", "migrate:down", "+goose", "+migrate"].iter().any(|marker| rest.starts_with(marker))
        })
    };
    content.lines().position(is_marker).map(|at| u32::try_from(at).map_or(u32::MAX, |at| at + 1))
}

#[cfg(test)]
#[path = "tests/parse.rs"]
mod tests;
