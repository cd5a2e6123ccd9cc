//! The SQL that a plan shows for a step: the same text that runs.

use tenantry_protocol::plan::PlanSql;

use crate::model::blueprint::{Blueprint, BuildFile, Migration};
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

/// A file as it is written.
pub(super) fn file(file: &Migration) -> PlanSql {
    PlanSql { outside: file.is_outside(), ..built(BuildFile::written(file)) }
}

/// A file as the one transaction of a build runs it.
pub(super) fn built(what: BuildFile<'_>) -> PlanSql {
    PlanSql { file: Some(what.file.path.clone()), text: what.sql(), outside: false }
}
