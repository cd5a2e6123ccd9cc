//! How the daemon that has the fence handles operations that nobody runs. It takes each one over at the point that the
//! journal and the marker show, and carries it on or undoes it. The same engine does this, with the same transitions.
//!
//! At the beginning of a term these are another daemon's operations; later, those whose task here stopped without an end.

use std::collections::HashSet;
use std::sync::Arc;

use tenantry_protocol::id::OperationId;
use tenantry_protocol::operation::Operation;

use crate::model::audit_chain::Actor;
use crate::model::blueprint;
use crate::model::operation::{Event, Kind, Progress};
use crate::postgres::control::operations::{self, OperationFilter, StoredOperation};
use crate::postgres::control::tenants::NewTenant;
use crate::postgres::control::{blueprints, tenants};
use crate::postgres::target::Target;
use crate::postgres::target::marker::Mark;
use crate::postgres::{Error, Result};

use super::arguments::OperationArguments;
use super::audit_entries::{Decision, Recovered};
use super::context::{ChangeParts, ChangeRun, ProvisionRun, Run};
use super::driver::Drive;
use super::engine::{Engine, PendingRun, illegal};
use super::tracker::waiting_steps;

/// More operations than one daemon ever runs at once.
const MOST: i64 = 10_000;

/// Takes over each unfinished operation that nobody here runs, in a task of its own, and returns their number. An operation
/// that cannot be taken over is left as it is and named in the log, once as long as the caller passes the same `known`.
pub async fn recover(
    engine: &Engine,
    targets: &[Arc<Target>],
    known: &mut HashSet<OperationId>,
) -> Result<usize> {
    let unfinished = OperationFilter { unfinished: true, ..OperationFilter::default() };
    let mut taken_up = 0;
    for operation in operations::page(engine.control().pool(), &unfinished, MOST).await? {
        let (id, kind) = (operation.id, operation.kind.name());
        let Some(target) = targets.iter().find(|target| *target.name() == operation.target) else {
            if known.insert(id) {
                tracing::error!(operation = %id, target = %operation.target,
                    "an unfinished operation waits for a target that is not in the configuration");
            }
            continue;
        };
        match take_up(engine, &operation, Arc::clone(target)).await {
            Ok(false) => {}
            Ok(true) => {
                tracing::warn!(operation = %id, tenant = %operation.tenant_id, kind, "taking up an unfinished operation");
                taken_up += 1;
            }
            Err(Error::Corrupt { what, why }) if !known.insert(id) => {
                tracing::debug!(operation = %id, kind, what, why, "this unfinished operation is still as it was");
            }
            Err(Error::Corrupt { what, why }) => {
                tracing::error!(operation = %id, kind, what, why, "this unfinished operation is left as it is");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(taken_up)
}

impl Engine {
    /// Finds out how far the previous daemon got, and goes on from there.
    pub(super) async fn take_over(&self, drive: &mut Drive) -> Result<()> {
        let event = drive.take_up().await;
        let is_void = event == Event::TakenUp { committed: false };
        let is_committed = event == Event::TakenUp { committed: true };
        drive.apply(event).map_err(illegal)?;
        drive.show_passed();
        let (decision, next) = match (&drive.progress, drive.too_late()) {
            (Progress::Forward { kind: Kind::Provision { .. }, done: 0 }, Some(failure)) => {
                (Decision::Undone, Some(Event::Interrupted { failure }))
            }
            (Progress::Forward { kind: Kind::Provision { .. }, .. }, None) if is_void => {
                (Decision::BuiltAgain, Some(Event::Rebuilt))
            }
            (Progress::Unwinding { .. }, _) => (Decision::Undone, None),
            _ => (Decision::CarriedOn, None),
        };
        drive.recovered = Some(Recovered { decision, is_committed });
        match next {
            Some(event) => self.note(drive, event).await,
            None => self.journal(drive, None).await,
        }
    }
}

/// Returns false if another task has the operation, or had it until now.
async fn take_up(engine: &Engine, operation: &Operation, target: Arc<Target>) -> Result<bool> {
    let Ok(claim) = engine.claim(operation.id) else { return Ok(false) };
    let pool = engine.control().pool();
    let corrupt = |what, why: String| Error::Corrupt { what, why };
    let stored = operations::stored(pool, operation.id).await?;
    let Some(StoredOperation { mut operation, arguments, state_before, journal }) = stored else {
        return Ok(false);
    };
    if operation.state.is_final() {
        return Ok(false);
    }
    let progress =
        Progress::of_journal(&journal).map_err(|error| corrupt("the journal", error.to_string()))?;
    let progress = progress.ok_or_else(|| corrupt("the journal", "it is empty".to_owned()))?;
    let build = tenants::build_of(pool, operation.tenant_id).await?;
    let tenant = tenants::by_id(pool, operation.tenant_id).await?;
    let (Some(build), Some(tenant)) = (build, tenant) else {
        return Err(corrupt("the operation's tenant", "there is none".to_owned()));
    };
    let mark = Mark { build, fence: engine.control().may_write()? };
    let kind = progress.kind();
    let run = match kind {
        Kind::Provision { seed, outside, .. } => {
            let files = blueprints::files(pool, &tenant.blueprint, tenant.version).await?;
            let Some(blueprint) = blueprint::parse_judged(&files) else {
                return Err(corrupt("the blueprint", format!("{} {}", tenant.blueprint, tenant.version)));
            };
            let tenant = NewTenant {
                id: tenant.id,
                slug: tenant.slug,
                display_name: tenant.display_name,
                labels: tenant.labels,
                blueprint: tenant.blueprint,
                version: tenant.version,
                tenancy: tenant.tenancy,
                target: tenant.target,
                placement: tenant.placement,
                settings: tenant.settings,
            };
            let parts = (seed, outside);
            Run::Provision(Box::new(ProvisionRun::new(mark, tenant, Arc::new(blueprint), target, parts)))
        }
        kind => {
            let arguments: OperationArguments = serde_json::from_value(arguments)
                .map_err(|error| corrupt("the operation's arguments", error.to_string()))?;
            let before = state_before.unwrap_or_else(|| tenant.state.clone());
            // A secret that was made for it existed only in the memory of the previous daemon.
            let secret = None;
            let trail = Arc::clone(engine.trail());
            let parts = ChangeParts { id: operation.id, kind, trail, target, arguments, secret };
            Run::Change(Box::new(ChangeRun::new(mark, tenant, before, parts)))
        }
    };
    operation.steps = waiting_steps(kind);
    let actor = Actor::on_record(&operation.actor, nix::unistd::geteuid().as_raw());
    engine.spawn(PendingRun { claim, run, progress, operation, actor, lane: None }, true);
    Ok(true)
}
