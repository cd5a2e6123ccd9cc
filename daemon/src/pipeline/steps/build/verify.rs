//! Attacks the isolation as the tenant that was just built. The provision goes on only if every attack was refused.
//!
//! Undone by the removal of the whole tenant.

use tenantry_protocol::isolation::Depth;
use tenantry_protocol::plan::PlanSql;

use crate::isolation::probes;
use crate::pipeline::context::ProvisionRun;
use crate::pipeline::plan_sql::{Recipe, ours};
use crate::pipeline::step_error::StepError;
use crate::pipeline::steps::attack::Attacker;
use crate::pipeline::steps::{Attempt, BuildStep, StepFuture};
use crate::pipeline::tracker::Tracker;
use crate::postgres::credentials;

pub(in crate::pipeline) struct VerifyBuild;

impl BuildStep for VerifyBuild {
    fn sql(&self, of: Recipe<'_>) -> Vec<PlanSql> {
        let probes = probes::of(of.blueprint.tenancy, Depth::Core);
        probes.flat_map(|probe| probe.attacks).map(|attack| ours(&format!("{};\n", attack.sql))).collect()
    }

    fn run<'a>(&'a self, run: &'a mut ProvisionRun, attempt: Attempt<'a>) -> StepFuture<'a> {
        Box::pin(attack_new(run, attempt.tracker))
    }
}

/// Runs the core of the battery on a tenant that was just built.
async fn attack_new(run: &mut ProvisionRun, tracker: &Tracker) -> Result<(), StepError> {
    let ready = run.ready().await?;
    let placement = &run.tenant.placement;
    if run.is_inherited {
        credentials::open_probe(&run.target, run.standing(), placement, &run.probe.brief_verifier()).await?;
    }
    let attacker = Attacker {
        site: run.site(),
        ready: &ready,
        placement,
        tenancy: run.tenant.tenancy,
        depth: Depth::Core,
        probe: &run.probe,
    };
    // For a tenant in a pool, look at what its seed made beside the tables; the tables were checked when they were built.
    let pool = attacker.pool().await?;
    // Both run at the same time: the attacks are rolled back, so they do not change the catalog.
    let (report, looked) =
        tokio::join!(attacker.attack(tracker), attacker.look(pool.as_ref().unwrap_or(placement)));
    let mut report = report?;
    attacker.add(looked?, &mut report, tracker);
    let report = report.bounded();
    run.report = Some(report.clone());
    if report.holds() { Ok(()) } else { Err(StepError::Isolation(Box::new(report))) }
}
