//! Logs in as the tenant's probe and attacks the canary; the tenant goes on only if every attack was refused.
//!
//! Changes nothing, so there is nothing to undo.

use sqlx::Connection as _;

use crate::isolation;
use crate::model::operation::Step;
use crate::pipeline::run::ProvisionRun;
use crate::pipeline::step::StepError;
use crate::pipeline::tracker::Tracker;
use crate::postgres::error::doing;
use crate::postgres::{canary, credentials, tenant_ddl};

pub(in crate::pipeline) async fn run(run: &mut ProvisionRun, tracker: &Tracker) -> Result<(), StepError> {
    let ready = run.ready().await?;
    let total = isolation::probes::PROBES.len();
    tracker.counted(Step::Verify, 0, total);
    if run.is_inherited {
        credentials::open_probe(
            &run.target,
            run.standing(),
            &run.tenant.placement,
            &run.probe.brief_verifier(),
        )
        .await?;
    }
    let before = canary::fingerprint(&run.target, &ready.canary).await?;
    let mut session = run.site().login(&tenant_ddl::probe_role(&run.tenant.placement), &run.probe).await?;
    let attacked = isolation::attack(&mut session, &ready.canary).await;
    session.close().await.ok();
    let mut report = attacked.map_err(doing("attack the isolation as the tenant"))?;
    report.victim_unchanged = before == canary::fingerprint(&run.target, &ready.canary).await?;
    let held = report.verdicts.iter().filter(|verdict| verdict.held).count();
    tracker.counted(Step::Verify, held, total);
    tracker.log(format!("{held} of {total} attacks were refused in {:.0} ms", report.duration_ms));
    let holds = report.holds();
    run.report = Some(report.clone());
    if holds { Ok(()) } else { Err(StepError::Isolation(Box::new(report))) }
}
