//! The manifest for a folder that has none: what its files show, with comments on what they leave open.
//!
//! Invariant: nothing is guessed that a check would not notice. What only a person knows stands there as a comment.

use std::collections::BTreeSet;

use tenantry_protocol::name::BlueprintName;
use tenantry_protocol::plan::{Finding, Severity};

use super::blueprint::{
    Blueprint, MANIFEST, Parsed, SchemasNamed, SourceFile, extensions_used, parse, placeholders_in,
};

/// What a folder needs besides its name.
#[derive(Debug, Default)]
struct Draft {
    title: String,
    convention: Option<&'static str>,
    schemas: BTreeSet<String>,
    extensions: Vec<String>,
    /// Those that the files use without declaring them.
    undeclared: BTreeSet<&'static str>,
    placeholders: BTreeSet<String>,
    seed: Vec<String>,
    /// A query finds what other tenants of the same database have.
    needs_database: bool,
    /// Schemas that the files name, and that are another system's.
    foreign: BTreeSet<String>,
}

/// The manifest for these files, and what a check says of them with it.
pub fn draft(name: &BlueprintName, files: &[SourceFile]) -> (String, Vec<Finding>) {
    let files: Vec<SourceFile> = files.iter().filter(|file| file.path != MANIFEST).cloned().collect();
    let mut draft = Draft { title: titled(name.as_str()), ..Draft::default() };
    let with = |draft: &Draft| {
        let manifest = SourceFile { path: MANIFEST.to_owned(), content: draft.manifest(name) };
        parse(&files.iter().cloned().chain([manifest]).collect::<Vec<_>>())
    };
    // Each look shows what the one before hid: the names, then the statements, then what code names.
    let looks: [fn(&mut Draft, &[SourceFile], &Parsed); 3] =
        [Draft::look_at_names, Draft::look_at_texts, Draft::look_at_code];
    let mut parsed = with(&draft);
    for look in looks {
        look(&mut draft, &files, &parsed);
        parsed = with(&draft);
    }
    (draft.manifest(name), parsed.findings)
}

