//! The blueprints that are compiled into the daemon.
//!
//! Invariant: each of them parses without a finding, which a test checks. They are ordinary blueprints: what is refused
//! in an uploaded blueprint is refused here as well.

use super::SourceFile;

const PROJECTS: &[(&str, &str)] = &[
    ("blueprint.toml", include_str!("../../../../migrations/blueprints/projects/blueprint.toml")),
    ("V1__identity.sql", include_str!("../../../../migrations/blueprints/projects/V1__identity.sql")),
    (
        "V2__access_control.sql",
        include_str!("../../../../migrations/blueprints/projects/V2__access_control.sql"),
    ),
    ("V3__projects.sql", include_str!("../../../../migrations/blueprints/projects/V3__projects.sql")),
    ("V4__tasks.sql", include_str!("../../../../migrations/blueprints/projects/V4__tasks.sql")),
    (
        "V5__collaboration.sql",
        include_str!("../../../../migrations/blueprints/projects/V5__collaboration.sql"),
    ),
    (
        "V6__time_tracking.sql",
        include_str!("../../../../migrations/blueprints/projects/V6__time_tracking.sql"),
    ),
    ("V7__activity.sql", include_str!("../../../../migrations/blueprints/projects/V7__activity.sql")),
    (
        "V8__notifications.sql",
        include_str!("../../../../migrations/blueprints/projects/V8__notifications.sql"),
    ),
    ("V9__integrations.sql", include_str!("../../../../migrations/blueprints/projects/V9__integrations.sql")),
    ("R__board.sql", include_str!("../../../../migrations/blueprints/projects/R__board.sql")),
    ("R__reports.sql", include_str!("../../../../migrations/blueprints/projects/R__reports.sql")),
    ("seed/demo.sql", include_str!("../../../../migrations/blueprints/projects/seed/demo.sql")),
];

const LEDGER: &[(&str, &str)] = &[
    ("blueprint.toml", include_str!("../../../../migrations/blueprints/ledger/blueprint.toml")),
    ("V1__customers.sql", include_str!("../../../../migrations/blueprints/ledger/V1__customers.sql")),
    ("V2__accounts.sql", include_str!("../../../../migrations/blueprints/ledger/V2__accounts.sql")),
    ("V3__transactions.sql", include_str!("../../../../migrations/blueprints/ledger/V3__transactions.sql")),
    ("V4__holds.sql", include_str!("../../../../migrations/blueprints/ledger/V4__holds.sql")),
    ("V5__fees.sql", include_str!("../../../../migrations/blueprints/ledger/V5__fees.sql")),
    ("V6__statements.sql", include_str!("../../../../migrations/blueprints/ledger/V6__statements.sql")),
    ("R__balances.sql", include_str!("../../../../migrations/blueprints/ledger/R__balances.sql")),
    ("seed/demo.sql", include_str!("../../../../migrations/blueprints/ledger/seed/demo.sql")),
];

/// The files of each built-in blueprint.
pub fn built_in() -> Vec<Vec<SourceFile>> {
    [PROJECTS, LEDGER].into_iter().map(source_files).collect()
}

fn source_files(files: &[(&str, &str)]) -> Vec<SourceFile> {
    files
        .iter()
        .map(|(path, content)| SourceFile { path: (*path).to_owned(), content: (*content).to_owned() })
        .collect()
}

#[cfg(test)]
#[path = "tests/built_in.rs"]
mod tests;
