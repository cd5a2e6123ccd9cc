//! Reserves the placement of a tenant's own database on the target.
//!
//! Undone by the removal of the whole tenant. Can be repeated, before each build of the same tenant.

use tenantry_protocol::plan::PlanSql;

use crate::pipeline::context::ProvisionRun;
use crate::pipeline::plan_sql::{Recipe, ours};
use crate::pipeline::steps::{Attempt, BuildStep, StepFuture};
use crate::postgres::tenancy::database::databases;
use crate::postgres::tenant_ddl;

pub(in crate::pipeline) struct Reserve;

impl BuildStep for Reserve {
    fn sql(&self, _: Recipe<'_>) -> Vec<PlanSql> {
        vec![ours(tenant_ddl::RESERVE)]
    }

    fn run<'a>(&'a self, run: &'a mut ProvisionRun, _: Attempt<'a>) -> StepFuture<'a> {
        Box::pin(async {
            // The bookkeeping exists once the target is ready.
            run.ready().await?;
            let (mark, placement) = (run.standing(), &run.tenant.placement);
            Ok(databases::reserve(&run.target, mark, placement, run.owner()).await?)
        })
    }
}
