//! Verifying tenants one after the other, whatever screen is open meanwhile.
//!
//! Invariant: never two at once. What was requested is reported to its end, in the line above the hints and in the badges.
//! No screen opens for it, since it is over in the blink of an eye.

use tenantry_protocol::id::TenantId;
use tenantry_protocol::isolation::Grade;
use tenantry_protocol::name::Slug;
use tenantry_protocol::operation::{Failure, Operation, OperationState};
use tenantry_protocol::tenant::TenantDetail;
use tenantry_protocol::{ApiError, ErrorCode};
use time::OffsetDateTime;

use super::open;
use crate::ui::action::{Action, Place};
use crate::ui::event::Effect;
use crate::ui::state::verdict;
use crate::ui::state::verifying::VerifyingPhase;
use crate::ui::state::{Screen, State, tenants};
use crate::ui::ticket::Ticket;

/// What the keys for verifying do.
pub(super) fn perform(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::Verify => here(state),
        Action::VerifyAll => all(state),
        Action::StopVerifying => stop(state),
        _ => Vec::new(),
    }
}

/// Verifies the marked tenants on the list, if there are any; else the one at hand.
fn here(state: &mut State) -> Vec<Effect> {
    if !matches!(state.screen(), Screen::Tenants) || state.tenants.marks() == 0 {
        let at_hand = state.tenant_at_hand().map(|tenant| tenant.id);
        if let Some(Screen::Fleet(screen)) = state.screens.last_mut() {
            // Keeps it selected, so that it is seen to hold again if it does.
            screen.selection = at_hand;
        }
        return at_hand.map(|id| one(state, id)).unwrap_or_default();
    }
    let marked = state.tenants.marked();
    let standing: Vec<(TenantId, Slug)> = marked
        .filter(|tenant| verdict::can_verify(&tenant.state))
        .map(|tenant| (tenant.id, tenant.slug.clone()))
        .collect();
    if standing.is_empty() {
        state.notice =
            Some("none of the marked is active or suspended: there is nothing to verify".to_owned());
        return Vec::new();
    }
    several(state, standing)
}

pub(super) fn one(state: &mut State, id: TenantId) -> Vec<Effect> {
    let standing = state.tenants.get(id).filter(|tenant| verdict::can_verify(&tenant.state));
    let Some(slug) = standing.map(|tenant| tenant.slug.clone()) else {
        state.notice = Some("it is neither active nor suspended: there is nothing to verify".to_owned());
        return Vec::new();
    };
    several(state, vec![(id, slug)])
}

/// Verifies every active or suspended tenant, on the screen that shows the results.
pub(super) fn all(state: &mut State) -> Vec<Effect> {
    let standing = state.tenants.rows().iter().filter(|tenant| verdict::can_verify(&tenant.state));
    let standing: Vec<(TenantId, Slug)> = standing.map(|tenant| (tenant.id, tenant.slug.clone())).collect();
    if standing.is_empty() {
        state.notice = Some("no tenants stand, so there is nothing to verify".to_owned());
        return Vec::new();
    }
    let mut effects = open::place(state, Place::Isolation);
    effects.extend(several(state, standing));
    effects
}

fn several(state: &mut State, tenants: Vec<(TenantId, Slug)>) -> Vec<Effect> {
    let verifying = state.verifying.get_or_insert_default();
    for (id, slug) in tenants {
        verifying.add(id, slug);
    }
    advance(state)
}

/// The tenant at work is verified to the end; the others keep the verdict that they have.
fn stop(state: &mut State) -> Vec<Effect> {
    if let Some(verifying) = &mut state.verifying {
        let waiting = verifying.waiting();
        verifying.stop();
        state.notice = Some(match waiting {
            1 => "stopped: 1 keeps its verdict".to_owned(),
            several => format!("stopped: {several} keep their verdicts"),
        });
    }
    Vec::new()
}

pub(super) fn waits_for(state: &State, ticket: Ticket) -> bool {
    let at_work = state.verifying.as_ref().and_then(|verifying| verifying.at_work.as_ref());
    at_work.is_some_and(|at_work| at_work.phase == VerifyingPhase::Asked(ticket))
}

/// The daemon accepted it, or refused it.
pub(super) fn started(state: &mut State, result: Result<Operation, ApiError>) -> Vec<Effect> {
    let Some(verifying) = &mut state.verifying else { return Vec::new() };
    match result {
        Ok(operation) => {
            let id = operation.id;
            if let Some(at_work) = &mut verifying.at_work {
                at_work.phase = VerifyingPhase::Running(id);
            }
            state.keep_operation(operation);
            // The operation may have ended before anybody listened.
            vec![Effect::LoadOperation(id)]
        }
        Err(error) => {
            // An error that would be the same for all of them is reported once.
            if matches!(error.code, ErrorCode::Unavailable | ErrorCode::Denied) {
                verifying.stop();
            }
            verifying.conclude(Err(error.message));
            Vec::new()
        }
    }
}

/// The tenant's record was read, possibly for its verdict.
pub(super) fn read(state: &mut State, id: &str, result: &Result<Box<TenantDetail>, ApiError>) {
    let Some(verifying) = &mut state.verifying else { return };
    let waited = verifying
        .at_work
        .as_ref()
        .is_some_and(|at_work| at_work.phase == VerifyingPhase::Reading && at_work.id.to_string() == id);
    if waited {
        let badge = result.as_ref().map(|detail| detail.tenant.isolation.as_ref());
        verifying.conclude(match badge {
            Ok(Some(badge)) => Ok(badge.grade),
            Ok(None) => Err("it ended without a verdict; o shows the operation".to_owned()),
            Err(error) => Err(error.message.clone()),
        });
    }
}

/// Records what ended, and requests the next one.
pub(super) fn advance(state: &mut State) -> Vec<Effect> {
    let mut effects = Vec::new();
    if state.verifying.is_none() {
        return effects;
    }
    effects.extend(conclude(state));
    let ticket = state.ticket();
    let Some(verifying) = &mut state.verifying else { return effects };
    if let Some(id) = verifying.next(ticket) {
        state.dirty = true;
        effects.push(Effect::Verify { ticket, id });
    }
    if verifying.is_over() {
        state.dirty = true;
        state.notice = Some(verifying.summary());
        state.verifying = None;
    }
    effects
}

/// The operation is over. Its verdict is in the tenant's badge, which was announced before, or else has to be read.
fn conclude(state: &mut State) -> Option<Effect> {
    let at_work = state.verifying.as_mut()?.at_work.as_mut()?;
    let VerifyingPhase::Running(operation) = at_work.phase else { return None };
    let operation = &state.operations.get(&operation)?.operation;
    if !operation.state.is_final() {
        return None;
    }
    state.dirty = true;
    let id = at_work.id;
    let result = match &operation.state {
        OperationState::Succeeded => match badge(&state.tenants, id, operation.requested_at) {
            Some(grade) => Ok(grade),
            None => {
                at_work.phase = VerifyingPhase::Reading;
                return Some(Effect::LoadDetail(id.to_string()));
            }
        },
        ended => {
            let cause = ended.failure().map(Failure::summary);
            Err(cause.unwrap_or_else(|| ended.name().replace('_', " ")))
        }
    };
    state.verifying.as_mut()?.conclude(result);
    None
}

/// The tenant's grade, if it is not older than `since`.
fn badge(tenants: &tenants::Tenants, id: TenantId, since: OffsetDateTime) -> Option<Grade> {
    let badge = tenants.get(id)?.isolation.as_ref()?;
    (badge.at >= since).then_some(badge.grade)
}
