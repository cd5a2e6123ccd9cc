//! No two neighbours use each other: below each module, the uses among its children form a hierarchy.
//!
//! A child and its parent are not neighbours: a parent names its children, and they use what it defines for all of them.
//! Every other circle is found here, however long it is.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{SourceFile, files, print_bar, report};

/// The sources of each package.
const ROOTS: [&str; 4] = ["protocol/src", "daemon/src", "tui/src", "tests/harness/src"];

/// The neighbours that a child uses, each with a path that shows it.
type Uses = BTreeMap<String, BTreeMap<String, String>>;

#[test]
fn neighbours_never_use_each_other() {
    let mut wrong = Vec::new();
    for root in ROOTS {
        for (parent, uses) in neighbours(root) {
            for circle in circles(&uses) {
                let links = circle.iter().flat_map(|from| {
                    let inside = uses[from].iter().filter(|(to, _)| circle.contains(*to));
                    inside.map(move |(_, path)| format!("{from} uses {path}"))
                });
                let links = links.collect::<Vec<_>>().join("; ");
                wrong.push((format!("{root}/{}", parent.replace("::", "/")), links));
            }
        }
    }
    print_bar("circles_of_modules", wrong.len(), 0);
    report("circles", wrong);
}

/// For each module of a package, the uses among its children.
fn neighbours(root: &str) -> BTreeMap<String, Uses> {
    let prefix = format!("{root}/");
    let sources = files().iter().filter(|file| file.is_rust() && file.path.starts_with(&prefix));
    let modules: BTreeMap<Vec<String>, &SourceFile> =
        sources.map(|file| (module_of(&file.path[prefix.len()..]), file)).collect();
    let mut found: BTreeMap<String, Uses> = BTreeMap::new();
    for (module, file) in &modules {
        for path in paths(&file.production_code()) {
            let Some(path) = absolute(module, &path, &modules) else { continue };
            let shared = module.iter().zip(&path).take_while(|(a, b)| a == b).count();
            let (Some(from), Some(to)) = (module.get(shared), path.get(shared)) else { continue };
            let uses = found.entry(module[..shared].join("::")).or_default();
            uses.entry(from.clone()).or_default().entry(to.clone()).or_insert_with(|| path.join("::"));
        }
    }
    found
}

/// `a/b.rs` and `a/b/mod.rs` are `a::b`.
fn module_of(path: &str) -> Vec<String> {
    let path = path.trim_end_matches(".rs");
    let parts = path.split('/').filter(|part| !["mod", "lib", "main"].contains(part));
    parts.map(str::to_owned).collect()
}

/// The module that a path in `module` leads to; `None` if it leaves the package or leads to `module` itself.
fn absolute(
    module: &[String],
    path: &[String],
    modules: &BTreeMap<Vec<String>, &SourceFile>,
) -> Option<Vec<String>> {
    let ups = path.iter().take_while(|part| *part == "super").count();
    let begin = match path.first()?.as_str() {
        "crate" => Vec::new(),
        "super" => module[..module.len().checked_sub(ups)?].to_vec(),
        "self" => module.to_vec(),
        // A child, or another package.
        _ => module.to_vec(),
    };
    let rest = path.iter().skip_while(|part| ["crate", "super", "self"].contains(&part.as_str()));
    let mut full: Vec<String> = begin.into_iter().chain(rest.cloned()).collect();
    while !full.is_empty() && !modules.contains_key(&full) {
        full.pop();
    }
    (!full.is_empty() && full != module).then_some(full)
}

/// Each path in `use` declarations, with its groups expanded, and each path elsewhere that begins with `crate` or `super`.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let begins = code[..at].chars().next_back().is_none_or(char::is_whitespace);
        if let Some((tree, _)) = code[at + 4..].split_once(';').filter(|_| begins) {
            leaves(&[], tree, &mut found);
        }
    }
    for word in ["crate::", "super::"] {
        for (at, _) in code.match_indices(word) {
            let path = code[at..].split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).next();
            let parts =
                |path: &str| path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
            found.extend(path.map(parts));
        }
    }
    found
}

/// The paths of a use tree: `a::{b, c::d}` has two.
fn leaves(prefix: &[String], tree: &str, found: &mut Vec<Vec<String>>) {
    let (head, group) = match tree.split_once('{') {
        Some((head, group)) => (head, Some(group.trim_end().trim_end_matches('}'))),
        None => (tree.split(" as ").next().unwrap_or(tree), None),
    };
    let parts = head.split("::").map(str::trim).filter(|part| !part.is_empty() && *part != "*");
    let path: Vec<String> = prefix.iter().cloned().chain(parts.map(str::to_owned)).collect();
    let Some(group) = group else {
        found.push(path);
        return;
    };
    let (mut depth, mut start) = (0_usize, 0);
    for (at, c) in group.char_indices().chain([(group.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                if !group[start..at].trim().is_empty() {
                    leaves(&path, &group[start..at], found);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// Sets of neighbours in which each leads to every other.
fn circles(uses: &Uses) -> Vec<BTreeSet<String>> {
    let reach = |from: &String| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(at) = open.pop() {
            for next in uses.get(at).into_iter().flat_map(BTreeMap::keys) {
                if seen.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<String>> = uses.keys().map(|from| (from, reach(from))).collect();
    let circle_of = |from: &String| -> BTreeSet<String> {
        let mutual =
            reached[from].iter().filter(|to| reached.get(to).is_some_and(|back| back.contains(from)));
        mutual.cloned().collect()
    };
    let found: BTreeSet<BTreeSet<String>> = uses.keys().map(circle_of).filter(|one| one.len() > 1).collect();
    found.into_iter().collect()
}

#[test]
fn a_circle_is_found_through_groups_parents_and_other_modules() {
    let code = "use crate::{a::{b, c::D as E}, f};\npub(crate) use super::g::*;\nlet x = crate::h::i();";
    let written: Vec<String> = paths(code).iter().map(|path| path.join("::")).collect();
    let (declared, elsewhere) = written.split_at(4);
    assert_eq!(declared, ["crate::a::b", "crate::a::c::D", "crate::f", "super::g"]);
    assert_eq!(elsewhere, ["crate", "crate::h::i", "super::g"]);
    let one =
        |from: &str, to: &str| (from.to_owned(), BTreeMap::from([(to.to_owned(), format!("{from}::{to}"))]));
    let uses = Uses::from([one("a", "b"), one("b", "c"), one("c", "a"), one("d", "a")]);
    assert_eq!(circles(&uses), [BTreeSet::from(["a", "b", "c"].map(str::to_owned))]);
}
