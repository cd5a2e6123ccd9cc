//! Length, headers, and text that must not be in the tree.

use std::collections::BTreeMap;

use super::source::{SourceFile, files, print_bar, report};

const MAX_FILE_LINES: usize = 400;
const MAX_FUNCTION_LINES: usize = 70;
const MAX_SIBLINGS: usize = 20;

fn rust_files() -> impl Iterator<Item = &'static SourceFile> {
    files().iter().filter(|file| file.is_rust())
}

#[test]
fn files_have_at_most_400_lines() {
    let lengths: Vec<(&SourceFile, usize)> =
        rust_files().map(|file| (file, file.text.lines().count())).collect();
    let longest = lengths.iter().map(|(_, lines)| *lines).max().unwrap();
    print_bar("lines_of_the_longest_file", longest, MAX_FILE_LINES);
    let long = lengths.iter().filter(|(_, lines)| *lines > MAX_FILE_LINES);
    report("file length", long.map(|(file, lines)| (file.path.clone(), format!("{lines} lines"))).collect());
}

#[test]
fn folders_have_at_most_20_source_files() {
    let mut folders: BTreeMap<&str, usize> = BTreeMap::new();
    // Each probe and each lint has a file of its own, however many there are.
    for file in rust_files().filter(|file| !file.path.starts_with("daemon/src/isolation/")) {
        *folders.entry(file.path.rsplit_once('/').map_or("", |(folder, _)| folder)).or_default() += 1;
    }
    print_bar("files_of_the_fullest_folder", *folders.values().max().unwrap(), MAX_SIBLINGS);
    let full = folders.into_iter().filter(|(_, files)| *files > MAX_SIBLINGS);
    report(
        "folder size",
        full.map(|(folder, files)| (folder.to_owned(), format!("{files} files"))).collect(),
    );
}

#[test]
fn functions_have_at_most_70_lines() {
    let mut long = Vec::new();
    for file in rust_files() {
        for (name, lines) in functions(&file.text) {
            if lines > MAX_FUNCTION_LINES {
                long.push((file.path.clone(), format!("fn {name} has {lines} lines")));
            }
        }
    }
    report("function length", long);
}

/// Each function with its number of lines: from the line with `fn` to the brace at the same indentation (rustfmt's shape).
fn functions(text: &str) -> Vec<(&str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let Some(name) = function_name(line.trim_start()) else { continue };
        for (end, line) in lines.iter().enumerate().skip(start) {
            let closes =
                line.len() > indent && line[..indent].trim().is_empty() && line[indent..].starts_with('}');
            let one_line = end == start && line.ends_with('}');
            let no_body = line.ends_with(';') && line.len() - line.trim_start().len() == indent;
            if closes || one_line || no_body {
                found.push((name, end - start + 1));
                break;
            }
        }
    }
    found
}

/// The function's name, if the line begins a function.
fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let qualifiers = ["pub", "pub(crate)", "pub(super)", "const", "async"];
    let is_function =
        before.split_whitespace().all(|word| qualifiers.contains(&word) || word.starts_with("pub(in"));
    is_function.then(|| after.split(['(', '<']).next().unwrap_or(after))
}

#[test]
fn the_length_of_a_function_is_counted_from_its_first_line_to_its_last_brace() {
    let text = "fn a() {\n    if b {\n    }\n}\n\nimpl X {\n    pub(crate) async fn b<T>(\n        t: T,\n    ) {\n        t\n    }\n}\n";
    assert_eq!(functions(text), [("a", 4), ("b", 5)]);
    assert_eq!(functions("trait T {\n    fn a();\n    const fn b() {}\n}\n"), [("a", 1), ("b", 1)]);
}

#[test]
fn every_module_opens_with_its_purpose() {
    let without = rust_files().filter_map(|file| {
        let header = file.text.lines().take_while(|line| line.starts_with("//!")).count();
        match header {
            1..=10 => None,
            0 => Some((file.path.clone(), "does not open with //!".to_owned())),
            more => Some((file.path.clone(), format!("opens with {more} lines of //!, which is a document"))),
        }
    });
    report("module header", without.collect());
}

/// Split in halves, so that this file does not contain what it forbids.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("/ro", "ot/", "a path of somebody's machine"),
    ("/wo", "rk/", "a path of somebody's machine"),
    ("crates", ".io", "the host of a registry"),
    ("npmjs", ".org", "the host of a registry"),
    ("pypi", ".org", "the host of a registry"),
    ("debian", ".org", "the host of a registry"),
    ("to", "do!(", "unfinished work"),
    ("unimple", "mented!(", "unfinished work"),
    ("#[ig", "nore", "a test that is switched off"),
    ("FIX", "ME", "unfinished work"),
];

#[test]
fn nothing_names_a_machine_a_registry_or_unfinished_work() {
    let mut found = Vec::new();
    for file in files() {
        for (number, line) in file.text.lines().enumerate() {
            for (first, second, what) in FORBIDDEN {
                if line.contains(&format!("{first}{second}")) {
                    found.push((file.path.clone(), format!("line {}: {what}: {}", number + 1, line.trim())));
                }
            }
        }
    }
    report("forbidden text", found);
}

#[test]
fn a_type_has_its_name_alone_in_its_package() {
    let mut twice = Vec::new();
    for package in ["protocol/src/", "daemon/src/", "tui/src/", "tests/harness/src/"] {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for file in rust_files().filter(|file| file.path.starts_with(package)) {
            for name in file.production_code().lines().filter_map(type_name).map(str::to_owned) {
                if let Some(elsewhere) = seen.insert(name.clone(), &file.path) {
                    twice.push((file.path.clone(), format!("{name} is in {elsewhere} as well")));
                }
            }
        }
    }
    print_bar("type_names_used_twice", twice.len(), 0);
    report("type names", twice);
}

/// The type's name, if the line begins a type of a module.
fn type_name(line: &str) -> Option<&str> {
    let rest = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(") ")?.1,
        Some(rest) => rest.trim_start(),
        None => line,
    };
    let kinds = ["struct ", "enum ", "trait ", "type "];
    let name = kinds.iter().find_map(|kind| rest.strip_prefix(kind))?;
    name.split(|c: char| !(c.is_alphanumeric() || c == '_')).next()
}

#[test]
fn a_type_is_known_by_the_line_that_begins_it() {
    let lines =
        ["pub(in crate::a) struct B<'a> {", "enum C {", "pub type D = E;", "    type F = G;", "use h::I;"];
    assert_eq!(lines.map(type_name), [Some("B"), Some("C"), Some("D"), None, None]);
}
