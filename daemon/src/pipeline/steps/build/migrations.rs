//! Applies the blueprint's migrations as the tenant's owner: all of them, or those before the first that runs outside the
//! transaction, if one of them cannot run in it.
//!
//! Undone by rolling the transaction back.

use std::sync::Arc;

use tenantry_protocol::plan::PlanSql;

use super::files;
use crate::model::blueprint::BuildFile;
use crate::model::operation::{Outside, Step};
use crate::pipeline::context::ProvisionRun;
use crate::pipeline::plan_sql::{self, Recipe};
use crate::pipeline::steps::{Attempt, BuildStep, StepFuture};

pub(in crate::pipeline) struct Migrations;

impl BuildStep for Migrations {
    fn sql(&self, of: Recipe<'_>) -> Vec<PlanSql> {
        match of.blueprint.in_one_transaction() {
            Some(files) => files.into_iter().map(plan_sql::built).collect(),
            None => plan_sql::files(of.blueprint.inside()),
        }
    }

    fn run<'a>(&'a self, run: &'a mut ProvisionRun, attempt: Attempt<'a>) -> StepFuture<'a> {
        Box::pin(async move {
            let blueprint = Arc::clone(&run.blueprint);
            let in_one = blueprint.in_one_transaction().filter(|_| run.outside == Outside::Without);
            let files = in_one.unwrap_or_else(|| blueprint.inside().iter().map(BuildFile::written).collect());
            files::apply(run, &files, Step::Migrations, attempt.tracker).await
        })
    }
}
