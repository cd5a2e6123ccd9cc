//! Logs in as the tenant's probe and attacks the canary. Two steps use it: the one that verifies a new tenant, and the
//! one that verifies an existing tenant.

use sqlx::Connection as _;
use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::isolation::{Depth, IsolationReport};
use tenantry_protocol::name::PlacementName;
use uuid::Uuid;

use crate::isolation::{self, Ground, Looked, elsewhere, probes};
use crate::model::operation::Step;
use crate::pipeline::step_error::StepError;
use crate::pipeline::tracker::Tracker;
use crate::postgres::error::doing;
use crate::postgres::preparation::groundwork::groundwork;
use crate::postgres::secret::Password;
use crate::postgres::target::Ready;
use crate::postgres::target::location::Site;
use crate::postgres::tenancy::shared::pools;
use crate::postgres::tenant_ddl;
use crate::postgres::{self, canary};

/// The number of shared tables that are read in each battery.
const LARGEST: i64 = 3;

/// The tenant whose isolation is tested; its probe is the attacker.
pub(super) struct Attacker<'a> {
    pub(super) site: Site<'a>,
    pub(super) ready: &'a Ready,
    pub(super) placement: &'a PlacementName,
    pub(super) tenancy: Tenancy,
    pub(super) depth: Depth,
    /// The password that the probe logs in with.
    pub(super) probe: &'a Password,
}

/// What is attacked.
#[derive(Clone, Copy)]
struct Victim<'a> {
    /// Where the canary lives.
    site: Site<'a>,
    placement: &'a PlacementName,
    /// The pool whose tables the attacker shares; its own placement if it shares none.
    pool: &'a PlacementName,
    /// Another tenant that has rows there.
    neighbour: Uuid,
    /// Some of the tables there.
    tables: &'a [String],
}

impl Attacker<'_> {
    /// The pool whose tables the tenant shares.
    pub(super) async fn pool(&self) -> Result<Option<PlacementName>, StepError> {
        match self.tenancy {
            Tenancy::Shared => Ok(pools::of_placement(self.site.target, self.placement).await?),
            _ => Ok(None),
        }
    }

    pub(super) async fn attack(&self, tracker: &Tracker) -> Result<IsolationReport, StepError> {
        match self.tenancy {
            Tenancy::Database => self.attack_elsewhere(tracker).await,
            Tenancy::Shared => self.attack_pool(tracker).await,
            _ => self.attack_beside(self.placement, Uuid::nil(), &[], tracker).await,
        }
    }

    /// Attacks a canary in the same database.
    async fn attack_beside(
        &self,
        pool: &PlacementName,
        neighbour: Uuid,
        tables: &[String],
        tracker: &Tracker,
    ) -> Result<IsolationReport, StepError> {
        let placement = &self.ready.canary;
        let victim = Victim { site: self.site.target.site(), placement, pool, neighbour, tables };
        self.attack_canary(victim, &[], tracker).await
    }

    /// Also attacks a canary's row in the shared tables.
    async fn attack_pool(&self, tracker: &Tracker) -> Result<IsolationReport, StepError> {
        let Some(pool) = self.pool().await? else {
            let why = format!("{} is in none", self.placement);
            return Err(postgres::Error::Corrupt { what: "the tenant's pool", why }.into());
        };
        let neighbour = pools::canary(self.site.target, &pool).await?;
        let before = pools::picture(self.site.target, &pool).await?;
        let tables = pools::largest_tables(self.site.target, &pool, LARGEST).await?;
        let mut report = self.attack_beside(&pool, neighbour, &tables, tracker).await?;
        report.victim_unchanged &= before == pools::picture(self.site.target, &pool).await?;
        Ok(report)
    }

    async fn attack_elsewhere(&self, tracker: &Tracker) -> Result<IsolationReport, StepError> {
        // The victim has a database of its own, as the tenant has.
        let target = self.site.target;
        let prepared = groundwork(target, self.ready).await?;
        let canary = &prepared.canary.placement;
        let victim = Victim {
            site: prepared.canary.site(target),
            placement: canary,
            pool: self.placement,
            neighbour: Uuid::nil(),
            tables: &[],
        };
        let elsewhere = [
            ("connect_target", target.database()),
            ("connect_victim", canary.as_str()),
            ("connect_template", prepared.template.as_str()),
        ];
        self.attack_canary(victim, &elsewhere, tracker).await
    }

    /// Looks through the catalog; `home` is the placement whose schema holds the tenant's tables.
    pub(super) async fn look(&self, home: &PlacementName) -> Result<Looked, StepError> {
        let mut connection = match self.depth {
            Depth::Full => self.site.acquire().await?,
            _ => self.site.read().await?,
        };
        let looked = isolation::look(&mut connection, self.placement, home, self.depth).await;
        Ok(looked.map_err(doing("look through the catalog"))?)
    }

    pub(super) fn add(&self, looked: Looked, report: &mut IsolationReport, tracker: &Tracker) {
        looked.add_to(report);
        if self.depth == Depth::Full || report.found() > 0 {
            tracker.log(format!("{} catalog lints have {} findings", report.lints, report.found()));
        }
    }

    async fn fingerprint(&self, victim: Victim<'_>) -> Result<String, StepError> {
        Ok(match self.depth {
            Depth::Full => canary::whole_fingerprint(victim.site, victim.placement).await?,
            _ => canary::fingerprint(victim.site, victim.placement).await?,
        })
    }

    /// `elsewhere` lists the other databases that the tenant tries to get into.
    async fn attack_canary(
        &self,
        victim: Victim<'_>,
        elsewhere: &[elsewhere::Neighbour<'_>],
        tracker: &Tracker,
    ) -> Result<IsolationReport, StepError> {
        let beside = elsewhere.len();
        let total = beside + probes::of(self.tenancy, self.depth).count();
        tracker.counted(Step::Verify, 0, total);
        let role = tenant_ddl::probe_role(self.placement);
        // A login attacks nothing.
        let (before, session) = tokio::join!(self.fingerprint(victim), self.site.login(&role, self.probe));
        let (before, mut session) = (before?, session?);
        let mut verdicts = elsewhere::log_in(self.site, &role, self.probe, elsewhere).await?;
        let Victim { placement: canary, pool, neighbour, tables, .. } = victim;
        let ground = Ground {
            own: self.placement,
            victim: canary,
            pool,
            neighbour,
            tables,
            provisioner: &self.ready.provisioner,
        };
        let progress = |done| tracker.counted(Step::Verify, beside + done, total);
        let report = isolation::attack(&mut session, ground, self.tenancy, self.depth, progress).await;
        session.close().await.ok();
        let mut report = report.map_err(doing("attack the isolation as the tenant"))?;
        verdicts.append(&mut report.verdicts);
        report.verdicts = verdicts;
        report.victim_unchanged = before == self.fingerprint(victim).await?;
        report.server_version.clone_from(&self.ready.server_version);
        let ms = report.duration_ms;
        tracker.log(format!("{} of {total} attacks were refused in {ms:.0} ms", report.held()));
        Ok(report)
    }
}
