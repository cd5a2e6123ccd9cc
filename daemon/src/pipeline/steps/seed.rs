//! Loads the blueprint's seed data, under the same bounds as its migrations.
//!
//! Undone by giving the transaction up.

use std::sync::Arc;

use crate::model::operation::Step;
use crate::pipeline::context::ProvisionRun;
use crate::pipeline::step::StepError;
use crate::pipeline::tracker::Tracker;

pub(in crate::pipeline) async fn run(run: &mut ProvisionRun, tracker: &Tracker) -> Result<(), StepError> {
    let blueprint = Arc::clone(&run.blueprint);
    super::files::apply(run, &blueprint.seed, Step::Seed, tracker).await
}
