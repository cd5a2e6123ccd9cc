//! What a running operation holds between its steps.

use std::sync::Arc;

use tenantry_protocol::id::{OperationId, TenantId};
use tenantry_protocol::isolation::IsolationReport;
use tenantry_protocol::name::{BlueprintName, BlueprintVersion, PlacementName};
use tenantry_protocol::tenant::{Tenant, TenantState};

use crate::audit::Trail;
use crate::model::blueprint::Blueprint;
use crate::model::operation::{Kind, Seeding};
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

/// A provision on its way.
pub(super) struct ProvisionRun {
    pub(super) mark: Mark,
    pub(super) tenant: NewTenant,
    pub(super) blueprint: Arc<Blueprint>,
    pub(super) target: Arc<Target>,
    pub(super) home: Home,
    /// Known once the target was reached, which is part of the first step.
    pub(super) ready: Option<Arc<Ready>>,
    /// The shared tables that it joins, once they are known to be there; none for a tenancy without.
    pub(super) pool: Option<PlacementName>,
    /// The open transaction, between its first step and its last.
    pub(super) build: Option<Build>,
    /// Lets the probe in while it attacks; made anew for each run, kept nowhere.
    pub(super) probe: Password,
    /// The build was committed by another daemon, or by an attempt whose secret is gone.
    pub(super) is_inherited: bool,
    pub(super) report: Option<IsolationReport>,
    pub(super) seed: Seeding,
    /// Its place on the target, from the queue on.
    pub(super) place: Option<TakenPlace>,
    /// Sees to the locks of its builds; none where the target was not reached yet.
    pub(super) warden: Option<Warden>,
}

/// A change of a tenant that stands: from a suspension to its removal.
pub(super) struct ChangeRun {
    pub(super) trail: Arc<Trail>,
    pub(super) target: Arc<Target>,
    pub(super) home: Home,
    /// The marker that stands for the tenant says what is ours.
    pub(super) mark: Mark,
    pub(super) kind: Kind,
    /// As it was before.
    pub(super) tenant: Tenant,
    pub(super) before: TenantState,
    pub(super) arguments: OperationArguments,
    /// Of the secret that is to be set. A daemon that takes the operation up has none, and cannot set it.
    pub(super) secret: Option<Verifier>,
    pub(super) report: Option<IsolationReport>,
}

/// An operation on its way.
pub(super) enum Run {
    Provision(Box<ProvisionRun>),
    Change(Box<ChangeRun>),
}

impl Run {
    /// Gives an open transaction up, so that nothing of it lingers while the operation unwinds.
    pub(super) async fn abandon(&mut self) {
        if let Self::Provision(run) = self {
            run.abandon().await;
        }
    }

    /// Whether the build was committed; if not, it never will be. Whoever held its marker holds it no more.
    pub(super) async fn settle(&mut self) -> Result<Settled, StepError> {
        self.abandon().await;
        // The bookkeeping may not be there yet, if the daemon before came no further.
        preparation::ready(self.target()).await?;
        let settled = match self {
            Self::Provision(run) => run.settle().await?,
            Self::Change(run) => {
                settlement::displace(run.target.site(), run.mark.build, run.placement()).await?
            }
        };
        if let Self::Provision(run) = self {
            run.is_inherited = settled == Settled::Committed;
        }
        Ok(settled)
    }

    /// Whether something of the tenant may be gone already, as its marker says: a removal that was begun has no way back.
    pub(super) async fn is_being_removed(&self) -> Result<bool, StepError> {
        let Self::Change(run) = self else { return Ok(false) };
        if !run.kind.removes() {
            return Ok(false);
        }
        let ready = preparation::ready(&run.target).await?;
        let (removal, settled) = Removal::begin(run.site(), &ready, run.mark, run.placement()).await?;
        // Nothing was ever there, so nothing goes.
        Ok(settled == Settled::Committed && removal.is_begun().await?)
    }

    /// Another build of the same tenant, under a marker of its own: the old one is void for ever.
    pub(super) fn rebuild(&mut self) -> Option<(TenantId, OperationId)> {
        let Self::Provision(run) = self else { return None };
        run.mark.build = OperationId::generate();
        Some((run.tenant.id, run.mark.build))
    }

    /// The isolation report, if there is one.
    pub(super) fn report(&self) -> Option<&IsolationReport> {
        match self {
            Self::Provision(run) => run.report.as_ref(),
            Self::Change(run) => run.report.as_ref(),
        }
    }

    /// What the tenant is made of.
    pub(super) fn made_of(&self) -> (&BlueprintName, BlueprintVersion) {
        match self {
            Self::Provision(run) => run.tenant.made_of(),
            Self::Change(run) => (&run.tenant.blueprint, run.tenant.version),
        }
    }

    /// Where the tenant was before the operation.
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

    /// The server's locks that it takes at a time, about. `None` for what is over in a moment and takes none worth a
    /// place in the queue: whoever waits for a secret, or for a verdict, does not wait for the builds of others.
    pub(super) fn locks(&self) -> Option<i64> {
        match self {
            Self::Provision(run) => Some(admission::locks_of_a_build(run.blueprint.tables)),
            Self::Change(run) if run.kind.leaves_tenant() => None,
            Self::Change(_) => Some(admission::locks_of_a_change()),
        }
    }

    /// Takes the place that it waited for; gives it back where nothing within the operation has a use for it.
    pub(super) fn occupy(&mut self, taken: Option<TakenPlace>) -> Option<TakenPlace> {
        let Self::Provision(run) = self else { return taken };
        run.place = taken;
        run.warden = run.place.as_mut().and_then(|place| place.room.take()).map(Warden::new);
        None
    }

    /// Waits for room for another build, of which the one before held `held` locks where it was ended for that. Nothing of
    /// it may be open.
    pub(super) async fn make_room(&mut self, held: Option<u32>) {
        let locks = self.locks().unwrap_or_default();
        let Self::Provision(run) = self else { return };
        match (&mut run.warden, &run.place, held) {
            (Some(warden), _, Some(held)) => warden.room.wait_for(held).await,
            (None, Some(place), _) => {
                run.warden = place.reserve(&run.target, locks).await.map(Warden::new);
            }
            _ => {}
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
        seed: Seeding,
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

    /// The marker that stands for the tenant, whatever becomes of this build.
    pub(super) const fn standing(&self) -> Mark {
        self.home.standing(self.mark)
    }

    /// Whose markers these are.
    pub(super) const fn owner(&self) -> Owner {
        Owner::Tenant(self.tenant.id)
    }

    /// The open transaction of the build.
    pub(super) fn open_build(&mut self) -> Result<&mut Build, StepError> {
        self.build.as_mut().ok_or(NOT_OPEN)
    }

    /// The open transaction of the build, to be closed.
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
    pub(super) fn site(&self) -> Site<'_> {
        self.home.on(&self.target)
    }

    pub(super) const fn placement(&self) -> &PlacementName {
        &self.tenant.placement
    }

    /// The login roles whose secrets the tenant has.
    pub(super) fn issued_roles(&self) -> Vec<String> {
        let issued = self.tenant.credentials.iter();
        issued
            .flat_map(|issued| [Some(issued.role.clone()), issued.previous_role.clone()])
            .flatten()
            .collect()
    }

    /// The login role that the operation is about.
    pub(super) fn login(&self) -> Result<&str, StepError> {
        self.arguments.login.as_deref().ok_or(StepError::OutOfOrder { lacks: "the login that it is about" })
    }
}
