//! When a binding applies: predicates on the state, each of which reads as a sentence.
//! Pure, and cheap enough to be evaluated for each key and each frame.

use tenantry_protocol::operation::OperationState;
use tenantry_protocol::session::Role;
use tenantry_protocol::tenant::{Tenant, TenantState};

use crate::ui::action::Hand;
use crate::ui::state::audit::export::ExportField;
use crate::ui::state::bulk::{BulkPhase, BulkRollback};
use crate::ui::state::credentials::Secret;
use crate::ui::state::operation::{can_be_cancelled, can_be_done_again, can_be_retried};
use crate::ui::state::tenants;
use crate::ui::state::upgrades;
use crate::ui::state::verdict;
use crate::ui::state::wizard::{Confirmation, is_runnable};
use crate::ui::state::{Screen, State};

pub(super) const fn always(_: &State) -> bool {
    true
}

pub(super) fn has_selection(state: &State) -> bool {
    state.tenants.selected().is_some()
}

/// There is an operation that can be opened from here.
pub(super) fn has_operation(state: &State) -> bool {
    state.operation_at_hand().is_some()
}

pub(super) fn can_roll_back(state: &State) -> bool {
    state.tenant_at_hand().is_some_and(|tenant| tenants::can_roll_back(&tenant.state))
}

/// R applies to the marked tenants if there are any.
pub(super) fn can_roll_back_selected(state: &State) -> bool {
    !has_marks(state) && can_roll_back(state)
}

pub(super) fn has_marks(state: &State) -> bool {
    state.tenants.marks() > 0
}

/// esc clears the filter first.
pub(super) fn has_only_marks(state: &State) -> bool {
    has_marks(state) && !is_filtered(state)
}

fn bulk(state: &State) -> Option<&BulkRollback> {
    match state.screen() {
        Screen::Bulk(bulk) => Some(bulk),
        _ => None,
    }
}

pub(super) fn bulk_is_asking(state: &State) -> bool {
    bulk(state).is_some_and(|bulk| bulk.phase == BulkPhase::Asking)
}

pub(super) fn bulk_is_confirmed(state: &State) -> bool {
    bulk_is_asking(state) && bulk(state).is_some_and(|bulk| bulk.is_confirmed() && bulk.is_known())
}

pub(super) fn bulk_is_stopped(state: &State) -> bool {
    bulk(state).is_some_and(|bulk| bulk.phase == BulkPhase::Stopped && bulk.waiting() > 0)
}

pub(super) fn bulk_is_under_way(state: &State) -> bool {
    bulk(state).is_some_and(|bulk| matches!(bulk.phase, BulkPhase::Running | BulkPhase::Stopped))
}

pub(super) fn bulk_is_done(state: &State) -> bool {
    bulk(state).is_some_and(|bulk| bulk.phase == BulkPhase::Done)
}

pub(super) fn selected_failed(state: &State) -> bool {
    matches!(state.screen(), Screen::Operations(screen)
        if screen.selected(state).is_some_and(|live| live.operation.state.failure().is_some()))
}

pub(super) fn can_issue_credentials(state: &State) -> bool {
    state.tenant_at_hand().is_some_and(is_active)
}

fn is_active(tenant: &Tenant) -> bool {
    tenant.state == TenantState::Active
}

pub(super) fn is_filtered(state: &State) -> bool {
    match state.screen() {
        Screen::Audit(screen) => screen.is_narrowed(),
        Screen::Isolation(screen) => !screen.filter.value().is_empty(),
        _ => !state.tenants.filter.value().is_empty(),
    }
}

pub(super) fn is_not_filtered(state: &State) -> bool {
    !is_filtered(state)
}

pub(super) fn is_choice(state: &State) -> bool {
    matches!(state.screen(), Screen::Wizard(wizard) if wizard.is_choice())
}

pub(super) fn can_approve(state: &State) -> bool {
    matches!(state.screen(), Screen::Wizard(wizard)
        if matches!(&wizard.confirmation, Confirmation::Planned { plan, .. } if is_runnable(plan)))
}

pub(super) fn has_plan(state: &State) -> bool {
    matches!(state.screen(), Screen::Wizard(wizard) if wizard.plan().is_some())
}

pub(super) fn can_replan(state: &State) -> bool {
    matches!(state.screen(), Screen::Wizard(wizard)
        if matches!(wizard.confirmation, Confirmation::NotPlanned | Confirmation::Planned { .. }))
}

fn operation_state(state: &State) -> Option<&OperationState> {
    match state.screen() {
        Screen::Operation(screen) => state.live(screen).map(|live| &live.operation.state),
        _ => None,
    }
}

pub(super) fn is_over(state: &State) -> bool {
    operation_state(state).is_some_and(OperationState::is_final)
}

pub(super) fn is_running(state: &State) -> bool {
    !is_over(state)
}

pub(super) fn has_failure(state: &State) -> bool {
    operation_state(state).is_some_and(|state| state.failure().is_some())
}

