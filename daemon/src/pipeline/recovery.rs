//! What a start does about operations that an earlier daemon left unfinished: a provision is undone, a removal is taken
//! up again. The marker on the target says what there is to do; the same engine does it.

use std::sync::Arc;

use tenantry_protocol::operation::{Failure, Operation, OperationKind};

use crate::model::operation::{Kind, Progress, Seeding};
use crate::postgres::operations::{self, Filter};
use crate::postgres::target::Target;
use crate::postgres::{Result, tenants};

use super::engine::{Actor, Engine};
use super::run::{RollbackRun, Run};
use super::tracker::waiting_steps;

/// More than one daemon ever has in flight.
const MOST: i64 = 10_000;

/// Takes up everything unfinished, each in a task of its own; a target that is gone from the configuration is left.
pub async fn recover(engine: &Engine, targets: &[Arc<Target>]) -> Result<()> {
    let unfinished = Filter { unfinished: true, ..Filter::default() };
    for operation in operations::page(engine.control().pool(), &unfinished, MOST).await? {
        let Some(target) = targets.iter().find(|target| *target.name() == operation.target) else {
            tracing::error!(operation = %operation.id, target = %operation.target,
                "an unfinished operation waits for a target that is not in the configuration");
            continue;
        };
        tracing::warn!(operation = %operation.id, kind = operation.kind.name(), "taking up an unfinished operation");
        take_up(engine, operation, Arc::clone(target)).await?;
    }
    Ok(())
}

async fn take_up(engine: &Engine, mut operation: Operation, target: Arc<Target>) -> Result<()> {
    let Some(tenant) = tenants::by_id(engine.control().pool(), operation.tenant_id).await? else {
        return Ok(());
    };
    let (provision, progress) = match operation.kind {
        OperationKind::Rollback => {
            operation.steps = waiting_steps(Kind::Rollback);
            let built_by = operations::provision_of(engine.control().pool(), tenant.id).await?;
            (built_by, Progress::new(Kind::Rollback))
        }
        OperationKind::Provision => {
            let failure = operation.state.failure().cloned().unwrap_or_else(|| Failure {
                step: "recovery".to_owned(),
                message: "the daemon stopped in the middle of the operation".to_owned(),
                hint: Some("provision it again".to_owned()),
                ..Failure::default()
            });
            let kind = Kind::Provision { seed: Seeding::Without };
            (Some(operation.id), Progress::Unwinding { kind, failure })
        }
        // Nothing else is ever left unfinished; undoing what is not understood could remove a living tenant.
        OperationKind::IssueCredentials | OperationKind::Other => (None, Progress::new(Kind::Rollback)),
    };
    let Some(provision) = provision else {
        tracing::error!(operation = %operation.id, kind = operation.kind.name(), "this unfinished operation is left as it is");
        return Ok(());
    };
    let run = Run::Rollback(RollbackRun { target, provision, placement: tenant.placement });
    let actor = Actor { uid: nix::unistd::geteuid().as_raw(), name: operation.actor.clone() };
    engine.resume(run, progress, operation, actor);
    Ok(())
}
