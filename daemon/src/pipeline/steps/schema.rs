//! Creates the schema, and sets the default privileges before anything is created in it.
//!
//! Undone by giving the transaction up.

use crate::pipeline::context::ProvisionRun;
use crate::pipeline::step::StepError;

pub(in crate::pipeline) async fn run(run: &mut ProvisionRun) -> Result<(), StepError> {
    Ok(run.open_build()?.create_schema().await?)
}
