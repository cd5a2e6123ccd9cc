//! The states of a tenant: from which an operation may begin, which one the tenant has meanwhile, and which one at the end.
//!
//! Pure, and the only place that decides this: both the live run and recovery use it.

use tenantry_protocol::operation::{Operation, OperationState};
use tenantry_protocol::tenant::TenantState;
use tenantry_protocol::tenant::state::TenantStage;
use time::OffsetDateTime;

use super::operation::Kind;

/// How a kind of operation takes hold of a tenant.
#[derive(Debug, Clone, PartialEq)]
pub struct Beginning {
    /// The states from which the operation may begin.
    pub from: &'static [TenantStage],
    /// The state while the operation runs; none if the tenant keeps its state until the end.
    pub during: Option<TenantState>,
}

/// The states that an operation of this kind requires and sets at its beginning. A provision creates its tenant, so no
/// state is required.
pub fn beginning(kind: Kind) -> Beginning {
    use TenantStage::{Active, NeedsAttention, Retiring, Suspended};
    let (from, during): (&[TenantStage], _) = match kind {
        Kind::Provision { .. } => (&[], Some(TenantState::Provisioning)),
        Kind::Rollback { .. } => {
            (&[Active, Suspended, Retiring, NeedsAttention], Some(TenantState::RollingBack))
        }
        Kind::Suspend => (&[Active, NeedsAttention], None),
        Kind::Resume => (&[Suspended, Retiring, NeedsAttention], None),
        Kind::Update => (&[Active, Suspended, NeedsAttention], None),
        Kind::Retire { .. } => {
            (&[Active, Suspended, NeedsAttention], Some(TenantState::Retiring { purge_after: None }))
        }
        Kind::Purge => (&[Retiring, NeedsAttention], None),
        Kind::IssueCredentials | Kind::RotateCredentials | Kind::FinishRotation => (&[Active], None),
        Kind::Verify | Kind::Upgrade => (&[Active, Suspended], None),
    };
    Beginning { from, during }
}

/// The tenant's state after the operation has ended, or while it is being undone. `before` is the state before the
/// operation, and `purge_after` the end of a retirement's grace period.
pub fn after(
    kind: Kind,
    operation: &Operation,
    before: &TenantState,
    purge_after: Option<OffsetDateTime>,
) -> TenantState {
    match (&operation.state, kind) {
        (_, kind) if kind.keeps_state() => before.clone(),
        (OperationState::Succeeded, Kind::Provision { .. } | Kind::Resume) => TenantState::Active,
        (OperationState::Succeeded, Kind::Rollback { .. }) => {
            TenantState::RolledBack { reason: format!("rolled back by {}", operation.actor) }
        }
        (OperationState::Succeeded, Kind::Suspend) => TenantState::Suspended,
        (OperationState::Succeeded, Kind::Retire { .. }) => TenantState::Retiring { purge_after },
        (OperationState::Succeeded, Kind::Purge) => TenantState::Retired,
        (OperationState::NeedsAttention { failure, next_command, .. }, _) => {
            TenantState::NeedsAttention { reason: failure.summary(), next_command: next_command.clone() }
        }
        (OperationState::Unwinding { .. }, Kind::Provision { .. }) => TenantState::RollingBack,
        (state, Kind::Provision { .. }) => TenantState::RolledBack {
            reason: state.failure().map_or_else(|| state.name().to_owned(), |failure| failure.summary()),
        },
        // An operation on an existing tenant: once it is undone, the tenant returns to its previous state.
        (OperationState::Unwinding { .. }, kind) => beginning(kind).during.unwrap_or_else(|| before.clone()),
        _ => before.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::operation::Archiving;

    #[test]
    fn nothing_begins_on_a_tenant_that_is_gone_or_on_its_way() {
        let kinds = [
            Kind::Rollback { archive: Archiving::With },
            Kind::Suspend,
            Kind::Resume,
            Kind::Update,
            Kind::Retire { archive: Archiving::With },
            Kind::Purge,
            Kind::IssueCredentials,
            Kind::RotateCredentials,
            Kind::FinishRotation,
            Kind::Verify,
            Kind::Upgrade,
        ];
        for kind in kinds {
            for state in [
                TenantStage::Provisioning,
                TenantStage::RollingBack,
                TenantStage::RolledBack,
                TenantStage::Retired,
            ] {
                assert!(!beginning(kind).from.contains(&state), "{kind:?} from {state:?}");
            }
        }
    }
}
