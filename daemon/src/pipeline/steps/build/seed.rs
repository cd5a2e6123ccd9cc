//! Loads the blueprint's seed data, under the same bounds as its migrations.
//!
//! Undone by rolling the transaction back.

use std::sync::Arc;

use tenantry_protocol::plan::PlanSql;

use super::files;
use crate::model::blueprint::BuildFile;
use crate::model::operation::Step;
use crate::pipeline::context::ProvisionRun;
use crate::pipeline::plan_sql::{self, Recipe};
use crate::pipeline::steps::{Attempt, BuildStep, StepFuture};

pub(in crate::pipeline) struct Seed;

impl BuildStep for Seed {
    fn sql(&self, of: Recipe<'_>) -> Vec<PlanSql> {
        plan_sql::files(&of.blueprint.seed)
    }

    fn run<'a>(&'a self, run: &'a mut ProvisionRun, attempt: Attempt<'a>) -> StepFuture<'a> {
        Box::pin(async move {
            let blueprint = Arc::clone(&run.blueprint);
            let files: Vec<BuildFile<'_>> = blueprint.seed.iter().map(BuildFile::written).collect();
            files::apply(run, &files, Step::Seed, attempt.tracker).await
        })
    }
}
