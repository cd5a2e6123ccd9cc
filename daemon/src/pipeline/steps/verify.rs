//! Logs in as the tenant's probe and attacks the canary. A new tenant goes on only if every attack was refused; of one that
//! stands, the report says what was not.
//!
//! Changes nothing but the probe's login, which is closed behind it.

use sqlx::Connection as _;
use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::isolation::{Depth, IsolationReport};
use tenantry_protocol::name::PlacementName;

use crate::isolation::{self, Ground, probes};
use crate::model::operation::Step;
use crate::pipeline::run::{ChangeRun, ProvisionRun};
use crate::pipeline::step::StepError;
use crate::pipeline::tracker::Tracker;
use crate::postgres::error::doing;
use crate::postgres::secret::Password;
use crate::postgres::target::{Ready, Target};
use crate::postgres::{canary, credentials, tenant_ddl};

/// A tenant under attack.
struct Attacked<'a> {
    target: &'a Target,
    ready: &'a Ready,
    placement: &'a PlacementName,
    tenancy: Tenancy,
    depth: Depth,
    /// Lets the probe in.
    probe: &'a Password,
}

/// The core of the battery, on a tenant that was just built.
pub(in crate::pipeline) async fn run(run: &mut ProvisionRun, tracker: &Tracker) -> Result<(), StepError> {
    let ready = run.ready().await?;
    if run.is_inherited {
        credentials::open_probe(&run.target, run.mark, &run.tenant.placement, &run.probe.brief_verifier())
            .await?;
    }
    let attacked = Attacked {
        target: &run.target,
        ready: &ready,
        placement: &run.tenant.placement,
        tenancy: run.tenant.tenancy,
        depth: Depth::Core,
        probe: &run.probe,
    };
    let report = attack(&attacked, tracker).await?;
    run.report = Some(report.clone());
    if report.holds() { Ok(()) } else { Err(StepError::Isolation(Box::new(report))) }
}

/// All of it, on a tenant that stands. What did not hold is in the report, and no failure of the verification.
pub(in crate::pipeline) async fn again(run: &mut ChangeRun, tracker: &Tracker) -> Result<(), StepError> {
    let ready = run.target.ready().await?;
    let probe = Password::generate();
    credentials::open_probe(&run.target, run.mark, run.placement(), &probe.brief_verifier()).await?;
    let attacked = Attacked {
        target: &run.target,
        ready: &ready,
        placement: run.placement(),
        tenancy: run.tenant.tenancy,
        depth: Depth::Full,
        probe: &probe,
    };
    run.report = Some(attack(&attacked, tracker).await?);
    Ok(())
}

/// The probe's login is closed, and its sessions are over.
pub(in crate::pipeline) async fn close(run: &ChangeRun) -> Result<(), StepError> {
    let ready = run.target.ready().await?;
    Ok(credentials::close_probe(&run.target, &ready, run.mark, run.placement()).await?)
}

async fn attack(on: &Attacked<'_>, tracker: &Tracker) -> Result<IsolationReport, StepError> {
    let total = probes::of(on.tenancy, on.depth).count();
    tracker.counted(Step::Verify, 0, total);
    let victim = &on.ready.canary;
    let before = canary::fingerprint(on.target, victim).await?;
    let mut session = on.target.login(&tenant_ddl::probe_role(on.placement), on.probe).await?;
    let ground = Ground { own: on.placement, victim, provisioner: &on.ready.provisioner };
    let progress = |done| tracker.counted(Step::Verify, done, total);
    let report = isolation::attack(&mut session, ground, on.tenancy, on.depth, progress).await;
    session.close().await.ok();
    let mut report = report.map_err(doing("attack the isolation as the tenant"))?;
    report.victim_unchanged = before == canary::fingerprint(on.target, victim).await?;
    report.server_version.clone_from(&on.ready.server_version);
    if on.depth == Depth::Full {
        let mut connection = on.target.acquire().await?;
        let looked = isolation::look(&mut connection, on.placement).await;
        let (lints, findings) = looked.map_err(doing("look through the catalog"))?;
        (report.lints, report.findings) = (u32::try_from(lints).unwrap_or(u32::MAX), findings);
    }
    tracker.log(format!(
        "{} of {total} attacks were refused in {:.0} ms, {} catalog findings",
        report.held(),
        report.duration_ms,
        report.findings.len()
    ));
    Ok(report)
}
