//! What `make coverage` reports for known figures: a wrong report would be believed.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tenantry_harness::binaries::project_dir;

/// A project of two files: one has its unit tests at the end, the other hardly runs.
fn project(dir: &Path, reasons: &str) {
    let source = dir.join("daemon/src");
    std::fs::create_dir_all(&source).unwrap();
    let tested =
        "fn a() {\n}\n\n#[cfg(test)]\nmod tests;\n\nfn b() {\n}\n\n#[cfg(test)]\nmod more {\nfn t() {}\n}\n";
    std::fs::write(source.join("tested.rs"), tested).unwrap();
    std::fs::write(source.join("bare.rs"), "fn a() {\n\n}\nfn b() {\n}\n").unwrap();
    let path = |name: &str| source.join(name).display().to_string();
    let lcov = format!(
        "SF:{}\nDA:1,3\nDA:2,3\nDA:7,1\nDA:8,1\nDA:12,0\nend_of_record\n\
         SF:{}\nDA:1,0\nDA:3,0\nDA:4,5\nDA:5,0\nend_of_record\n\
         SF:{}\nDA:1,0\nend_of_record\n",
        path("tested.rs"),
        path("bare.rs"),
        dir.join("tui/src/main.rs").display()
    );
    std::fs::write(dir.join("lcov.info"), lcov).unwrap();
    std::fs::write(dir.join("reasons.txt"), reasons).unwrap();
}

fn report(reasons: &str) -> (Output, String, Value) {
    let dir = tempfile::tempdir().unwrap();
    project(dir.path(), reasons);
    let output = std::process::Command::new(project_dir().join("scripts/coverage-report"))
        .args(["lcov.info", "reasons.txt", "coverage.json"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let json = std::fs::read_to_string(dir.path().join("coverage.json")).unwrap_or("null".into());
    (output, text, serde_json::from_str(&json).unwrap())
}

#[test]
fn lines_are_counted_without_unit_tests_and_other_packages() {
    let (output, text, json) = report("daemon/src/bare.rs\n    Because.\n");
    // 4 of 4 and 1 of 4.
    assert!(text.ends_with("bar line-coverage-daemon-and-protocol 62.50 85.00 short\n"), "{text}");
    assert_eq!(output.status.code(), Some(1), "below the limit");
    assert_eq!(json["bars"][0]["met"], false, "{json}");
    assert_eq!(json["files"][0]["path"], "daemon/src/bare.rs", "{json}");
    assert_eq!(json["files"][0]["uncovered"], serde_json::json!([[1, 3], [5, 5]]), "{json}");
    assert_eq!(json["files"][1]["percent"], 100.0, "{json}");
}

#[test]
fn a_short_file_is_shown_with_its_lines_and_its_reason() {
    let (_, text, _) = report("# Why.\ndaemon/src/bare.rs\n    It takes a full moon\n    to run.\n");
    assert!(
        text.contains("daemon/src/bare.rs 25.0 %, not run: 1-3, 5\n    It takes a full moon to run."),
        "{text}"
    );
    assert!(!text.contains("no reason:"), "{text}");
}

#[test]
fn a_short_file_without_a_reason_and_a_reason_without_a_file_are_named() {
    let (output, text, _) = report("daemon/src/gone.rs\n    It was here.\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("no reason: daemon/src/bare.rs"), "{text}");
    assert!(text.contains("out of date: reasons.txt names daemon/src/gone.rs"), "{text}");
}
