//! Marks the tenant active on its target and closes the probe's login, in one transaction.
//!
//! Undone by the removal of the whole tenant.

use tenantry_protocol::plan::PlanSql;

use crate::pipeline::context::ProvisionRun;
use crate::pipeline::plan_sql::{Recipe, ours};
use crate::pipeline::steps::{Attempt, BuildStep, StepFuture};
use crate::postgres::{credentials, tenant_ddl};

pub(in crate::pipeline) struct Activate;

impl BuildStep for Activate {
    fn sql(&self, _: Recipe<'_>) -> Vec<PlanSql> {
        vec![ours(tenant_ddl::CLOSE_PROBE)]
    }

    fn run<'a>(&'a self, run: &'a mut ProvisionRun, _: Attempt<'a>) -> StepFuture<'a> {
        Box::pin(async {
            Ok(credentials::activate(&run.target, run.standing(), &run.tenant.placement).await?)
        })
    }
}
