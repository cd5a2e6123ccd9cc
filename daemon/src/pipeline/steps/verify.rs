//! Logs in as the tenant's probe and attacks the canary; the tenant goes on only if every attack was refused.
//!
//! Changes nothing, so there is nothing to undo.

use sqlx::Connection as _;
use tenantry_protocol::isolation::IsolationReport;

use crate::isolation;
use crate::model::operation::Step;
use crate::pipeline::run::ProvisionRun;
use crate::pipeline::step::StepError;
use crate::pipeline::tracker::Tracker;
use crate::postgres::error::doing;
use crate::postgres::target::Ready;
use crate::postgres::{canary, credentials, database_template, tenant_ddl};

pub(in crate::pipeline) async fn run(run: &mut ProvisionRun, tracker: &Tracker) -> Result<(), StepError> {
    let ready = run.ready().await?;
    if run.is_inherited {
        credentials::open_probe(
            &run.target,
            run.standing(),
            &run.tenant.placement,
            &run.probe.brief_verifier(),
        )
        .await?;
    }
    let report = if run.site().is_own_database() {
        attack_elsewhere(run, &ready, tracker).await?
    } else {
        attack_beside(run, &ready, tracker).await?
    };
    let total = report.verdicts.len();
    let held = report.verdicts.iter().filter(|verdict| verdict.held).count();
    tracker.counted(Step::Verify, held, total);
    tracker.log(format!("{held} of {total} attacks were refused in {:.0} ms", report.duration_ms));
    let holds = report.holds();
    run.report = Some(report.clone());
    if holds { Ok(()) } else { Err(StepError::Isolation(Box::new(report))) }
}

/// The victim is in the same database.
async fn attack_beside(
    run: &ProvisionRun,
    ready: &Ready,
    tracker: &Tracker,
) -> Result<IsolationReport, StepError> {
    tracker.counted(Step::Verify, 0, isolation::probes::PROBES.len());
    let (victim, canary) = (run.target.site(), &ready.canary);
    let before = canary::fingerprint(victim, canary).await?;
    let mut session = run.site().login(&tenant_ddl::probe_role(&run.tenant.placement), &run.probe).await?;
    let attacked = isolation::attack(&mut session, canary).await;
    session.close().await.ok();
    let mut report = attacked.map_err(doing("attack the isolation as the tenant"))?;
    report.victim_unchanged = before == canary::fingerprint(victim, canary).await?;
    Ok(report)
}

/// The victim has a database of its own, as the tenant has.
async fn attack_elsewhere(
    run: &ProvisionRun,
    ready: &Ready,
    tracker: &Tracker,
) -> Result<IsolationReport, StepError> {
    let prepared = database_template::prepared(&run.target, ready).await?;
    let (victim, canary) = (prepared.canary.site(&run.target), &prepared.canary.placement);
    let elsewhere = [
        ("connect_target", run.target.database()),
        ("connect_victim", canary.as_str()),
        ("connect_template", prepared.template.as_str()),
    ];
    tracker.counted(Step::Verify, 0, elsewhere.len() + isolation::elsewhere::BESIDE);
    let before = canary::fingerprint(victim, canary).await?;
    let role = tenant_ddl::probe_role(&run.tenant.placement);
    let attacked = isolation::elsewhere::attack(run.site(), &role, &run.probe, &elsewhere, canary).await;
    let mut report = attacked?;
    report.victim_unchanged = before == canary::fingerprint(victim, canary).await?;
    Ok(report)
}
