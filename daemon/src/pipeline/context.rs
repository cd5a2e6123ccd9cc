//! What a running operation holds between its steps.

use std::sync::Arc;

use tenantry_protocol::id::{OperationId, TenantId};
use tenantry_protocol::isolation::IsolationReport;
use tenantry_protocol::name::{BlueprintName, BlueprintVersion, PlacementName};
use tenantry_protocol::tenant::{Tenant, TenantState};

use crate::audit::Trail;
use crate::model::blueprint::Blueprint;
use crate::model::operation::{Kind, Outside, Seeding};
use crate::postgres::build::runner::Build;
use crate::postgres::control::tenants::NewTenant;
use crate::postgres::preparation;
use crate::postgres::removal::Removal;
use crate::postgres::secret::{Password, Verifier};
use crate::postgres::target::location::{Home, Site};
use crate::postgres::target::marker::{Mark, Owner};
use crate::postgres::target::settlement::{self, Settled};
use crate::postgres::target::{Ready, Target};
use crate::postgres::tenancy::database::databases;

use super::admission::{self, TakenPlace};
use super::arguments::OperationArguments;
use super::step_error::StepError;
use super::warden::Warden;

/// A step needs the transaction that the step `roles` opens.
pub(super) const NOT_OPEN: StepError = StepError::OutOfOrder { lacks: "an open transaction" };

/// A running provision.
pub(super) struct ProvisionRun {
    pub(super) mark: Mark,
    pub(super) tenant: NewTenant,
    pub(super) blueprint: Arc<Blueprint>,
    pub(super) target: Arc<Target>,
    pub(super) home: Home,
    /// Known once the target has been reached, which is part of the first step.
    pub(super) ready: Option<Arc<Ready>>,
    /// The shared tables that the tenant joins, once they are known to exist; none for a tenancy without shared tables.
    pub(super) pool: Option<PlacementName>,
    /// The open transaction, between its first step and its last.
    pub(super) build: Option<Build>,
    /// The password of the probe during the attack. It is generated for each run and stored nowhere.
    pub(super) probe: Password,
    /// The build was committed by another daemon, or by an attempt whose secret is lost.
    pub(super) is_inherited: bool,
    pub(super) report: Option<IsolationReport>,
    pub(super) seed: Seeding,
    /// Whether files run behind the build's COMMIT.
    pub(super) outside: Outside,
    /// The operation's place on the target, once it has left the queue.
    pub(super) place: Option<TakenPlace>,
    /// Watches the locks of the builds; none if the target has not been reached yet.
    pub(super) warden: Option<Warden>,
}

/// A running change of an existing tenant, anything from a suspension to a removal.
pub(super) struct ChangeRun {
    pub(super) trail: Arc<Trail>,
    pub(super) target: Arc<Target>,
    pub(super) home: Home,
    /// The marker that stands for the tenant; it says which objects are ours.
    pub(super) mark: Mark,
    /// The marker of the tenant's build, in the database with its objects.
    pub(super) build: Mark,
    /// The operation itself.
    pub(super) id: OperationId,
    pub(super) kind: Kind,
    /// The tenant as it was before the operation.
    pub(super) tenant: Tenant,
    pub(super) before: TenantState,
    pub(super) arguments: OperationArguments,
    /// Of the secret that is to be set. A daemon that takes the operation over has none, and cannot set the secret.
    pub(super) secret: Option<Verifier>,
    /// The open transaction of an upgrade.
    pub(super) open: Option<Build>,
    /// Watches the locks of an upgrade. None for other changes, and if the target has not been reached yet.
    pub(super) warden: Option<Warden>,
    /// The placements of the tenants whose shared tables the upgrade changed, the tenant's own among them.
    pub(super) members: Vec<PlacementName>,
    pub(super) report: Option<IsolationReport>,
}

/// What a change consists of, apart from its tenant.
pub(super) struct ChangeParts {
    pub(super) id: OperationId,
    pub(super) kind: Kind,
    pub(super) trail: Arc<Trail>,
    pub(super) target: Arc<Target>,
    pub(super) arguments: OperationArguments,
    pub(super) secret: Option<Verifier>,
}

/// A running operation.
pub(super) enum Run {
    Provision(Box<ProvisionRun>),
    Change(Box<ChangeRun>),
}

impl Run {
    /// Abandons an open transaction, so that nothing of it remains while the operation is undone.
    pub(super) async fn abandon(&mut self) {
        match self {
            Self::Provision(run) => run.abandon().await,
            Self::Change(run) => run.abandon().await,
        }
    }

