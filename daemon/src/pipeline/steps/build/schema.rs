//! Creates the schema, and sets the default privileges before anything is created in it.
//!
//! Undone by rolling the transaction back.

use tenantry_protocol::plan::PlanSql;

use crate::pipeline::context::ProvisionRun;
use crate::pipeline::plan_sql::{Recipe, ours};
use crate::pipeline::steps::{Attempt, BuildStep, StepFuture};
use crate::postgres::tenant_ddl;

pub(in crate::pipeline) struct CreateSchema;

impl BuildStep for CreateSchema {
    fn sql(&self, _: Recipe<'_>) -> Vec<PlanSql> {
        vec![ours(tenant_ddl::SCHEMA)]
    }

    fn run<'a>(&'a self, run: &'a mut ProvisionRun, _: Attempt<'a>) -> StepFuture<'a> {
        Box::pin(async { Ok(run.open_build()?.create_schema().await?) })
    }
}
