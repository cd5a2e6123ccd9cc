//! Creates a tenant's own database from the target's template, outside any transaction.
//!
//! Undone by the removal of the whole tenant. Can be repeated, before each build of the same tenant.

use tenantry_protocol::plan::PlanSql;

use crate::pipeline::context::ProvisionRun;
use crate::pipeline::plan_sql::{Recipe, ours};
use crate::pipeline::steps::{Attempt, BuildStep, StepFuture};
use crate::postgres::preparation;
use crate::postgres::preparation::groundwork::groundwork;
use crate::postgres::tenancy::database::databases;
use crate::postgres::tenant_ddl;

pub(in crate::pipeline) struct CreateDatabase;

impl BuildStep for CreateDatabase {
    fn sql(&self, _: Recipe<'_>) -> Vec<PlanSql> {
        [tenant_ddl::JOIN_OWNER, tenant_ddl::CREATE_DATABASE, tenant_ddl::OPEN_DATABASE].map(ours).into()
    }

    fn run<'a>(&'a self, run: &'a mut ProvisionRun, _: Attempt<'a>) -> StepFuture<'a> {
        Box::pin(async {
            let ready = run.ready().await?;
            let prepared = groundwork(&run.target, &ready).await?;
            let (mark, placement) = (run.standing(), &run.tenant.placement);
            let was_there =
                databases::create(&run.target, &ready, mark, placement, &prepared.template).await?;
            if was_there {
                // An earlier release may have made it.
                preparation::bring_up(run.site()).await?;
            }
            Ok(())
        })
    }
}