/// The draft exists, or can be made again from what the registry kept of the tenant.
pub(super) fn can_retry(state: &State) -> bool {
    match state.screen() {
        Screen::Operation(screen) => state.live(screen).is_some_and(|live| {
            can_be_retried(&live.operation)
                && (screen.draft.is_some() || state.tenants.get(live.operation.tenant_id).is_some())
        }),
        _ => false,
    }
}

/// The operation runs, and nothing of the tenant's data is being dropped yet.
pub(super) fn can_cancel(state: &State) -> bool {
    match state.screen() {
        Screen::Operation(screen) => state.live(screen).is_some_and(|live| can_be_cancelled(&live.operation)),
        _ => false,
    }
}

/// An operation other than a provision is repeated as it was.
pub(super) fn can_retry_as_is(state: &State) -> bool {
    match state.screen() {
        Screen::Operation(screen) => {
            !can_retry(state) && state.live(screen).is_some_and(|live| can_be_done_again(&live.operation))
        }
        _ => false,
    }
}

pub(super) fn can_suspend(state: &State) -> bool {
    state.tenant_at_hand().is_some_and(|tenant| tenants::can_suspend(&tenant.state))
}

pub(super) fn can_resume(state: &State) -> bool {
    state.tenant_at_hand().is_some_and(|tenant| tenants::can_resume(&tenant.state))
}

pub(super) fn can_verify(state: &State) -> bool {
    state.tenant_at_hand().is_some_and(|tenant| verdict::can_verify(&tenant.state))
}

/// v applies to the marked tenants if there are any.
pub(super) fn can_verify_selected(state: &State) -> bool {
    !has_marks(state) && can_verify(state)
}

/// Some tenants still wait for their turn, so there is something to stop.
pub(super) fn is_verifying_several(state: &State) -> bool {
    state.verifying.as_ref().is_some_and(|verifying| verifying.waiting() > 0)
}

pub(super) fn is_not_verifying_several(state: &State) -> bool {
    !is_verifying_several(state)
}

pub(super) fn has_report(state: &State) -> bool {
    matches!(state.screen(), Screen::Isolation(screen) if screen.report().is_some())
}

fn secret(state: &State) -> Option<&Secret> {
    match state.screen() {
        Screen::Credentials(screen) => Some(&screen.secret),
        _ => None,
    }
}

pub(super) fn secret_is_shown(state: &State) -> bool {
    matches!(secret(state), Some(Secret::Shown(_)))
}

pub(super) fn secret_is_not_shown(state: &State) -> bool {
    !secret_is_shown(state)
}

pub(super) fn secret_can_be_set(state: &State) -> bool {
    matches!(secret(state), Some(Secret::Unconfirmed | Secret::Refused(_)))
}

pub(super) fn rollback_is_named(state: &State) -> bool {
    matches!(state.screen(), Screen::Rollback(dialog)
        if dialog.is_named() && dialog.is_known() && !dialog.is_sent())
}

pub(super) fn has_event(state: &State) -> bool {
    state.event_at_hand().is_some()
}

/// Only one verification of the trail runs at a time.
pub(super) const fn trail_is_not_verified_now(state: &State) -> bool {
    state.chain.checking.is_none()
}

pub(super) const fn has_verdict(state: &State) -> bool {
    state.chain.verdict.is_some()
}

pub(super) fn is_format_choice(state: &State) -> bool {
    matches!(state.screen(), Screen::Export(screen) if screen.field == ExportField::Format)
}

/// The selection is about a tenant that is known here.
pub(super) fn has_tenant(state: &State) -> bool {
    state.tenant_at_hand().is_some()
}

/// A viewer looks only; what others may not do, the daemon refuses.
fn may_change(state: &State) -> bool {
    state.session.as_ref().is_none_or(|session| session.role != Role::Viewer)
}

pub(super) fn has_upgrade(state: &State) -> bool {
    state.upgrade_at_hand().is_some()
}

fn can_steer(state: &State, hand: Hand) -> bool {
    may_change(state) && state.upgrade_at_hand().is_some_and(|upgrade| upgrades::can_do(upgrade, hand))
}

pub(super) fn can_pause(state: &State) -> bool {
    can_steer(state, Hand::Pause)
}

pub(super) fn can_resume_upgrade(state: &State) -> bool {
    can_steer(state, Hand::Resume)
}

pub(super) fn can_cancel_upgrade(state: &State) -> bool {
    can_steer(state, Hand::Cancel)
}

pub(super) fn can_retry_failed(state: &State) -> bool {
    can_steer(state, Hand::Retry)
}

pub(super) fn has_upgrade_failure(state: &State) -> bool {
    matches!(state.screen(), Screen::Upgrade(screen) if screen.selected().is_some())
}

/// There is a newer version of the blueprint of the tenant at hand.
pub(super) fn is_behind(state: &State) -> bool {
    state.tenant_at_hand().is_some_and(|tenant| state.tenants.ahead_of(tenant).is_some())
}

pub(super) fn can_rehearse_upgrade(state: &State) -> bool {
    may_change(state) && matches!(state.screen(), Screen::UpgradePlan(screen) if screen.is_planned())
}

pub(super) fn can_begin_upgrade(state: &State) -> bool {
    may_change(state) && matches!(state.screen(), Screen::UpgradePlan(screen) if screen.can_begin())
}