/// `my-shop` → `My shop`
fn titled(name: &str) -> String {
    let spaced = name.replace('-', " ");
    let mut letters = spaced.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn has(parsed: &Parsed, code: &str) -> bool {
    parsed.findings.iter().any(|finding| finding.severity != Severity::Ok && finding.code == code)
}

impl Draft {
    fn look_at_names(&mut self, files: &[SourceFile], parsed: &Parsed) {
        self.convention = match has(parsed, "undo_without_migration") {
            // To refinery, `U1__x.sql` is a migration as any other.
            true => Some("refinery"),
            false => parsed.blueprint.as_ref().and_then(|version| version.convention),
        };
        let is_stray = |file: &&SourceFile| {
            let told = |finding: &Finding| {
                finding.code == "unrecognised_file" && finding.file.as_deref() == Some(file.path.as_str())
            };
            file.path.to_lowercase().contains("seed") && parsed.findings.iter().any(told)
        };
        self.seed = files.iter().filter(is_stray).map(|file| file.path.clone()).collect();
        self.seed.retain(|path| !path.contains(['"', '\\']));
        if self.convention == Some("flyway") {
            self.placeholders = files.iter().flat_map(|file| placeholders_in(&file.content)).collect();
        }
    }

    fn look_at_texts(&mut self, _: &[SourceFile], parsed: &Parsed) {
        let Some(version) = &parsed.blueprint else { return };
        let SchemasNamed { own, named } = SchemasNamed::of(version);
        self.schemas = own;
        // Others cannot stand in a manifest, and the check names them.
        self.schemas.retain(|schema| {
            schema.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        });
        // Where Supabase keeps extensions; a tenant finds them without it.
        self.schemas.extend(named.contains("extensions").then(|| "extensions".to_owned()));
        self.extensions.clone_from(&version.extensions);
        self.undeclared = extensions_used(version);
    }

    fn look_at_code(&mut self, _: &[SourceFile], parsed: &Parsed) {
        let sets_public = |version: &Blueprint| {
            let mut texts = version.migrations.iter().flat_map(|file| &file.statements);
            texts.any(|one| {
                let lower = one.text.to_lowercase();
                lower.starts_with("set ") && lower.contains("public")
            })
        };
        if has(parsed, "public_reference") || parsed.blueprint.as_ref().is_some_and(sets_public) {
            self.schemas.insert("public".to_owned());
        }
        self.needs_database = has(parsed, "catalog_by_name");
        if let Some(version) = &parsed.blueprint {
            self.foreign = SchemasNamed::of(version).named;
            self.foreign.retain(|schema| !self.schemas.contains(schema));
        }
    }

    fn manifest(&self, name: &BlueprintName) -> String {
        let quoted = |names: &mut dyn Iterator<Item = &String>| {
            names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
        };
        let mut lines = vec![
            "# What each tenant is made of. `tenantry blueprint check` reads it, with --on TARGET it also builds it.".to_owned(),
            format!("name = \"{name}\""),
            "# Raise it with each change of the files: a stored version never changes.".to_owned(),
            "version = \"1.0\"".to_owned(),
            format!("title = \"{}\"", self.title),
            "# How tenants are kept apart: by a schema, by a \"database\" of their own, or in \"shared\" tables with row-level security."
                .to_owned(),
        ];
        lines.push(match self.needs_database {
            true => "# A file asks PostgreSQL's catalog for names that other tenants of the same database have as well.\ntenancy = \"database\"".to_owned(),
            false => "tenancy = \"schema\"".to_owned(),
        });
        if let Some(convention) = self.convention {
            lines.push("# The tool that the files are named for.".to_owned());
            lines.push(format!("convention = \"{convention}\""));
        }
        if !self.schemas.is_empty() {
            lines.push("# The tenant's schema takes the place of what the files name so.".to_owned());
            lines.push(match self.schemas.len() {
                1 => format!("schema = {}", quoted(&mut self.schemas.iter())),
                _ => format!("schema = [{}]", quoted(&mut self.schemas.iter())),
            });
        }
        if !self.foreign.is_empty() {
            let plain = |name: &&String| !name.contains(char::is_control);
            let names: Vec<&str> = self.foreign.iter().filter(plain).map(String::as_str).collect();
            lines.push(format!(
                "# The files also name {}, which they do not make: what is there belongs to another system, and a tenant has none of it.",
                names.join(", ")
            ));
        }
        if !self.extensions.is_empty() {
            lines.push(format!("# Declared by the files themselves: {}.", self.extensions.join(", ")));
        }
        if !self.undeclared.is_empty() {
            let names: Vec<String> = self.undeclared.iter().map(|name| format!("\"{name}\"")).collect();
            lines.push("# Used by the files, none of which creates them.".to_owned());
            lines.push(format!("extensions = [{}]", names.join(", ")));
        }
        if !self.seed.is_empty() {
            lines.push("# Sample data, for tenants that are made with --seed.".to_owned());
            lines.push(format!("seed = [{}]", quoted(&mut self.seed.iter())));
        }
        if !self.placeholders.is_empty() {
            lines.push(
                "\n# Flyway's placeholders. Remove the # and give each its value.\n[placeholders]".to_owned(),
            );
            lines.extend(self.placeholders.iter().map(|name| format!("# {name} = \"\"")));
        }
        lines.join("\n") + "\n"
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The lines without comments, and the codes of errors.
    fn drafted(files: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let files: Vec<SourceFile> = files
            .iter()
            .map(|(path, content)| SourceFile { path: (*path).to_owned(), content: (*content).to_owned() })
            .collect();
        let (manifest, findings) = draft(&BlueprintName::parse("my-shop").unwrap(), &files);
        let lines = manifest.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let errors = findings.into_iter().filter(|finding| finding.severity == Severity::Error);
        (lines.skip(4).map(str::to_owned).collect(), errors.map(|error| error.code).collect())
    }

    #[track_caller]
    fn check(files: &[(&str, &str)], expect: &[&str]) {
        assert_eq!(drafted(files), (expect.iter().map(|line| (*line).to_owned()).collect(), Vec::new()));
    }

    #[test]
    fn a_plain_folder_needs_no_more_than_its_convention() {
        check(&[("1_a.sql", "create table a (id int primary key);")], &["convention = \"sqlx\""]);
        check(&[("2024-01-01-120000_a/up.sql", "select 1;")], &["convention = \"diesel\""]);
        check(&[("V1__a.sql", "select 1;"), ("U2__b.sql", "select 2;")], &["convention = \"refinery\""]);
    }

    #[test]
    fn schemas_that_the_files_fill_become_the_tenants_and_those_of_others_are_named() {
        check(
            &[("1_a.sql", "create table public.a (id int primary key);")],
            &["convention = \"sqlx\"", "schema = \"public\""],
        );
        check(
            &[("1_a.sql", "do $$ begin delete from public.a; end $$;")],
            &["convention = \"sqlx\"", "schema = \"public\""],
        );
        check(
            &[(
                "1_a.sql",
                "create schema app;\ncreate table app.a (id uuid primary key default extensions.uuid_generate_v4());\n\
                           create table public.b (id int primary key);\nselect * from extensions.x;",
            )],
            &[
                "convention = \"sqlx\"",
                "schema = [\"app\", \"extensions\", \"public\"]",
                "extensions = [\"uuid-ossp\"]",
            ],
        );
        let files = [("1_a.sql", "create trigger t after insert on auth.users execute function f();")];
        let named = draft(
            &BlueprintName::parse("shop").unwrap(),
            &files.map(|(path, content)| SourceFile { path: path.to_owned(), content: content.to_owned() }),
        );
        assert!(named.0.contains("# The files also name auth, which they do not make"), "{}", named.0);
    }

    #[test]
    fn a_folder_that_asks_for_names_in_the_catalog_gives_each_tenant_a_database() {
        let sql = "do $$ begin if not exists (select from pg_type where typname = 'a') then create type a as enum (); end if; end $$;";
        let named = BlueprintName::parse("shop").unwrap();
        let (manifest, findings) =
            draft(&named, &[SourceFile { path: "1_a.sql".to_owned(), content: sql.to_owned() }]);
        assert!(manifest.contains("\ntenancy = \"database\"\n"), "{manifest}");
        assert!(!findings.iter().any(|finding| finding.severity == Severity::Error), "{findings:?}");
    }

    #[test]
    fn extensions_that_the_files_only_use_are_declared() {
        let files = [
            (
                "1_a.sql",
                "create table a (id uuid primary key default uuid_generate_v4(), t text, during tstzrange,\n\
                 exclude using gist (t with =, during with &&));\ncreate index on a using gin (t gin_trgm_ops);",
            ),
            (
                "2_b.sql",
                "create extension pg_trgm;\ncreate function unaccent(t text) returns text language sql as 'select t';\nselect unaccent('a');",
            ),
        ];
        let (lines, errors) = drafted(&files);
        assert!(lines.contains(&"extensions = [\"btree_gist\", \"uuid-ossp\"]".to_owned()), "{lines:?}");
        assert!(errors.is_empty(), "{errors:?}");
    }

    #[test]
    fn values_that_only_a_person_knows_are_left_to_them() {
        let files =
            [("V1__a.sql", "create table a (env text default '${env}');"), ("seed_data.sql", "select 1;")];
        let (lines, errors) = drafted(&files);
        assert_eq!(lines, ["convention = \"flyway\"", "seed = [\"seed_data.sql\"]", "[placeholders]"]);
        assert_eq!(errors, ["placeholder"]);
    }
}
