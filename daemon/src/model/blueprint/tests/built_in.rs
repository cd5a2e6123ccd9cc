//! The built-in blueprints must meet the same requirements as uploaded ones, and their folders must match what is
//! compiled in. A file that is forgotten in either place fails here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::plan::Severity;

use super::*;
use crate::model::blueprint::{Blueprint, Contract, live_findings, parse, parse_judged};

#[test]
fn every_built_in_blueprint_is_without_findings() {
    for files in built_in() {
        let parsed = parse(&files);
        let faults = parsed.findings.iter().filter(|finding| finding.severity != Severity::Ok);
        assert_eq!(faults.count(), 0, "{:?}", parsed.findings);
        assert!(parsed.blueprint.is_some());
    }
}

#[test]
fn projects_is_a_blueprint_of_some_size() {
    let projects = parse(&built_in()[0]).blueprint.unwrap();
    assert_eq!((projects.name.as_str(), projects.version.to_string().as_str()), ("projects", "1.0"));
    assert_eq!((projects.tables, projects.migrations.len(), projects.seed.len()), (25, 11, 1));
    assert_eq!(projects.migrations.last().unwrap().path, "R__reports.sql");
    assert_eq!(parse(&projects.source_files()).blueprint, Some(projects));
}

/// The three versions of a blueprint whose first one is at this place, the earliest first.
fn versions(first: usize) -> [Blueprint; 3] {
    [0, 1, 2].map(|at: usize| parse(&built_in()[first + at]).blueprint.unwrap())
}

/// The files that an upgrade from the one to the other is warned of.
fn found(from: &Blueprint, to: &Blueprint) -> Vec<String> {
    live_findings(from, to).into_iter().map(|one| format!("{} {}", one.file.unwrap(), one.code)).collect()
}

#[test]
fn projects_expands_and_then_contracts() {
    let [first, second, third] = versions(0);
    let versions = [&first, &second, &third].map(|version| version.version.to_string());
    assert_eq!(versions, ["1.0", "1.1", "2.0"]);
    assert_eq!([first.contract, second.contract].map(|one| one.is_some()), [false, false]);
    assert_eq!(third.contract, Some(Contract { after: second.version, soak: Duration::ZERO }));
    // Labels are few; the file says so.
    assert_eq!(found(&first, &second), ["V10__label_slugs.sql live_unbatched"]);
    assert_eq!(found(&second, &third), [""; 0]);
}

#[test]
fn ledger_is_for_tenants_that_share_its_tables() {
    let ledger = parse(&built_in()[3]).blueprint.unwrap();
    assert_eq!((ledger.name.as_str(), ledger.tenancy), ("ledger", Tenancy::Shared));
    assert_eq!((ledger.tables, ledger.migrations.len(), ledger.seed.len()), (12, 7, 1));
    assert!(ledger.outside().is_empty());
    assert_eq!(parse(&ledger.source_files()).blueprint, Some(ledger));
}

#[test]
fn ledger_expands_and_then_contracts() {
    let [first, second, third] = versions(3);
    let numbers = [&first, &second, &third].map(|version| version.version.to_string());
    assert_eq!(numbers, ["1.0", "1.1", "2.0"]);
    assert_eq!([first.contract, second.contract].map(|one| one.is_some()), [false, false]);
    assert_eq!(third.contract, Some(Contract { after: second.version, soak: Duration::ZERO }));
    // Both files say so.
    let costs = ["V11__entries_index.sql live_index", "V8__fill_statement_currency.sql live_unbatched"];
    assert_eq!(found(&first, &second), costs);
    assert_eq!(found(&second, &third), [""; 0]);
    let data: Vec<&str> =
        third.migrations.iter().filter(|file| file.is_data()).map(|file| file.path.as_str()).collect();
    assert_eq!(data, ["V8__fill_statement_currency.sql", "V10__copy_fee_waivers.sql"]);
}

#[test]
fn no_file_of_a_folder_is_left_out() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/blueprints");
    let folders: [&[&str]; 6] = [
        &["projects"],
        &["projects", "projects-1.1"],
        &["projects", "projects-1.1", "projects-2.0"],
        &["ledger"],
        &["ledger", "ledger-1.1"],
        &["ledger", "ledger-1.1", "ledger-2.0"],
    ];
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 6, "each folder is in the list");
    for (files, folders) in built_in().into_iter().zip(folders) {
        let compiled: BTreeSet<String> = files.into_iter().map(|file| file.path).collect();
        let mut present = BTreeSet::new();
        for (folder, part) in folders.iter().flat_map(|folder| [(folder, ""), (folder, "seed/")]) {
            // A version may have no seed of its own.
            let Ok(entries) = std::fs::read_dir(root.join(folder).join(part)) else { continue };
            for entry in
                entries.map(|entry| entry.unwrap()).filter(|entry| entry.file_type().unwrap().is_file())
            {
                present.insert(format!("{part}{}", entry.file_name().to_str().unwrap()));
            }
        }
        assert_eq!(compiled, present);
    }
}

#[test]
fn what_was_judged_before_is_read_as_the_same_blueprint() {
    for files in built_in() {
        assert_eq!(parse_judged(&files), parse(&files).blueprint);
    }
}