    /// Whether the build was committed; if not, it never will be. A process that still held its marker has lost it.
    pub(super) async fn settle(&mut self) -> Result<Settled, StepError> {
        self.abandon().await;
        // The bookkeeping may not exist yet, if the previous daemon did not get that far.
        preparation::ready(self.target()).await?;
        let settled = match self {
            Self::Provision(run) => run.settle().await?,
            Self::Change(run) => {
                if run.kind == Kind::Upgrade && run.site().is_own_database() {
                    // An earlier attempt holds the marker that is within the database.
                    settlement::displace(run.site(), run.build.build, run.placement()).await?;
                }
                settlement::displace(run.target.site(), run.mark.build, run.placement()).await?
            }
        };
        if let Self::Provision(run) = self {
            run.is_inherited = settled == Settled::Committed;
        }
        Ok(settled)
    }

    /// Whether parts of the tenant may already be gone, according to its marker. A removal that has begun cannot be undone.
    pub(super) async fn is_being_removed(&self) -> Result<bool, StepError> {
        let Self::Change(run) = self else { return Ok(false) };
        if !run.kind.removes() {
            return Ok(false);
        }
        let ready = preparation::ready(&run.target).await?;
        let (removal, settled) = Removal::begin(run.site(), &ready, run.mark, run.placement()).await?;
        // If nothing was ever committed, nothing is being removed.
        Ok(settled == Settled::Committed && removal.is_begun().await?)
    }

    /// Starts another build of the same tenant under a new marker; the old marker is void for good.
    pub(super) fn rebuild(&mut self) -> Option<(TenantId, OperationId)> {
        let Self::Provision(run) = self else { return None };
        run.mark.build = OperationId::generate();
        // The pool may have another version meanwhile.
        run.pool = None;
        Some((run.tenant.id, run.mark.build))
    }

    /// The isolation report, if there is one.
    pub(super) fn report(&self) -> Option<&IsolationReport> {
        match self {
            Self::Provision(run) => run.report.as_ref(),
            Self::Change(run) => run.report.as_ref(),
        }
    }

    /// The blueprint and version that the tenant is built from.
    pub(super) fn made_of(&self) -> (&BlueprintName, BlueprintVersion) {
        match self {
            Self::Provision(run) => run.tenant.made_of(),
            Self::Change(run) => (&run.tenant.blueprint, run.tenant.version),
        }
    }

    /// The tenant's state before the operation.
    pub(super) fn before(&self) -> TenantState {
        match self {
            Self::Provision(_) => TenantState::Provisioning,
            Self::Change(run) => run.before.clone(),
        }
    }

    pub(super) fn target(&self) -> &Arc<Target> {
        match self {
            Self::Provision(run) => &run.target,
            Self::Change(run) => &run.target,
        }
    }

    /// The approximate number of the server's locks that the operation takes at a time. `None` for an operation that is
    /// short and takes few locks: a caller who waits for a secret or a verdict must not wait for other builds.
    pub(super) fn locks(&self) -> Option<i64> {
        match self {
            Self::Provision(run) => Some(admission::locks_of_a_build(run.blueprint.tables)),
            Self::Change(run) if run.kind.leaves_tenant() => None,
            Self::Change(_) => Some(admission::locks_of_a_change()),
        }
    }

    /// Takes the place that the operation waited for. Returns the place if nothing within the operation uses it.
    pub(super) fn occupy(&mut self, taken: Option<TakenPlace>) -> Option<TakenPlace> {
        let run = match self {
            Self::Provision(run) => run,
            Self::Change(run) if run.kind == Kind::Upgrade => {
                let mut taken = taken;
                run.warden = taken.as_mut().and_then(|place| place.room.take()).map(Warden::new);
                return taken;
            }
            Self::Change(_) => return taken,
        };
        run.place = taken;
        run.warden = run.place.as_mut().and_then(|place| place.room.take()).map(Warden::new);
        None
    }

    /// Gives back the locks that an upgrade had reserved.
    pub(super) fn leave_room(&mut self) {
        if let Self::Change(run) = self {
            run.warden = None;
        }
    }

    /// Waits for room for another build. `held` is the number of locks that the previous build held, if it was ended for
    /// them. No transaction of the previous build may be open.
    pub(super) async fn make_room(&mut self, held: Option<u32>) {
        let locks = self.locks().unwrap_or_default();
        let run = match self {
            Self::Provision(run) => run,
            Self::Change(run) => {
                if let (Some(warden), Some(held)) = (&mut run.warden, held) {
                    warden.room.wait_for(held).await;
                }
                return;
            }
        };
        match (&mut run.warden, &run.place, held) {
            (Some(warden), _, Some(held)) => warden.room.wait_for(held).await,
            (None, Some(place), _) => {
                run.warden = place.reserve(&run.target, locks).await.map(Warden::new);
            }
            _ => {}
        }
    }

