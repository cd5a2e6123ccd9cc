//! The manifest, `blueprint.toml`: the name of a blueprint and what it needs.
//!
//! An unknown key is refused. Every fault is reported with its line, not only the first one. This module must not look at
//! any other file.

mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::name::{BlueprintName, BlueprintVersion};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::Setting;
use super::contract::{self, Contract};
use super::convention::{CONVENTIONS, Convention};
use super::findings::{FileLine, Findings, shown};
use super::placeholders;

pub const MANIFEST: &str = "blueprint.toml";

/// The smallest manifest that a folder needs, to be pasted.
pub(super) const MINIMAL: &str =
    "name = \"my-product\"\nversion = \"1.0\"\ntitle = \"My product\"\ntenancy = \"schema\"";

/// The number of connections that each login role may have at once.
pub const CONNECTION_LIMIT: &str = "connection_limit";
/// The size of the temporary files that one connection may have at once, in megabytes.
pub const TEMP_FILE_LIMIT: &str = "temp_file_limit_mb";

const KEYS: &str = "name, version, title, tenancy, convention, schema, extensions, seed, phase, after, soak, [placeholders] and [settings.NAME]";
const CODE: &str = "manifest";
/// Enough errors to correct a file by. A file that is not TOML at all has one error for each line.
const MOST_ERRORS: usize = 10;

/// The keys that could be read; `None` stands for a key that is missing or invalid.
#[derive(Debug, Default)]
pub(super) struct Manifest {
    pub(super) name: Option<BlueprintName>,
    pub(super) version: Option<BlueprintVersion>,
    pub(super) title: Option<String>,
    pub(super) tenancy: Option<Tenancy>,
    /// The convention that the manifest names; otherwise the files show it.
    pub(super) convention: Option<Convention>,
    /// For a version that takes away what an application used.
    pub(super) contract: Option<Contract>,
    pub(super) settings: BTreeMap<String, Setting>,
    pub(super) extensions: Vec<String>,
    pub(super) seed: Vec<Listed>,
    /// The application's own schema, whose place the tenant's takes.
    pub(super) schemas: Vec<String>,
    /// The values of Flyway's placeholders.
    pub(super) placeholders: BTreeMap<String, String>,
}

/// A path in the manifest, and the line that lists it.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) path: String,
    pub(super) line: u32,
}

type ManifestEntry<'a> = Spanned<DeValue<'a>>;

pub(super) fn read(content: &str, findings: &mut Findings) -> Manifest {
    let content = content.strip_prefix('\u{feff}').unwrap_or(content);
    let mut reader = Reader { content, findings };
    let mut manifest = Manifest::default();
    let (table, errors) = DeTable::parse_recoverable(content);
    if errors.is_empty() {
        reader.manifest(table.get_ref(), &mut manifest);
    }
    for error in errors.iter().take(MOST_ERRORS) {
        let message = format!("this is not TOML: {}", error.message().trim().replace('\n', "; "));
        reader.fault(error.span().unwrap_or(0..0), message);
    }
    settings::complete(&mut manifest.settings);
    manifest
}

/// Whether it can be the name of an extension.
pub(super) fn is_extension(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.len() <= 63 && name.bytes().all(plain)
}

struct Reader<'a> {
    content: &'a str,
    findings: &'a mut Findings,
}

