//! Invariants for any upload or input: the answer is bounded, says where a fault is, and is safe to print.
//!
//! The property tests and the fuzz targets check the same invariants, each with inputs of its own.

use tenantry_protocol::name::{BlueprintName, BlueprintVersion, PlacementName, Slug, TargetName};
use tenantry_protocol::plan::{Finding, Severity};

use super::manifest::{MANIFEST, MINIMAL};
use super::{SourceFile, naming, parse, statements};

/// Longer than any of our messages, including the text that it quotes from a file.
const LONGEST_MESSAGE: usize = 2_000;

/// Whether the text cannot move a terminal's cursor or reverse its direction.
pub fn is_safe_to_print(text: &str) -> bool {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !text.chars().any(|c| c.is_control() || turns(c))
}

/// Checks a folder as a client uploads it.
pub fn an_upload_gets_an_answer(files: &[SourceFile]) {
    let parsed = parse(files);
    let is_broken = parsed.findings.iter().any(|finding| finding.severity == Severity::Error);
    assert!(parsed.blueprint.is_some() || is_broken, "nothing, and no reason");
    for finding in &parsed.findings {
        a_finding_is_safe_and_says_where(finding, files);
    }
    // The same files give the same blueprint.
    assert_eq!(parsed.blueprint, parse(files).blueprint);
    let Some(blueprint) = parsed.blueprint.filter(|_| !is_broken) else { return };
    for file in blueprint.migrations.iter().chain(&blueprint.seed) {
        assert!(
            files.iter().any(|uploaded| uploaded.path == file.path),
            "{:?} comes from nowhere",
            file.path
        );
        assert!(is_safe_to_print(&file.path) && is_safe_to_print(&file.title), "{:?}", file.path);
    }
    for file in files.iter().filter(|file| file.path.to_ascii_lowercase().ends_with(".sql")) {
        let runs = blueprint.migrations.iter().chain(&blueprint.seed).any(|one| one.path == file.path);
        let is_named = parsed.findings.iter().any(|finding| {
            // Further places of one cause stand in its message, the first ones by name.
            finding.file.as_ref() == Some(&file.path)
                || finding.message.contains(&file.path)
                || finding.message.ends_with(" more)")
        });
        assert!(runs || is_named || is_undo(&file.path), "{:?} is passed over", file.path);
    }
    for (name, setting) in &blueprint.settings {
        assert!(setting.min <= setting.default && setting.default <= setting.max, "{name}: {setting:?}");
    }
    // The stored files are read back as the same blueprint.
    let stored: Vec<SourceFile> =
        blueprint.source_files().into_iter().chain(blueprint.undo_files()).collect();
    assert_eq!(parse(&stored).blueprint, Some(blueprint));
}

/// The files of a folder as a tool has them: their paths, with `N` for a number, and what stands above what is to run.
const FOLDERS: &[(&[&str], &str)] = &[
    (&["VN__a.sql"], ""),
    (&["deep/VN__a.sql", "UN__a.sql"], "-- ${a}\n"),
    (&["BN__a.sql", "VN__a.sql", "afterMigrate__N.sql"], ""),
    (&["N_a.sql"], ""),
    (&["N_a.sql"], "-- no-transaction\n"),
    (&["N_a.sql"], "-- migrate:up\n"),
    (&["N_a.sql"], "-- +goose Up\n"),
    (&["N_a.sql"], "-- Up Migration\n"),
    (&["N-a.sql"], "-- +migrate Up\n"),
    (&["N_a.sql"], "-- +micrate Up\n"),
    (&["N_a.sql"], "-- rambler up\n"),
    (&["N_a.sql"], "-- a\n---- create above / drop below ----\n"),
    (&["N_a.sql"], "-- // a\n-- //@UNDO\n"),
    (&["N_a.up.sql", "N_a.down.sql"], ""),
    (&["N_a.postgres.up.sql", "N_a.mysql.up.sql", "N_a.up.sql"], ""),
    (&["N-a-up.sql", "N-a-down.sql"], ""),
    (&["VN.A.up.sql", "VN.A.down.sql"], ""),
    (&["N_a/up.sql", "N_a/down.sql"], ""),
    (&["N_a/migration.sql"], ""),
    (&["2024-01-0N_a.sql"], ""),
    (&["N.1_a.sql", "N/1_a.sql"], ""),
    (&["structure.sql"], ""),
];

