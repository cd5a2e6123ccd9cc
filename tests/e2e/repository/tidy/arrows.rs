//! Which modules may use which: the architecture's arrows, read from the `crate::…` paths in the source.

use std::collections::BTreeSet;

use tenantry_harness::binaries::project_dir;

use super::source::{SourceFile, files, report};

/// The daemon's modules and the modules that each may use. Those that are not listed (lib, main) are wiring and may use all.
const DAEMON: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("ambient", &[]),
    ("config", &["private_path", "ambient"]),
    ("file_lock", &[]),
    ("logging", &["config", "private_path"]),
    ("private_path", &[]),
    ("postgres", &["model", "private_path"]),
    ("embedded", &["config", "postgres", "file_lock", "private_path"]),
    ("audit", &["postgres", "model", "private_path"]),
    ("isolation", &["postgres"]),
    ("pipeline", &["isolation", "audit", "postgres", "model"]),
    ("commands", &["pipeline", "audit", "postgres", "model", "config"]),
    ("server", &["commands", "file_lock", "private_path"]),
];

/// Parts of the client that must stay pure, and what they must not name.
const CLIENT_PURE: &[(&str, &[&str])] = &[
    (
        "tui/src/ui/view",
        &["crate::client", "crate::cli", "runner", "update::", "tokio", "std::fs", "std::net", "async fn"],
    ),
    (
        "tui/src/ui/state",
        &["crate::client", "crate::cli", "runner", "tokio", "std::fs", "std::net", "async fn"],
    ),
    (
        "tui/src/ui/update",
        &["crate::client", "crate::cli", "runner", "tokio", "std::fs", "std::net", "async fn"],
    ),
    (
        "tui/src/ui/keymap",
        &["crate::client", "crate::cli", "runner", "tokio", "std::fs", "std::net", "async fn"],
    ),
];

/// The only folders whose code may hold SQL.
const SQL_HOMES: &[&str] = &[
    "daemon/src/postgres/",
    "daemon/src/isolation/probes/",
    "daemon/src/isolation/lints/",
    "daemon/src/pipeline/steps/",
    // Statements that are shown to a person, and that the daemon never runs.
    "daemon/src/model/fingerprint/repair.rs",
    // The bootstrap needs a superuser, once, before any of the daemon's own roles exist.
    "daemon/src/embedded/",
];

fn below(prefix: &str) -> impl Iterator<Item = &'static SourceFile> {
    files().iter().filter(move |file| file.is_rust() && file.path.starts_with(prefix))
}

