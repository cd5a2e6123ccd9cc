//! Turns a folder's files into a blueprint and a list of all faults, in one pass.
//!
//! Invariant: a fault never hides another: whatever can still be read is read and checked. A blueprint is returned even
//! if errors were found, so that it can be shown; the errors prevent its use.

use std::borrow::Cow;
use std::sync::Arc;

use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::plan::Finding;

use super::adapt::{Adapted, adapt};
use super::convention::Convention;
use super::directive::{self, DirectiveFault};
use super::findings::{FileLine, Findings};
use super::folder::{self, Named};
use super::fresh;
use super::lint::{Linter, Marking, is_declarative, is_plain};
use super::manifest::{self, MANIFEST, MINIMAL, Manifest};
use super::outside::{self, Part};
use super::placeholders::Unfilled;
use super::sections::{self, Fault, Sections, Way};
use super::split;
use super::way_back;
use super::{Blueprint, Bounds, Checksum, Migration, SourceFile};

/// The result of parsing a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// `None` if there is no manifest that gives at least name and version.
    pub blueprint: Option<Blueprint>,
    /// Errors first, then by file and line.
    pub findings: Vec<Finding>,
}

/// Reads a folder's files; their order does not matter. Every fault is a finding, with file and line if it has them.
pub fn parse(files: &[SourceFile]) -> Parsed {
    let mut findings = Findings::default();
    let blueprint = read(files, Linter::of, &mut findings);
    Parsed { blueprint, findings: findings.into_sorted() }
}

/// Like [`parse()`], for files that were judged before they were stored or compiled in: the lints, which take most of the time,
/// are left out.
pub fn parse_judged(files: &[SourceFile]) -> Option<Blueprint> {
    read(files, |_| Linter::that_counts_tables(), &mut Findings::default())
}

fn read(files: &[SourceFile], lints: fn(Tenancy) -> Linter, findings: &mut Findings) -> Option<Blueprint> {
    let files = folder::accept(files, findings)?;
    let source = files.get(MANIFEST).copied();
    let manifest = match source {
        Some(source) => manifest::read(&source.content, findings),
        None => {
            let message = format!(
                "there is no {MANIFEST}, which says what the blueprint is called: add one to the folder, such as\n{MINIMAL}"
            );
            findings.folder_error("no_manifest", message);
            Manifest::default()
        }
    };
    let tenancy = manifest.tenancy.unwrap_or(Tenancy::Schema);
    let mut linter = lints(tenancy);
    let migrations = folder::migrations(&manifest, &files, findings);
    let mut read = read_all(migrations.clone(), Part::Migrations, &mut linter, findings);
    for (file, named) in read.iter_mut().zip(&migrations) {
        // Where the file itself cannot be cut, what follows in it means nothing.
        if !file.statements.is_empty() {
            file.way_back = way_back::read(named, tenancy, findings);
        }
    }
    let convention = migrations.first().and_then(|named| named.convention);
    let migrations = read;
    let tables = linter.tables();
    let seed = folder::seed(&manifest, &files, findings);
    let seed = read_all(seed, Part::Seed, &mut linter, findings);
    let (fresh, folded) = fresh::of(&migrations, findings);
    linter.made_with(&folded);
    linter.finish(findings);

    let source = source?;
    let covered: Vec<SourceFile> = migrations.iter().chain(&seed).flat_map(Migration::source_files).collect();
    let journal = folder::journal(&files).filter(|_| convention == Some(Convention::Drizzle)).cloned();
    let checksum = Checksum::of_files(covered.iter().chain(&journal).chain([source]));
    let mut extensions = manifest.extensions;
    for extension in migrations.iter().chain(&seed).flat_map(|file: &Migration| &file.extensions) {
        if !extensions.contains(extension) {
            extensions.push(extension.clone());
        }
    }
    let name = manifest.name?;
    Some(Blueprint {
        title: manifest.title.unwrap_or_else(|| name.to_string()),
        name,
        version: manifest.version?,
        tenancy,
        convention: convention.map(Convention::name),
        contract: manifest.contract,
        settings: manifest.settings,
        extensions,
        migrations,
        fresh,
        seed,
        tables,
        checksum,
        manifest: Arc::from(source.content.as_str()),
        journal,
    })
}

fn read_all(
    files: Vec<Named<'_>>,
    part: Part,
    linter: &mut Linter,
    findings: &mut Findings,
) -> Vec<Migration> {
    files.into_iter().map(|named| read_one(named, part, linter, findings)).collect()
}

