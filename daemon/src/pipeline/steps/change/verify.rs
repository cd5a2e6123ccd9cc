//! Runs the whole battery on an existing tenant. An attack that succeeded is in the report; it does not fail the
//! verification.
//!
//! Changes only the probe's login. Undone by closing that login.

use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::isolation::Depth;

use super::{close_probe, drift};
use crate::isolation;
use crate::pipeline::context::ChangeRun;
use crate::pipeline::step_error::StepError;
use crate::pipeline::steps::attack::Attacker;
use crate::pipeline::steps::{Attempt, ChangeStep, StepFuture};
use crate::pipeline::tracker::Tracker;
use crate::postgres::credentials;
use crate::postgres::preparation;
use crate::postgres::secret::Password;
use crate::postgres::tenancy::shared::{pools, shared_names};

pub(in crate::pipeline) struct VerifyTenant;

impl ChangeStep for VerifyTenant {
    fn run<'a>(&'a self, run: &'a mut ChangeRun, attempt: Attempt<'a>) -> StepFuture<'a> {
        Box::pin(attack_again(run, attempt.tracker))
    }

    fn undo<'a>(&'a self, run: &'a ChangeRun) -> StepFuture<'a> {
        Box::pin(close_probe::close(run))
    }
}

async fn attack_again(run: &mut ChangeRun, tracker: &Tracker) -> Result<(), StepError> {
    let ready = preparation::ready(&run.target).await?;
    let probe = Password::generate();
    credentials::open_probe(&run.target, run.mark, run.placement(), &probe.brief_verifier()).await?;
    let attacker = Attacker {
        site: run.site(),
        ready: &ready,
        placement: run.placement(),
        tenancy: run.tenant.tenancy,
        depth: Depth::Full,
        probe: &probe,
    };
    let pool = attacker.pool().await?;
    if run.tenant.tenancy != Tenancy::Database {
        // Any of the tenants could have made these objects, so the others must not be judged by them.
        let taken = shared_names::take_away(&run.target, &ready, pool.as_ref()).await?;
        if taken > 0 {
            tracker.log(format!(
                "took {taken} things away that somebody made in the name of a role that tenants share"
            ));
        }
    }
    let mut report = attacker.attack(tracker).await?;
    let looked = attacker.look(pool.as_ref().unwrap_or_else(|| run.placement())).await?;
    attacker.add(looked, &mut report, tracker);
    if let Some(pool) = &pool {
        let mut connection = run.site().acquire().await?;
        report.lints += 1;
        report.findings.extend(isolation::uncovered(pools::uncovered(&mut connection, pool).await?));
    }
    run.report = Some(report.bounded());
    drift::tell(run, tracker).await;
    Ok(())
}