/// The modules of its own crate that a file uses, taken from `crate::a::…` and `crate::{a, b::…}`.
fn used_modules(code: &str) -> BTreeSet<&str> {
    let mut used = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => used.extend(top_level_names(group)),
            None => used.extend(rest.split(|c: char| !is_word(c)).next()),
        }
    }
    used
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The first name of each part of `a::b, c::{d, e}, f}`.
fn top_level_names(group: &str) -> Vec<&str> {
    let (mut names, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                names.extend(
                    group[start..at]
                        .trim()
                        .split(|c: char| !is_word(c))
                        .next()
                        .filter(|name| !name.is_empty()),
                );
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names
}

#[test]
fn used_modules_are_read_from_paths_and_groups() {
    let code = "use crate::a::B;\nuse crate::{c, d::{e, f}, g as h};\nlet x = crate::i::j();";
    assert_eq!(used_modules(code).into_iter().collect::<Vec<_>>(), ["a", "c", "d", "g", "i"]);
}

#[test]
fn the_daemons_modules_use_only_what_is_below_them_and_each_arrow_is_used() {
    let mut wrong = Vec::new();
    let mut unused: BTreeSet<(&str, &str)> =
        DAEMON.iter().flat_map(|(from, to)| to.iter().map(|to| (*from, *to))).collect();
    for file in below("daemon/src/") {
        let module = file.path["daemon/src/".len()..].split(['/', '.']).next().unwrap();
        let Some((_, allowed)) = DAEMON.iter().find(|(name, _)| *name == module) else { continue };
        let code = file.production_code();
        for used in used_modules(&code) {
            unused.retain(|(from, to)| (*from, *to) != (module, used));
            let known = DAEMON.iter().any(|(name, _)| *name == used);
            if known && used != module && !allowed.contains(&used) {
                wrong.push((file.path.clone(), format!("{module} must not use {used}")));
            }
        }
    }
    report("daemon arrows", wrong);
    assert!(unused.is_empty(), "arrows that nothing needs: {unused:?}");
}

#[test]
fn every_module_of_the_daemon_has_a_place_in_the_architecture() {
    let wiring = ["lib", "main", "main_with_faults", "fault", "cli", "start", "leader"];
    let unknown = below("daemon/src/").filter_map(|file| {
        let module = file.path["daemon/src/".len()..].split(['/', '.']).next().unwrap();
        let known = wiring.contains(&module) || DAEMON.iter().any(|(name, _)| *name == module);
        (!known).then(|| (file.path.clone(), format!("'{module}' is not in the list of modules")))
    });
    report("daemon modules", unknown.collect());
}

#[test]
fn the_model_is_pure() {
    let mut wrong = Vec::new();
    for file in below("daemon/src/model/") {
        let code = file.production_code();
        for word in [
            "async fn",
            ".await",
            "sqlx::",
            "tokio::",
            "std::fs",
            "std::net",
            "std::process",
            "SystemTime::now",
        ] {
            if code.contains(word) {
                wrong.push((file.path.clone(), format!("the model must not use {word}")));
            }
        }
    }
    report("pure model", wrong);
}

#[test]
fn the_contract_does_no_io() {
    let mut wrong = Vec::new();
    for file in below("protocol/src/") {
        let code = file.production_code();
        for word in ["std::fs", "std::net", "std::process", "std::env", "tokio::", "sqlx::"] {
            if code.contains(word) {
                wrong.push((file.path.clone(), format!("the protocol must not use {word}")));
            }
        }
    }
    report("protocol without I/O", wrong);
}

#[test]
fn sql_stands_only_where_it_belongs() {
    // The beginnings of statements; a readable sentence that begins like this has another second word.
    let beginnings = [
        "select ",
        "insert into ",
        "delete from ",
        "create role ",
        "create schema ",
        "create table ",
        "create function ",
        "create database ",
        "create or replace ",
        "alter role ",
        "alter database ",
        "alter default ",
        "alter schema ",
        "drop role ",
        "drop schema ",
        "drop table ",
        "drop owned ",
        "grant ",
        "revoke ",
        "set local ",
        "set role ",
        "reset role",
        "truncate ",
        "lock table ",
        "begin;",
        "commit;",
        "rollback;",
        "discard all",
    ];
    let mut wrong = Vec::new();
    for file in below("daemon/src/").filter(|file| !SQL_HOMES.iter().any(|home| file.path.starts_with(home)))
    {
        for literal in literals(&file.production_code()) {
            let text = literal.trim_start().to_lowercase();
            if beginnings.iter().any(|beginning| text.starts_with(beginning)) {
                wrong.push((file.path.clone(), format!("SQL: {}", literal.trim())));
            }
        }
    }
    report("home of SQL", wrong);
}

/// The strings in the code, also those over several lines.
fn literals(code: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find('"') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        let hashes = before.len() - before.trim_end_matches('#').len();
        let is_raw = before[..at - hashes].ends_with('r');
        // A quotation mark as a character.
        let is_char = before.ends_with('\'') || before.ends_with("'\\");
        let end = match (is_char, is_raw) {
            (true, _) => Some(0),
            (false, true) => after.find(&format!("\"{}", "#".repeat(hashes))),
            (false, false) => end_of_string(after),
        };
        let Some(end) = end else { break };
        if !is_char {
            found.push(&after[..end]);
        }
        rest = after.get(end + usize::from(!is_char)..).unwrap_or_default();
    }
    found
}

/// Where the first quotation mark is that no backslash stands before.
fn end_of_string(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let ends = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends.then_some(at)
    })
}

#[test]
fn a_string_is_read_whole_however_it_is_written() {
    let code = "a(\"b \\\"c\\\" \\\n    d\"); '\"'; e(r#\"f \"g\" h\"#, '\\\"', \"i\nj\")";
    assert_eq!(literals(code), ["b \\\"c\\\" \\\n    d", "f \"g\" h", "i\nj"]);
}

#[test]
fn the_console_draws_and_decides_without_io() {
    let mut wrong = Vec::new();
    for (prefix, forbidden) in CLIENT_PURE {
        for file in below(prefix) {
            let code = file.production_code();
            for word in *forbidden {
                if code.contains(word) {
                    wrong.push((file.path.clone(), format!("must not name {word}")));
                }
            }
        }
    }
    report("pure console", wrong);
}

#[test]
fn daemon_and_client_never_use_each_other() {
    for (package, other) in
        [("daemon", "tenantry"), ("tui", "tenantryd"), ("protocol", "tenantry"), ("protocol", "tenantryd")]
    {
        let manifest = std::fs::read_to_string(project_dir().join(package).join("Cargo.toml")).unwrap();
        let dependencies = manifest.split_once("[dependencies]").unwrap().1;
        for line in dependencies.lines() {
            let name = line.split(['=', '.', ' ']).next().unwrap();
            assert_ne!(name, other, "{package} must not depend on {other}");
        }
    }
}