    /// The placements of the tenants that have the new version with this one.
    pub(super) fn members(&self) -> &[PlacementName] {
        match self {
            Self::Provision(_) => &[],
            Self::Change(run) => &run.members,
        }
    }

    pub(super) fn arguments(&self) -> Option<&OperationArguments> {
        match self {
            Self::Provision(_) => None,
            Self::Change(run) => Some(&run.arguments),
        }
    }
}

impl ProvisionRun {
    pub(super) fn new(
        mark: Mark,
        tenant: NewTenant,
        blueprint: Arc<Blueprint>,
        target: Arc<Target>,
        (seed, outside): (Seeding, Outside),
    ) -> Self {
        let home = Home::new(&target, tenant.tenancy, &tenant.placement, tenant.id);
        Self {
            mark,
            tenant,
            blueprint,
            target,
            home,
            ready: None,
            pool: None,
            build: None,
            probe: Password::generate(),
            is_inherited: false,
            report: None,
            seed,
            outside,
            place: None,
            warden: None,
        }
    }

    pub(super) async fn abandon(&mut self) {
        if let Some(build) = self.build.take() {
            build.abandon(self.site()).await;
        }
    }

    async fn settle(&self) -> Result<Settled, StepError> {
        let (site, placement) = (self.site(), &self.tenant.placement);
        Ok(if site.is_own_database() {
            databases::settle(site, self.standing(), self.mark, placement, self.owner()).await?
        } else {
            settlement::displace(site, self.mark.build, placement).await?
        })
    }

    pub(super) fn site(&self) -> Site<'_> {
        self.home.on(&self.target)
    }

    /// The marker that stands for the tenant, even if this build fails.
    pub(super) const fn standing(&self) -> Mark {
        self.home.standing(self.mark)
    }

    /// The owner of these markers.
    pub(super) const fn owner(&self) -> Owner {
        Owner::Tenant(self.tenant.id)
    }

    /// The open transaction of the build.
    pub(super) fn open_build(&mut self) -> Result<&mut Build, StepError> {
        self.build.as_mut().ok_or(NOT_OPEN)
    }

    /// The open transaction of the build, which the caller is to close.
    pub(super) fn take_build(&mut self) -> Result<Build, StepError> {
        self.build.take().ok_or(NOT_OPEN)
    }

    pub(super) async fn ready(&mut self) -> Result<Arc<Ready>, StepError> {
        if let Some(ready) = &self.ready {
            return Ok(Arc::clone(ready));
        }
        let ready = preparation::ready(&self.target).await?;
        self.ready = Some(Arc::clone(&ready));
        Ok(ready)
    }
}

impl ChangeRun {
    /// `build` is the marker of the tenant's build.
    pub(super) fn new(build: Mark, tenant: Tenant, before: TenantState, with: ChangeParts) -> Self {
        let ChangeParts { id, kind, trail, target, arguments, secret } = with;
        let home = Home::new(&target, tenant.tenancy, &tenant.placement, tenant.id);
        let mark = home.standing(build);
        Self {
            trail,
            target,
            home,
            mark,
            build,
            id,
            kind,
            tenant,
            before,
            arguments,
            secret,
            open: None,
            warden: None,
            members: Vec::new(),
            report: None,
        }
    }

    pub(super) async fn abandon(&mut self) {
        if let Some(open) = self.open.take() {
            open.abandon(self.site()).await;
        }
    }

    pub(super) fn site(&self) -> Site<'_> {
        self.home.on(&self.target)
    }

    pub(super) const fn placement(&self) -> &PlacementName {
        &self.tenant.placement
    }

    /// The login roles for which the tenant has secrets.
    pub(super) fn issued_roles(&self) -> Vec<String> {
        let issued = self.tenant.credentials.iter();
        issued
            .flat_map(|issued| [Some(issued.role.clone()), issued.previous_role.clone()])
            .flatten()
            .collect()
    }

    /// The open transaction of an upgrade, which the caller is to close.
    pub(super) fn take_open(&mut self) -> Result<Build, StepError> {
        self.open.take().ok_or(NOT_OPEN)
    }

    /// The open transaction of an upgrade.
    pub(super) fn open_build(&mut self) -> Result<&mut Build, StepError> {
        self.open.as_mut().ok_or(NOT_OPEN)
    }

    /// The login role that the operation is about.
    pub(super) fn login(&self) -> Result<&str, StepError> {
        self.arguments.login.as_deref().ok_or(StepError::OutOfOrder { lacks: "the login that it is about" })
    }
}
