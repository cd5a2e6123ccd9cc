//! Commits the one transaction: from here on, the whole tenant exists.
//!
//! An error says nothing about the outcome. The undo asks the marker, and removes a tenant that was committed after all.

use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::plan::PlanSql;

use crate::pipeline::context::ProvisionRun;
use crate::pipeline::plan_sql::{Recipe, ours};
use crate::pipeline::steps::{Attempt, BuildStep, StepFuture};
use crate::postgres::pool_ddl;
use crate::postgres::tenant_ddl;

pub(in crate::pipeline) struct Commit;

impl BuildStep for Commit {
    fn sql(&self, of: Recipe<'_>) -> Vec<PlanSql> {
        let is_shared = of.blueprint.tenancy == Tenancy::Shared;
        vec![ours(if is_shared { pool_ddl::SHARED_SEAL } else { tenant_ddl::SEAL }), ours("commit;\n")]
    }

    fn run<'a>(&'a self, run: &'a mut ProvisionRun, _: Attempt<'a>) -> StepFuture<'a> {
        Box::pin(async {
            let build = run.take_build()?;
            Ok(build.commit(run.site()).await?)
        })
    }
}
