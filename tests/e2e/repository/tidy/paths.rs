//! Paths that documents name: each leads to a file or a folder that is there.
//!
//! A path in backticks counts if it begins with a folder of the project. A part in capitals stands for a name.

use tenantry_harness::binaries::project_dir;

use super::source::{files, report};

const FOLDERS: [&str; 8] =
    ["daemon/", "tui/", "protocol/", "tests/", "migrations/", "docs/", "scripts/", "deploy/"];

#[test]
fn every_path_that_a_document_names_is_there() {
    let mut found = Vec::new();
    for file in files().iter().filter(|file| file.path.ends_with(".md")) {
        for path in paths(&file.text) {
            if !project_dir().join(path).exists() {
                found.push((file.path.clone(), format!("'{path}' is not there")));
            }
        }
    }
    report("paths in documents", found);
}

fn paths(text: &str) -> impl Iterator<Item = &str> {
    let in_backticks = text.split('`').skip(1).step_by(2);
    in_backticks.filter(|code| {
        let stands_for_a_name = |part: &str| part.len() > 1 && part.chars().all(|c| c.is_ascii_uppercase());
        FOLDERS.iter().any(|folder| code.starts_with(folder))
            && !code.contains(char::is_whitespace)
            && !code.split(['/', '.']).any(stands_for_a_name)
    })
}

#[test]
fn a_path_is_told_from_a_command_and_from_a_pattern() {
    let text = "See `docs/a.md`, run `tests/run all`, copy `daemon/src/NAME.rs` to `tui/` and `other/b`.";
    assert_eq!(paths(text).collect::<Vec<_>>(), ["docs/a.md", "tui/"]);
}