fn read_one(named: Named<'_>, part: Part, linter: &mut Linter, findings: &mut Findings) -> Migration {
    let Named { file, sections, convention, .. } = named;
    foreign_sections(file, sections, findings);
    let up = match sections.map(|sections| sections::up(sections, &file.content)) {
        Some(Ok(up)) => Some(up),
        Some(Err(faults)) => {
            for Fault { code, line, message } in faults {
                findings.error(code, FileLine { file: &file.path, line }, message);
            }
            return migration(named, Bounds::Inside, Vec::new(), &file.content);
        }
        None => None,
    };
    let filled = match named.filled_in(&file.content) {
        Ok(filled) => filled,
        // Stored before placeholders were filled in: it runs as it did for the tenants that stand.
        Err(_) if linter.judges_nothing() => Cow::Borrowed(file.content.as_str()),
        Err(names) => {
            unfilled(file, &names, findings);
            return migration(named, Bounds::Inside, Vec::new(), &file.content);
        }
    };
    let text = up.as_ref().map_or(filled.as_ref(), |up| &up.masked);
    let mut pieces = match split::split(text) {
        Ok(pieces) => pieces,
        Err(error) => {
            let place = FileLine { file: &file.path, line: error.line };
            findings.error(error.problem.code(), place, error.to_string());
            return migration(named, Bounds::Inside, Vec::new(), &file.content);
        }
    };
    if pieces.is_empty() {
        empty(file, up.as_ref(), findings);
    }
    for DirectiveFault { line, message } in directive::attach(text, &mut pieces) {
        findings.error("directive", FileLine { file: &file.path, line }, message);
    }
    if let Some(at) = up.as_ref().and_then(|up| up.cuts(&pieces)) {
        let place = FileLine { file: &file.path, line: split::line_of(&file.content, at) };
        let message = "this directive stands inside a statement or a quoted text: end that above it, with a semicolon or \
                       its quote";
        findings.error("statement_block", place, message);
    }
    let bounds = outside::bounds(&named, part, up.as_ref(), &pieces, findings);
    linter.look_at_schemas(&file.path, named.schemas, &pieces, findings);
    let Adapted { extensions, public_in_code, is_otherwise } =
        adapt(&named, &file.path, &bounds, &mut pieces, findings);
    let marking = match bounds {
        Bounds::Inside if part == Part::Seed => Marking::Inside("as a migration, not as a part of the seed"),
        Bounds::Inside => Marking::Inside(convention.unwrap_or(Convention::Numbered).how_to_take_out()),
        Bounds::Outside { .. } => Marking::Outside,
    };
    linter.begin(marking);
    for piece in &pieces {
        linter.look_at(&file.path, marking, piece, findings);
    }
    if let Some(line) = public_in_code {
        linter.names_public(&file.path, line, findings);
    }
    let sql = match is_otherwise {
        true => pieces.iter().fold(String::new(), |sql, piece| sql + &piece.statement.text + ";\n"),
        false => up.map_or(filled.as_ref(), |up| &file.content[up.range]).to_owned(),
    };
    let (is_plain, is_declarative) = (pieces.iter().all(is_plain), pieces.iter().all(is_declarative));
    let statements = pieces.into_iter().map(|piece| piece.statement).collect();
    Migration { is_plain, is_declarative, extensions, ..migration(named, bounds, statements, &sql) }
}

fn empty(file: &SourceFile, up: Option<&Way>, findings: &mut Findings) {
    match up {
        Some(up) => {
            let message = "the way up holds no statement: fill it or remove the file";
            findings.warning("empty_file", FileLine { file: &file.path, line: up.line }, message);
        }
        None => {
            let message = format!("{} holds no statement: fill it or remove it", file.path);
            findings.file_warning("empty_file", &file.path, message);
        }
    }
}

/// Says how each placeholder without a value gets one.
fn unfilled(file: &SourceFile, names: &[Unfilled<'_>], findings: &mut Findings) {
    for Unfilled { name, line } in names {
        let how = match name.starts_with("flyway:") {
            true => "Flyway itself fills it in, and its value is not known here: write what the SQL needs in its place, or leave \
                     the schema out where it stands for one"
                .to_owned(),
            false => format!("add {name} = \"…\" to {MANIFEST}, below a line [placeholders]"),
        };
        let message = format!("the placeholder ${{{name}}} has no value: {how}");
        findings.error("placeholder", FileLine { file: &file.path, line: *line }, message);
    }
}

/// Warns of the directives of a tool that the folder is not written for: they are comments, so the lints do not see them.
fn foreign_sections(file: &SourceFile, own: Option<Sections>, findings: &mut Findings) {
    if let Some(marker) = sections::markers(&file.content).find(|marker| Some(marker.sections) != own) {
        let message = format!(
            "the file has sections for up and down in the manner of {}, and running it would run both: keep only the \
             part for up, without its directive",
            marker.sections
        );
        findings.error("foreign_format", FileLine { file: &file.path, line: marker.line }, message);
    }
}

fn migration(named: Named<'_>, bounds: Bounds, statements: Vec<split::Statement>, sql: &str) -> Migration {
    let Named { file, version, title, .. } = named;
    Migration {
        path: file.path.clone(),
        version,
        title,
        statements,
        checksum: Checksum::of(file.content.as_bytes()),
        bytes: file.content.len() as u64,
        bounds,
        is_plain: false,
        is_declarative: false,
        sql: Arc::from(sql),
        content: Arc::from(file.content.as_str()),
        way_back: None,
        extensions: Vec::new(),
        takes_back: None,
    }
}

#[cfg(test)]
#[path = "tests/parse.rs"]
mod tests;

#[cfg(test)]
#[path = "tests/adapted.rs"]
mod adapted;

#[cfg(test)]
#[path = "tests/properties.rs"]
mod properties;
