//! Applies the blueprint's migrations as the tenant's owner.
//!
//! Undone by giving the transaction up.

use std::sync::Arc;

use crate::model::operation::Step;
use crate::pipeline::context::ProvisionRun;
use crate::pipeline::step::StepError;
use crate::pipeline::tracker::Tracker;

pub(in crate::pipeline) async fn run(run: &mut ProvisionRun, tracker: &Tracker) -> Result<(), StepError> {
    let blueprint = Arc::clone(&run.blueprint);
    super::files::apply(run, blueprint.inside(), Step::Migrations, tracker).await
}
