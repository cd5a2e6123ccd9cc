//! The blueprints that are compiled into the daemon.
//!
//! Invariant: each of them parses without a finding, which a test checks. They are ordinary blueprints: what is refused
//! in an uploaded blueprint is refused here as well.

use std::collections::BTreeMap;

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

/// What 1.1 adds to 1.0, and has in its place.
const PROJECTS_1_1: &[(&str, &str)] = &[
    ("blueprint.toml", include_str!("../../../../migrations/blueprints/projects-1.1/blueprint.toml")),
    (
        "V10__label_slugs.sql",
        include_str!("../../../../migrations/blueprints/projects-1.1/V10__label_slugs.sql"),
    ),
    (
        "V11__user_preferences.sql",
        include_str!("../../../../migrations/blueprints/projects-1.1/V11__user_preferences.sql"),
    ),
    (
        "V12__activity_index.sql",
        include_str!("../../../../migrations/blueprints/projects-1.1/V12__activity_index.sql"),
    ),
    (
        "V12__activity_index.sql.conf",
        include_str!("../../../../migrations/blueprints/projects-1.1/V12__activity_index.sql.conf"),
    ),
    ("R__board.sql", include_str!("../../../../migrations/blueprints/projects-1.1/R__board.sql")),
];

/// What 2.0 adds to 1.1, and has in its place.
const PROJECTS_2_0: &[(&str, &str)] = &[
    ("blueprint.toml", include_str!("../../../../migrations/blueprints/projects-2.0/blueprint.toml")),
    (
        "V13__one_place_for_preferences.sql",
        include_str!("../../../../migrations/blueprints/projects-2.0/V13__one_place_for_preferences.sql"),
    ),
    (
        "V14__labels_have_slugs.sql",
        include_str!("../../../../migrations/blueprints/projects-2.0/V14__labels_have_slugs.sql"),
    ),
    ("seed/demo.sql", include_str!("../../../../migrations/blueprints/projects-2.0/seed/demo.sql")),
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

/// What 1.1 adds to 1.0, and has in its place.
const LEDGER_1_1: &[(&str, &str)] = &[
    ("blueprint.toml", include_str!("../../../../migrations/blueprints/ledger-1.1/blueprint.toml")),
    (
        "V7__statement_currency.sql",
        include_str!("../../../../migrations/blueprints/ledger-1.1/V7__statement_currency.sql"),
    ),
    (
        "V8__fill_statement_currency.sql",
        include_str!("../../../../migrations/blueprints/ledger-1.1/V8__fill_statement_currency.sql"),
    ),
    ("V9__fee_waivers.sql", include_str!("../../../../migrations/blueprints/ledger-1.1/V9__fee_waivers.sql")),
    (
        "V10__copy_fee_waivers.sql",
        include_str!("../../../../migrations/blueprints/ledger-1.1/V10__copy_fee_waivers.sql"),
    ),
    (
        "V11__entries_index.sql",
        include_str!("../../../../migrations/blueprints/ledger-1.1/V11__entries_index.sql"),
    ),
    ("R__balances.sql", include_str!("../../../../migrations/blueprints/ledger-1.1/R__balances.sql")),
];

/// What 2.0 adds to 1.1, and has in its place.
const LEDGER_2_0: &[(&str, &str)] = &[
    ("blueprint.toml", include_str!("../../../../migrations/blueprints/ledger-2.0/blueprint.toml")),
    (
        "V12__one_place_for_waivers.sql",
        include_str!("../../../../migrations/blueprints/ledger-2.0/V12__one_place_for_waivers.sql"),
    ),
    (
        "V13__statements_have_currencies.sql",
        include_str!("../../../../migrations/blueprints/ledger-2.0/V13__statements_have_currencies.sql"),
    ),
    ("seed/demo.sql", include_str!("../../../../migrations/blueprints/ledger-2.0/seed/demo.sql")),
];

/// The files of each version of the built-in blueprints, the earlier version of a blueprint first.
pub fn built_in() -> Vec<Vec<SourceFile>> {
    let versions: [&[&[(&str, &str)]]; 6] = [
        &[PROJECTS],
        &[PROJECTS, PROJECTS_1_1],
        &[PROJECTS, PROJECTS_1_1, PROJECTS_2_0],
        &[LEDGER],
        &[LEDGER, LEDGER_1_1],
        &[LEDGER, LEDGER_1_1, LEDGER_2_0],
    ];
    versions.into_iter().map(source_files).collect()
}

/// A version's own folder has only what differs from the one before it.
fn source_files(folders: &[&[(&str, &str)]]) -> Vec<SourceFile> {
    let files: BTreeMap<&str, &str> = folders.iter().flat_map(|files| files.iter().copied()).collect();
    files
        .into_iter()
        .map(|(path, content)| SourceFile { path: path.to_owned(), content: content.to_owned() })
        .collect()
}

#[cfg(test)]
#[path = "tests/built_in.rs"]
mod tests;
