//! The SQL that a plan shows for a step: the same text that runs.

use tenantry_protocol::plan::PlanSql;

use crate::model::blueprint::{Blueprint, Migration};
use crate::model::operation::Seeding;

/// What a tenant is made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recipe<'a> {
    pub(super) blueprint: &'a Blueprint,
    pub(super) seed: Seeding,
}

pub(super) fn ours(text: &str) -> PlanSql {
    PlanSql { file: None, text: text.to_owned(), outside: false }
}

pub(super) fn files(files: &[Migration]) -> Vec<PlanSql> {
    files.iter().map(file).collect()
}

pub(super) fn file(file: &Migration) -> PlanSql {
    PlanSql { file: Some(file.path.clone()), text: file.sql.to_string(), outside: file.is_outside() }
}