/// Checks a folder in the manner of one of the tools, with these texts in its files.
pub fn a_folder_of_a_tool_gets_an_answer(tool: usize, manifest: &str, contents: &[&str]) {
    let (paths, above) = FOLDERS[tool % FOLDERS.len()];
    let named = format!("name = \"shop\"\nversion = \"1.0\"\ntitle = \"Shop\"\n{manifest}");
    let mut files = vec![SourceFile { path: MANIFEST.to_owned(), content: named }];
    for (number, content) in contents.iter().enumerate() {
        let path = paths[number % paths.len()].replace('N', &(number / paths.len() + 1).to_string());
        files.push(SourceFile { path, content: format!("{above}{content}") });
    }
    an_upload_gets_an_answer(&files);
}

/// It takes back another one, or does nothing at all.
fn is_undo(path: &str) -> bool {
    // db-migrate's is one because the other is there.
    path.ends_with("-down.sql")
        || path.ends_with("_down.sql")
        || matches!(naming::read(path), naming::Name::Undo { .. })
}

pub fn a_finding_is_safe_and_says_where(finding: &Finding, files: &[SourceFile]) {
    // The only text with several lines is ours, meant to be pasted.
    let told = finding.message.replace(MINIMAL, "").replace("such as\n", "");
    assert!(is_safe_to_print(&told), "{:?}", finding.message);
    assert!(finding.message.len() <= LONGEST_MESSAGE, "{:?}", finding.message);
    let Some(path) = &finding.file else { return };
    assert!(is_safe_to_print(path), "{path:?}");
    if let (Some(line), Some(file)) = (finding.line, files.iter().find(|file| file.path == *path)) {
        assert!(line as usize <= line_ends(&file.content) + 1, "{finding:?}");
    }
}

/// Counted as the server and editors do: a lone carriage return ends a line, too.
fn line_ends(text: &str) -> usize {
    text.replace("\r\n", "\n").matches(['\n', '\r']).count()
}

/// Checks a file's SQL.
pub fn statements_are_pieces_of_their_file(sql: &str) {
    let Ok(pieces) = statements(sql) else { return };
    let mut end = 0;
    for piece in pieces {
        // For the server, as for this splitter, a space beyond ASCII begins a name.
        assert!(!piece.text.trim_ascii().is_empty(), "{piece:?}");
        assert!(piece.offset >= end, "overlaps the one before: {piece:?}");
        assert!(sql[piece.offset..].starts_with(&piece.text), "{piece:?}");
        assert_eq!(piece.line as usize, line_ends(&sql[..piece.offset]) + 1, "{piece:?}");
        end = piece.offset + piece.text.len();
        // Parsed by itself, it is again one statement.
        let again = statements(&piece.text).map(|again| again.into_iter().map(|one| one.text).collect());
        assert_eq!(again, Ok(vec![piece.text]));
    }
}

/// Checks any text in place of a name.
pub fn only_names_of_the_grammar_are_names(text: &str) {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits = (3..=40).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(inner)
        && !text.ends_with('-');
    assert_eq!(Slug::parse(text).is_ok(), fits, "{text:?}");
    assert_eq!(BlueprintName::parse(text).is_ok(), fits, "{text:?}");
    assert_eq!(TargetName::parse(text).is_ok(), fits, "{text:?}");
    if let Ok(placement) = PlacementName::parse(text) {
        assert_eq!(placement.as_str(), text);
        assert!(text.starts_with("t_") && text.len() == 15 && text.is_ascii(), "{text:?}");
    }
    if let Ok(version) = BlueprintVersion::parse(text) {
        assert_eq!(version.to_string(), text, "equal versions have equal text");
    }
    if let Err(error) = Slug::parse(text) {
        assert!(is_safe_to_print(&error.to_string()), "{error}");
    }
    if let Some(slug) = Slug::suggest(text) {
        assert_eq!(Slug::parse(slug.as_str()), Ok(slug), "suggested for {text:?}");
    }
}
