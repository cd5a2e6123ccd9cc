//! The built-in blueprints must meet the same requirements as uploaded ones, and their folders must match what is
//! compiled in. A file that is forgotten in either place fails here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use tenantry_protocol::blueprint::Tenancy;

use super::*;
use crate::model::blueprint::parse;

#[test]
fn every_built_in_blueprint_is_without_findings() {
    for files in built_in() {
        let parsed = parse(&files);
        assert_eq!(parsed.findings, []);
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

#[test]
fn ledger_is_for_tenants_that_share_its_tables() {
    let ledger = parse(&built_in()[1]).blueprint.unwrap();
    assert_eq!((ledger.name.as_str(), ledger.tenancy), ("ledger", Tenancy::Shared));
    assert_eq!((ledger.tables, ledger.migrations.len(), ledger.seed.len()), (12, 7, 1));
    assert!(ledger.outside().is_empty());
    assert_eq!(parse(&ledger.source_files()).blueprint, Some(ledger));
}

#[test]
fn no_file_of_a_folder_is_left_out() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/blueprints");
    for files in built_in() {
        let name = parse(&files).blueprint.unwrap().name;
        let mut compiled: Vec<String> = files.into_iter().map(|file| file.path).collect();
        let mut present = Vec::new();
        for folder in ["", "seed/"] {
            for entry in std::fs::read_dir(root.join(name.as_str()).join(folder)).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_file() {
                    present.push(format!("{folder}{}", entry.file_name().to_str().unwrap()));
                }
            }
        }
        compiled.sort();
        present.sort();
        assert_eq!(compiled, present);
    }
}
