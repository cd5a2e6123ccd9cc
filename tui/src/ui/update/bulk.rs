//! Rolling back several tenants: opening the dialog, reading the effects, and moving from one to the next.
//!
//! Invariant: nothing is requested before the confirmation is typed in full, and never two rollbacks at once.

use tenantry_protocol::ApiError;
use tenantry_protocol::id::TenantId;
use tenantry_protocol::operation::{Failure, Operation, OperationState};
use tenantry_protocol::tenant::{RollbackPreview, RollbackRequest};

use super::open;
use crate::ui::event::Effect;
use crate::ui::state::bulk::{BulkPhase, BulkRollback, MOST, PartProgress};
use crate::ui::state::{Answer, Screen, State, tenants};
use crate::ui::ticket::Ticket;

/// The dialog for the marked tenants that can be rolled back. A single one gets the dialog that asks for its name.
pub(super) fn open(state: &mut State) -> Vec<Effect> {
    let (fit, others): (Vec<_>, Vec<_>) =
        state.tenants.marked().cloned().partition(|tenant| tenants::can_roll_back(&tenant.state));
    match fit.as_slice() {
        [] => {
            state.notice = Some("none of the marked can be rolled back in its state".to_owned());
            return Vec::new();
        }
        [only] => return open::rollback(state, Some(only.id)),
        several if several.len() > MOST => {
            let marked = several.len();
            state.notice = Some(format!("{marked} are marked, and at most {MOST} are rolled back at once"));
            return Vec::new();
        }
        _ => {}
    }
    let left_out = others.into_iter().map(|tenant| tenant.slug).collect();
    let bulk = BulkRollback::new(fit, left_out);
    let first = bulk.unread();
    state.screens.push(Screen::Bulk(Box::new(bulk)));
    std::iter::once(Effect::DropInput).chain(first.map(Effect::LoadPreview)).collect()
}

/// The effects of rolling back one tenant arrived, for the dialog that asked; then the next unknown ones are requested.
pub(super) fn previewed(
    state: &mut State,
    id: TenantId,
    result: Result<Box<RollbackPreview>, ApiError>,
) -> Vec<Effect> {
    match state.screens.last_mut() {
        Some(Screen::Rollback(dialog)) if dialog.tenant.id == id => take(&mut dialog.effects, result),
        Some(Screen::Bulk(bulk)) => {
            if let Some(part) = bulk.parts.iter_mut().find(|part| part.tenant.id == id) {
                take(&mut part.effects, result);
            }
            return bulk.unread().map(Effect::LoadPreview).into_iter().collect();
        }
        _ => {}
    }
    Vec::new()
}

/// What is on the screen is older, but still better than an error in its place.
fn take(effects: &mut Answer<Box<RollbackPreview>>, result: Result<Box<RollbackPreview>, ApiError>) {
    if result.is_ok() || !matches!(effects, Answer::Given(_)) {
        *effects = result.into();
    }
}

/// After a gap in the events, reads again what could not be read.
pub(super) fn read_again(state: &mut State) -> Vec<Effect> {
    match state.screens.last_mut() {
        Some(Screen::Rollback(dialog)) if !dialog.is_sent() => vec![Effect::LoadPreview(dialog.tenant.id)],
        Some(Screen::Bulk(bulk)) if bulk.phase == BulkPhase::Asking => {
            for part in &mut bulk.parts {
                if matches!(part.effects, Answer::Refused(_)) {
                    part.effects = Answer::Awaited;
                }
            }
            bulk.unread().map(Effect::LoadPreview).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// The confirmation is typed, or the failure was seen: continues with the tenants that wait.
pub(super) fn go(state: &mut State) -> Vec<Effect> {
    if let Some(Screen::Bulk(bulk)) = state.screens.last_mut() {
        bulk.phase = BulkPhase::Running;
    }
    advance(state)
}

/// Whether one of these dialogs waits for the answer with this ticket.
pub(super) fn waits_for(state: &State, ticket: Ticket) -> bool {
    state.screens.iter().any(|screen| match screen {
        Screen::Bulk(bulk) => bulk.parts.iter().any(|part| part.progress == PartProgress::Asked(ticket)),
        _ => false,
    })
}

/// The daemon accepted one of them, or refused it.
pub(super) fn started(state: &mut State, ticket: Ticket, result: Result<Operation, ApiError>) -> Vec<Effect> {
    let (progress, phase) = match &result {
        Ok(operation) => (PartProgress::Running(operation.id), BulkPhase::Running),
        Err(error) => (PartProgress::Failed(error.message.clone()), BulkPhase::Stopped),
    };
    for screen in &mut state.screens {
        if let Screen::Bulk(bulk) = screen
            && let Some(part) =
                bulk.parts.iter_mut().find(|part| part.progress == PartProgress::Asked(ticket))
        {
            part.progress = progress.clone();
            bulk.phase = phase;
        }
    }
    let Ok(operation) = result else { return Vec::new() };
    let id = operation.id;
    state.keep_operation(operation);
    // The operation may have ended before anybody listened.
    vec![Effect::LoadOperation(id)]
}

/// Records what ended, and requests the next one if nothing prevents it.
pub(super) fn advance(state: &mut State) -> Vec<Effect> {
    let ticket = state.ticket();
    let operations = &state.operations;
    let Some(bulk) = state.screens.iter_mut().find_map(|screen| match screen {
        Screen::Bulk(bulk) if bulk.phase == BulkPhase::Running => Some(bulk),
        _ => None,
    }) else {
        return Vec::new();
    };
    for part in &mut bulk.parts {
        if let PartProgress::Running(id) = part.progress
            && let Some(live) = operations.get(&id)
            && let Some(ended) = outcome(&live.operation.state)
        {
            part.progress = ended;
            if matches!(part.progress, PartProgress::Failed(_)) {
                bulk.phase = BulkPhase::Stopped;
            }
        }
        if matches!(part.progress, PartProgress::Asked(_) | PartProgress::Running(_)) {
            return Vec::new();
        }
    }
    if bulk.phase == BulkPhase::Stopped {
        return Vec::new();
    }
    let Some(part) = bulk.parts.iter_mut().find(|part| part.progress == PartProgress::Waiting) else {
        bulk.phase = BulkPhase::Done;
        return Vec::new();
    };
    part.progress = PartProgress::Asked(ticket);
    let request = RollbackRequest {
        // By its id: another tenant of the same name is not meant.
        slug: part.tenant.id.to_string(),
        confirm: part.tenant.slug.to_string(),
        discard_data: false,
        idempotency_key: None,
    };
    vec![Effect::Rollback { ticket, request }]
}

fn outcome(state: &OperationState) -> Option<PartProgress> {
    match state {
        OperationState::Succeeded => Some(PartProgress::Done),
        ended if ended.is_final() => {
            let cause = ended.failure().map(Failure::summary);
            Some(PartProgress::Failed(cause.unwrap_or_else(|| ended.name().replace('_', " "))))
        }
        _ => None,
    }
}
