//! Opens the build with its marker and creates the tenant's roles.
//!
//! Undone by rolling the transaction back.

use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::plan::PlanSql;

use crate::pipeline::context::ProvisionRun;
use crate::pipeline::plan_sql::{Recipe, ours};
use crate::pipeline::steps::{Attempt, BuildStep, StepFuture, install_extensions};
use crate::postgres::build::runner::Build;
use crate::postgres::pool_ddl;
use crate::postgres::tenant_ddl::{self, LoginLimits};

pub(in crate::pipeline) struct Roles;

impl BuildStep for Roles {
    fn sql(&self, of: Recipe<'_>) -> Vec<PlanSql> {
        let roles = match of.blueprint.tenancy {
            Tenancy::Shared => pool_ddl::SHARED_ROLES,
            tenancy => tenant_ddl::roles(tenancy),
        };
        [roles, tenant_ddl::TEMP_FILES].map(ours).into()
    }

    fn run<'a>(&'a self, run: &'a mut ProvisionRun, attempt: Attempt<'a>) -> StepFuture<'a> {
        Box::pin(async move {
            let ready = run.ready().await?;
            // In shared tables, the files have run before.
            if run.pool.is_none() {
                install_extensions(run.site(), &run.blueprint, attempt.tracker).await?;
            }
            let owner = run.owner();
            let mut build = Build::begin(run.site(), &ready, run.mark, &run.tenant.placement, owner).await?;
            let limits = LoginLimits::of(&run.tenant.settings);
            let probe = run.probe.brief_verifier();
            let made = match &run.pool {
                Some(pool) => build.create_shared_roles(pool, limits, &probe).await,
                None => build.create_roles(limits, &probe).await,
            };
            run.build = Some(build);
            Ok(made?)
        })
    }
}
