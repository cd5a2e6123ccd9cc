//! The project's files, read once, and the exceptions from the rules.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;

use tenantry_harness::bars::{self, Bar};
use tenantry_harness::binaries::project_dir;

/// The rule, the path, and why the rule does not hold there.
pub(super) const EXCEPTIONS: &[(&str, &str, &str)] = &[];

#[derive(Debug)]
pub(super) struct SourceFile {
    /// Relative to the project's folder, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

impl SourceFile {
    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The code without comments and without the unit tests at its end, to which the arrows apply.
    pub(super) fn production_code(&self) -> String {
        if self.path.contains("/tests/") || self.path.ends_with("/tests.rs") {
            return String::new();
        }
        let lines = self.text[..self.unit_tests().unwrap_or(self.text.len())]
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Where the unit tests at the end begin. A test module in a file of its own is declared at the top.
    fn unit_tests(&self) -> Option<usize> {
        let mut tests = self.text.match_indices("\n#[cfg(test)]\nmod ");
        tests
            .find(|(at, _)| self.text[at + 1..].lines().nth(1).is_some_and(|line| line.ends_with('{')))
            .map(|(at, _)| at)
    }
}

/// Every text file that is part of the project.
pub(super) fn files() -> &'static [SourceFile] {
    static FILES: OnceLock<Vec<SourceFile>> = OnceLock::new();
    FILES.get_or_init(|| {
        let mut files = Vec::new();
        collect(&project_dir(), "", &mut files);
        assert!(files.iter().any(SourceFile::is_rust), "the project's files were not found");
        files
    })
}

fn collect(root: &Path, below: &str, files: &mut Vec<SourceFile>) {
    for entry in std::fs::read_dir(root.join(below)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        let kind = entry.file_type().unwrap();
        let generated = ["target", "node_modules", ".git"].contains(&name.as_str())
            || path == "Cargo.lock"
            || ["fuzz/Cargo.lock", "fuzz/corpus", "fuzz/artifacts", "fuzz/coverage"].contains(&path.as_str());
        if generated || kind.is_symlink() {
            continue;
        }
        if kind.is_dir() {
            collect(root, &path, files);
        } else if let Ok(text) = std::fs::read_to_string(entry.path()) {
            files.push(SourceFile { path, text });
        }
    }
}

/// Prints the line of `make tidy-proof` for a number that has a limit. The test that counted says what is wrong.
pub(super) fn print_bar(name: &str, value: usize, limit: usize) {
    bars::print(&[Bar::at_most(name, value as f64, limit as f64)]);
}

/// Fails with all findings of a rule that no exception covers, and with exceptions that cover nothing.
pub(super) fn report(rule: &str, findings: Vec<(String, String)>) {
    let excepted: BTreeSet<&str> =
        EXCEPTIONS.iter().filter(|(of, _, _)| *of == rule).map(|(_, path, _)| *path).collect();
    let found: BTreeSet<&str> = findings.iter().map(|(path, _)| path.as_str()).collect();
    let stale: Vec<_> = excepted.difference(&found).collect();
    let left: Vec<String> = findings
        .iter()
        .filter(|(path, _)| !excepted.contains(path.as_str()))
        .map(|(path, finding)| format!("{path}: {finding}"))
        .collect();
    assert!(left.is_empty(), "{rule}:\n{}", left.join("\n"));
    assert!(stale.is_empty(), "{rule}: exceptions that are not needed any more: {stale:?}");
}

#[test]
fn every_exception_has_a_reason() {
    for (rule, path, reason) in EXCEPTIONS {
        assert!(reason.split_whitespace().count() >= 4, "{rule}, {path}: '{reason}' is no reason");
    }
}
