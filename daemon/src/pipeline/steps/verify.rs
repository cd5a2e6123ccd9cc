//! Logs in as the tenant's probe and attacks the canary. A new tenant goes on only if every attack was refused; of one that
//! stands, the report says what was not.
//!
//! Changes nothing but the probe's login, which is closed behind it.

use sqlx::Connection as _;
use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::isolation::{Depth, IsolationReport};
use tenantry_protocol::name::PlacementName;

use crate::isolation::{self, Ground, elsewhere, probes};
use crate::model::operation::Step;
use crate::pipeline::run::{ChangeRun, ProvisionRun};
use crate::pipeline::step::StepError;
use crate::pipeline::tracker::Tracker;
use crate::postgres::error::doing;
use crate::postgres::secret::Password;
use crate::postgres::site::Site;
use crate::postgres::target::Ready;
use crate::postgres::{canary, credentials, database_template, tenant_ddl};

/// A tenant under attack, or rather the one that attacks.
struct Attacker<'a> {
    site: Site<'a>,
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
    let report = attacker.attack(tracker).await?;
    run.report = Some(report.clone());
    if report.holds() { Ok(()) } else { Err(StepError::Isolation(Box::new(report))) }
}

/// All of it, on a tenant that stands. What did not hold is in the report, and no failure of the verification.
pub(in crate::pipeline) async fn again(run: &mut ChangeRun, tracker: &Tracker) -> Result<(), StepError> {
    let ready = run.target.ready().await?;
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
    let mut report = attacker.attack(tracker).await?;
    let mut connection = run.site().acquire().await?;
    let looked = isolation::look(&mut connection, run.placement()).await;
    let (lints, findings) = looked.map_err(doing("look through the catalog"))?;
    tracker.log(format!("{} catalog lints have {} findings", lints, findings.len()));
    (report.lints, report.findings) = (u32::try_from(lints).unwrap_or(u32::MAX), findings);
    run.report = Some(report);
    Ok(())
}

/// The probe's login is closed, and its sessions are over.
pub(in crate::pipeline) async fn close(run: &ChangeRun) -> Result<(), StepError> {
    let ready = run.target.ready().await?;
    Ok(credentials::close_probe(&run.target, &ready, run.mark, run.placement()).await?)
}

impl Attacker<'_> {
    async fn attack(&self, tracker: &Tracker) -> Result<IsolationReport, StepError> {
        if self.tenancy != Tenancy::Database {
            return self.attack_canary(self.site.target.site(), &self.ready.canary, &[], tracker).await;
        }
        // The victim has a database of its own, as the tenant has.
        let target = self.site.target;
        let prepared = database_template::prepared(target, self.ready).await?;
        let (victim, canary) = (prepared.canary.site(target), &prepared.canary.placement);
        let elsewhere = [
            ("connect_target", target.database()),
            ("connect_victim", canary.as_str()),
            ("connect_template", prepared.template.as_str()),
        ];
        self.attack_canary(victim, canary, &elsewhere, tracker).await
    }

    /// `lives_at` is where the canary lives, `elsewhere` what else the tenant tries to get into.
    async fn attack_canary(
        &self,
        lives_at: Site<'_>,
        canary: &PlacementName,
        elsewhere: &[elsewhere::Elsewhere<'_>],
        tracker: &Tracker,
    ) -> Result<IsolationReport, StepError> {
        let beside = elsewhere.len();
        let total = beside + probes::of(self.tenancy, self.depth).count();
        tracker.counted(Step::Verify, 0, total);
        let before = canary::fingerprint(lives_at, canary).await?;
        let role = tenant_ddl::probe_role(self.placement);
        let mut session = self.site.login(&role, self.probe).await?;
        let mut verdicts = elsewhere::log_in(self.site, &role, self.probe, elsewhere).await?;
        let ground = Ground { own: self.placement, victim: canary, provisioner: &self.ready.provisioner };
        let progress = |done| tracker.counted(Step::Verify, beside + done, total);
        let report = isolation::attack(&mut session, ground, self.tenancy, self.depth, progress).await;
        session.close().await.ok();
        let mut report = report.map_err(doing("attack the isolation as the tenant"))?;
        verdicts.append(&mut report.verdicts);
        report.verdicts = verdicts;
        report.victim_unchanged = before == canary::fingerprint(lives_at, canary).await?;
        report.server_version.clone_from(&self.ready.server_version);
        let ms = report.duration_ms;
        tracker.log(format!("{} of {total} attacks were refused in {ms:.0} ms", report.held()));
        Ok(report)
    }
}
