//! Lets the new roles stand for the tenant in the shared tables: from here on they see the tenant's rows there, and no
//! others.
//!
//! Undone by rolling the transaction back.

use tenantry_protocol::plan::PlanSql;

use crate::pipeline::context::ProvisionRun;
use crate::pipeline::plan_sql::{Recipe, ours};
use crate::pipeline::step_error::StepError;
use crate::pipeline::steps::build::pool::identity;
use crate::pipeline::steps::{Attempt, BuildStep, StepFuture};
use crate::postgres::pool_ddl;

pub(in crate::pipeline) struct Join;

impl BuildStep for Join {
    fn sql(&self, _: Recipe<'_>) -> Vec<PlanSql> {
        vec![ours(pool_ddl::JOIN)]
    }

    fn run<'a>(&'a self, run: &'a mut ProvisionRun, _: Attempt<'a>) -> StepFuture<'a> {
        Box::pin(async {
            let pool = run.pool.clone().ok_or(StepError::OutOfOrder { lacks: "the shared tables" })?;
            let (mark, tenant) = (run.mark, run.tenant.id);
            let identity = identity(&run.blueprint);
            Ok(run.open_build()?.join(mark, (&pool, &identity), tenant).await?)
        })
    }
}