impl Reader<'_> {
    fn fault(&mut self, at: Range<usize>, message: impl Into<String>) {
        let line = self.line(at);
        self.findings.error(CODE, FileLine { file: MANIFEST, line }, message);
    }

    fn line(&self, at: Range<usize>) -> u32 {
        let before = self.content.as_bytes().iter().take(at.start);
        u32::try_from(before.filter(|byte| **byte == b'\n').count()).map_or(u32::MAX, |lines| lines + 1)
    }

    fn manifest(&mut self, table: &DeTable<'_>, manifest: &mut Manifest) {
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "name" => manifest.name = self.name(value),
                "version" => manifest.version = self.version(value),
                "title" => manifest.title = self.title("title", value),
                "tenancy" => manifest.tenancy = self.tenancy(value),
                "convention" => manifest.convention = self.convention(value),
                "schema" => manifest.schemas = self.schemas(value),
                "extensions" => manifest.extensions = self.extensions(value),
                "seed" => manifest.seed = self.seed(value),
                "settings" => manifest.settings = self.settings(value),
                "placeholders" => manifest.placeholders = self.placeholders(value),
                // They are read together, below.
                "phase" | "after" | "soak" => {}
                _ => self.unknown(key, KEYS),
            }
        }
        manifest.contract = self.contract(table, manifest.version);
        for (key, example) in [("name", "projects"), ("version", "1.0"), ("title", "Project management")] {
            if table.get(key).is_none() {
                self.fault(
                    0..0,
                    format!("the key {key} is missing: add a line such as {key} = \"{example}\""),
                );
            }
        }
    }

    fn unknown(&mut self, key: &Spanned<DeString<'_>>, known: &str) {
        let message = format!("the key {} is not known here; known are {known}", shown(key.get_ref()));
        self.fault(key.span(), message);
    }

    fn text<'v>(&mut self, key: &str, value: &'v ManifestEntry<'_>) -> Option<&'v str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            let found = value.get_ref().type_str();
            self.fault(value.span(), format!("{key} must be a text in quotes, and is {found}"));
        }
        text
    }

    fn name(&mut self, value: &ManifestEntry<'_>) -> Option<BlueprintName> {
        let name = BlueprintName::parse(self.text("name", value)?);
        name.map_err(|error| self.fault(value.span(), format!("name: {error}"))).ok()
    }

    fn version(&mut self, value: &ManifestEntry<'_>) -> Option<BlueprintVersion> {
        let version = BlueprintVersion::parse(self.text("version", value)?);
        version.map_err(|error| self.fault(value.span(), format!("version: {error}"))).ok()
    }

    fn title(&mut self, key: &str, value: &ManifestEntry<'_>) -> Option<String> {
        let title = self.text(key, value)?.trim();
        if title.is_empty() || title.chars().count() > 100 || shown(title) != title {
            self.fault(value.span(), format!("{key} must be one line of 1 to 100 printable characters"));
            return None;
        }
        Some(title.to_owned())
    }

    fn tenancy(&mut self, value: &ManifestEntry<'_>) -> Option<Tenancy> {
        let tenancy = self.text("tenancy", value)?;
        let message = match tenancy {
            "schema" => return Some(Tenancy::Schema),
            "database" => return Some(Tenancy::Database),
            "shared" => return Some(Tenancy::Shared),
            _ => format!(
                "tenancy \"{}\" does not exist: use \"schema\", \"database\" or \"shared\"",
                shown(tenancy)
            ),
        };
        self.fault(value.span(), message);
        None
    }

    fn convention(&mut self, value: &ManifestEntry<'_>) -> Option<Convention> {
        let name = self.text("convention", value)?;
        let convention = Convention::from_name(name);
        if convention.is_none() {
            let known: Vec<&str> = CONVENTIONS.iter().map(|(known, _)| *known).collect();
            let message =
                format!("convention \"{}\" is not known; known are {}", shown(name), known.join(", "));
            self.fault(value.span(), message);
        }
        convention
    }

    /// `phase`, `after` and `soak`, which go together.
    fn contract(&mut self, table: &DeTable<'_>, version: Option<BlueprintVersion>) -> Option<Contract> {
        let Some(phase) = table.get("phase") else {
            for key in ["after", "soak"] {
                if let Some(value) = table.get(key) {
                    let message = format!(
                        "{key} is for versions with phase = \"contract\": add that line, or remove this one"
                    );
                    self.fault(value.span(), message);
                }
            }
            return None;
        };
        let text = self.text("phase", phase)?;
        if text != "contract" {
            let message = format!(
                "phase \"{}\" does not exist: a version that takes away what an application used has phase = \"contract\", and \
                 all others leave the key out",
                shown(text)
            );
            self.fault(phase.span(), message);
            return None;
        }
        let Some(value) = table.get("after") else {
            let message = "phase = \"contract\" needs the version from which on the application does without what this one takes \
                           away: add a line such as after = \"1.1\"";
            self.fault(phase.span(), message);
            return None;
        };
        let after = BlueprintVersion::parse(self.text("after", value)?);
        let after = after.map_err(|error| self.fault(value.span(), format!("after: {error}"))).ok()?;
        if version.is_some_and(|version| after >= version) {
            self.fault(
                value.span(),
                format!("after must be an earlier version than this one, and is {after}"),
            );
        }
        Some(Contract { after, soak: self.soak(table)? })
    }

    fn soak(&mut self, table: &DeTable<'_>) -> Option<Duration> {
        let Some(value) = table.get("soak") else { return Some(Duration::ZERO) };
        let text = self.text("soak", value)?;
        let soak = contract::soak(text);
        if soak.is_none() {
            let message = format!(
                "soak \"{}\" is not a length of time: write a whole number and s, m, h, d or w, as in \"7d\", of at most a year",
                shown(text)
            );
            self.fault(value.span(), message);
        }
        soak
    }

    /// The texts of a list, each with its line; duplicates are reported and left out.
    fn list(&mut self, key: &str, value: &ManifestEntry<'_>) -> Vec<(String, Range<usize>)> {
        let Some(entries) = value.get_ref().as_array() else {
            let found = value.get_ref().type_str();
            self.fault(
                value.span(),
                format!("{key} must be a list of texts such as [\"…\"], and is {found}"),
            );
            return Vec::new();
        };
        let mut seen = BTreeSet::new();
        let mut texts = Vec::new();
        for entry in entries.iter() {
            let Some(text) = self.text(&format!("each entry of {key}"), entry) else { continue };
            if seen.insert(text) {
                texts.push((text.to_owned(), entry.span()));
            } else {
                self.fault(entry.span(), format!("{key} lists {} twice: remove one", shown(text)));
            }
        }
        texts
    }

    fn extensions(&mut self, value: &ManifestEntry<'_>) -> Vec<String> {
        let mut names = Vec::new();
        for (name, at) in self.list("extensions", value) {
            if is_extension(&name) {
                names.push(name);
            } else {
                let message = format!(
                    "'{}' is no name of an extension: write it as in pg_available_extensions",
                    shown(&name)
                );
                self.fault(at, message);
            }
        }
        names
    }

    fn seed(&mut self, value: &ManifestEntry<'_>) -> Vec<Listed> {
        let entries = self.list("seed", value);
        entries.into_iter().map(|(path, at)| Listed { path, line: self.line(at) }).collect()
    }

    /// `"public"`, or a list of several.
    fn schemas(&mut self, value: &ManifestEntry<'_>) -> Vec<String> {
        let listed = match value.get_ref() {
            DeValue::Array(_) => self.list("schema", value),
            _ => self.text("schema", value).map(|name| (name.to_owned(), value.span())).into_iter().collect(),
        };
        let mut names = Vec::new();
        for (name, at) in listed {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            let is_plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
                && name.len() <= 63
                && name.bytes().all(plain);
            if !is_plain || name.starts_with("pg_") || name == "information_schema" {
                let message = format!(
                    "schema \"{}\" is not a schema of an application: write those that the files name, as in schema = \"public\" or \
                     schema = [\"public\", \"auth\"]",
                    shown(&name)
                );
                self.fault(at, message);
            } else if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    fn placeholders(&mut self, value: &ManifestEntry<'_>) -> BTreeMap<String, String> {
        let mut values = BTreeMap::new();
        let Some(table) = value.get_ref().as_table() else {
            self.fault(
                value.span(),
                "placeholders must be a table: write [placeholders] and name = \"value\" below",
            );
            return values;
        };
        for (key, value) in table {
            let name: &str = key.get_ref();
            let Some(text) = self.text(&format!("placeholders.{}", shown(name)), value) else { continue };
            if !placeholders::is_name(name) {
                let message =
                    format!("'{}' can be no name of a placeholder: use letters, digits and _", shown(name));
                self.fault(key.span(), message);
            } else if text.contains(['\n', '\r', '\0']) {
                self.fault(value.span(), format!("the value of placeholders.{name} must be one line"));
            } else {
                values.insert(name.to_owned(), text.to_owned());
            }
        }
        values
    }
}

#[cfg(test)]
#[path = "tests/manifest.rs"]
mod tests;
