//! What the daemon says: connections, lists, events, and answers to questions.
//!
//! Invariant: an answer changes only the screen that asked for it, which its ticket or id identifies.

use tenantry_protocol::operation::{Operation, OperationKind};
use tenantry_protocol::tenant::{Credentials, Tenant, TenantDetail};
use tenantry_protocol::watch::{EventBody, WatchResponse};
use tenantry_protocol::{ApiError, ErrorCode};

use super::wizard::{adopt, plan_arrived};
use super::{audit, bulk, export, list_rows, upgrade_plan, upgrades, verify};
use crate::ui::event::{Effect, Event};
use crate::ui::state::credentials::Secret;
use crate::ui::state::operation::{OperationScreen, can_be_retried};
use crate::ui::state::rollback::Asking;
use crate::ui::state::wizard::{Confirmation, Wizard};
use crate::ui::state::{Answer, Connection, Screen, State};
use crate::ui::ticket::Ticket;

/// The most tenants that ended unseen whose records are read; beyond that, the audit trail tells.
const MAX_ENDED: usize = 50;

pub(super) fn happened(state: &mut State, event: Event) -> Vec<Effect> {
    let mut effects = learned(state, event);
    effects.extend(bulk::advance(state));
    effects.extend(verify::advance(state));
    effects
}

fn learned(state: &mut State, event: Event) -> Vec<Effect> {
    // An answer without news does not require drawing; what arrived before it may still wait to be drawn.
    state.dirty |= !matches!(event, Event::Watched(_));
    match event {
        Event::Connected(session) => {
            state.session = Some(*session);
            state.connection = Connection::Live;
            forget_outage(state);
            return resync(state);
        }
        Event::Lost(reason) => {
            // The age counts from the loss, not from the last attempt.
            let since = match &state.connection {
                Connection::Lost { since, .. } => *since,
                _ => state.now,
            };
            state.connection = Connection::Lost { since, reason };
        }
        Event::Tenants(rows) => {
            let ended = state.tenants.replace(rows);
            let page = list_rows(state);
            state.tenants.keep_in_view(page);
            // Their own records say what happened to them, and bring them back to the list while it is open.
            return ended.into_iter().take(MAX_ENDED).map(|id| Effect::LoadDetail(id.to_string())).collect();
        }
        Event::Blueprints(blueprints) => {
            state.tenants.set_newest(&blueprints);
            state.blueprints = blueprints;
            return adopt(state);
        }
        Event::Targets(targets) => {
            state.targets = targets;
            return adopt(state);
        }
        Event::Watched(news) => return watched(state, news),
        Event::Operation(operation) => {
            learn(state, *operation);
            return draft_for_retry(state);
        }
        Event::Cancelling(result) => match result {
            Ok(operation) => {
                state.notice =
                    Some(format!("the {} of {} is being cancelled", operation.kind.name(), operation.slug));
                learn(state, *operation);
            }
            Err(error) => state.notice = Some(error.message),
        },
        Event::Planned { ticket, key, result } => plan_arrived(state, ticket, key, result),
        Event::Started { ticket, result } => return started(state, ticket, result.map(|boxed| *boxed)),
        Event::Credentials { ticket, result } => credentials(state, ticket, result),
        Event::Detail { id, result } => detail(state, &id, result),
        Event::Preview { id, result } => return bulk::previewed(state, id, result),
        Event::Operations(result) => operations(state, result),
        Event::Upgrades(result) => upgrades::listed(state, result),
        Event::UpgradeStatus { ticket, result } => upgrades::status(state, ticket, result),
        Event::UpgradePlanned { ticket, key, result } => upgrade_plan::arrived(state, ticket, key, result),
        Event::UpgradeBegun { ticket, result } => return upgrade_plan::begun(state, ticket, result),
        Event::Steered { hand, result } => return upgrades::steered(state, hand, result),
        Event::Audit { ticket, before, result } => return audit::page(state, ticket, before, result),
        Event::Trail(status) => state.chain.learn(status),
        Event::Verification { ticket, result } => return audit::verification(state, ticket, result),
        Event::Exporting { ticket, progress } => export::progressed(state, ticket, progress),
        Event::Exported { ticket, result } => export::ended(state, ticket, result),
        Event::Key(_) | Event::Paste(_) | Event::Resize(..) | Event::Tick(_) | Event::Terminate => {}
    }
    Vec::new()
}

/// A refusal because there was no connection no longer matters once there is one.
fn forget_outage(state: &mut State) {
    let open = state.screens.iter_mut().filter_map(|screen| match screen {
        Screen::Wizard(wizard) => Some(wizard),
        _ => None,
    });
    for wizard in open.chain(&mut state.draft) {
        wizard.refusal = wizard.refusal.take().filter(|error| error.code != ErrorCode::Unavailable);
    }
}

/// After a gap in the events: operations that seem to run may be over, and the open screen may be out of date.
fn resync(state: &mut State) -> Vec<Effect> {
    let unfinished = state.operations.values().filter(|live| !live.operation.state.is_final());
    let mut effects: Vec<Effect> = unfinished.map(|live| Effect::LoadOperation(live.operation.id)).collect();
    effects.push(Effect::LoadBlueprints);
    match state.screen() {
        Screen::Tenant(screen) => effects.push(Effect::LoadDetail(screen.id.to_string())),
        Screen::Isolation(screen) => effects.push(Effect::LoadDetail(screen.id.to_string())),
        Screen::Audit(_) => effects.extend(audit::read(state)),
        Screen::Operations(_) => effects.push(Effect::LoadOperations),
        Screen::Upgrades(_) | Screen::Upgrade(_) => effects.extend(upgrades::read(state)),
        _ => effects.extend(bulk::read_again(state)),
    }
    effects
}

fn watched(state: &mut State, news: WatchResponse) -> Vec<Effect> {
    state.dirty |= news.resync;
    let mut effects = if news.resync { resync(state) } else { Vec::new() };
    for event in news.events {
        match event.body {
            EventBody::Operation { operation } => {
                let shown = match state.screen() {
                    Screen::Tenant(screen) => Some(screen.id),
                    Screen::Isolation(screen) => Some(screen.id),
                    _ => None,
                };
                if shown == Some(operation.tenant_id) && operation.state.is_final() {
                    effects.push(Effect::LoadDetail(operation.tenant_id.to_string()));
                }
                learn(state, *operation);
                state.dirty |= state.notice.is_some();
                state.dirty |= state.screen().shows_operations();
            }
            EventBody::Log { operation_id, line } => {
                if let Some(live) = state.operations.get_mut(&operation_id) {
                    live.log(event.at, line);
                    state.dirty |= matches!(state.screen(), Screen::Operation(_));
                }
            }
            EventBody::Tenant { tenant } => {
                state.tenants.put(*tenant);
                state.dirty |= state.screen().shows_tenants();
            }
            EventBody::Audit { seq } => effects.extend(audit::announced(state, seq)),
            EventBody::Blueprint { .. } => effects.push(Effect::LoadBlueprints),
            EventBody::Upgrade { upgrade } => {
                effects.extend(upgrades::announced(state, *upgrade, event.at));
            }
            EventBody::Other => {}
        }
    }
    settle(state);
    effects
}

/// Moves changed rows to their places, and keeps the selection visible.
fn settle(state: &mut State) {
    state.tenants.settle();
    let page = list_rows(state);
    state.tenants.keep_in_view(page);
}

fn operations(state: &mut State, result: Result<Vec<Operation>, ApiError>) {
    let read = result.map(|operations| operations.into_iter().for_each(|operation| learn(state, operation)));
    if let Some(Screen::Operations(screen)) = state.screens.last_mut()
        && (read.is_ok() || !matches!(screen.read, Answer::Given(())))
    {
        screen.read = read.into();
    }
}

/// An operation was accepted, or refused.
fn started(state: &mut State, ticket: Ticket, result: Result<Operation, ApiError>) -> Vec<Effect> {
    if bulk::waits_for(state, ticket) {
        return bulk::started(state, ticket, result);
    }
    if verify::waits_for(state, ticket) {
        return verify::started(state, result);
    }
    let asked = state.screens.iter().position(|screen| asks_for(screen, ticket));
    let is_beginning = state.beginning.take_if(|asked| *asked == ticket).is_some();
    let draft_asked = state.draft.as_deref().is_some_and(|draft| is_starting(draft, ticket));
    let operation = match result {
        Ok(operation) => operation,
        Err(error) => {
            if let Some(screen) = asked.and_then(|index| state.screens.get_mut(index)) {
                refuse(screen, error);
            } else {
                state.notice = Some(error.message.clone());
                if let Some(draft) = state.draft.as_mut().filter(|_| draft_asked) {
                    refuse_wizard(draft, error);
                }
            }
            return Vec::new();
        }
    };
    let id = operation.id;
    if draft_asked {
        state.draft = None;
        state.notice = Some(format!("the {} of {} runs", operation.kind.name(), operation.slug));
    }
    state.keep_operation(operation);
    if is_beginning {
        state.screens.push(Screen::Operation(Box::new(OperationScreen::new(id, None))));
    }
    // The operation's screen replaces the screen that asked. If that was left, the operation runs unseen in the list.
    if let Some(index) = asked {
        let draft = match state.screens.remove(index) {
            Screen::Wizard(wizard) => {
                state.draft = None;
                Some(wizard)
            }
            _ => None,
        };
        state.screens.truncate(index);
        state.screens.push(Screen::Operation(Box::new(OperationScreen::new(id, draft))));
    }
    vec![Effect::LoadOperation(id)]
}

fn asks_for(screen: &Screen, ticket: Ticket) -> bool {
    match screen {
        Screen::Wizard(wizard) => is_starting(wizard, ticket),
        Screen::Rollback(dialog) => matches!(dialog.progress, Asking::Sent(asked) if asked == ticket),
        _ => false,
    }
}

fn is_starting(wizard: &Wizard, ticket: Ticket) -> bool {
    matches!(wizard.confirmation, Confirmation::Starting { ticket: asked, .. } if asked == ticket)
}

fn refuse(screen: &mut Screen, error: ApiError) {
    match screen {
        Screen::Wizard(wizard) => refuse_wizard(wizard, error),
        Screen::Rollback(dialog) => dialog.progress = Asking::Refused(error),
        _ => {}
    }
}

fn refuse_wizard(wizard: &mut Wizard, error: ApiError) {
    if let Confirmation::Starting { plan, key, .. } = wizard.confirmation.clone() {
        // The key stays the same, so that trying again cannot make a second tenant.
        wizard.confirmation = Confirmation::Planned { plan, key };
    }
    wizard.refusal = Some(error);
}

fn credentials(state: &mut State, ticket: Ticket, result: Result<Credentials, ApiError>) {
    let waiting = state.screens.iter_mut().find_map(|screen| match screen {
        Screen::Credentials(screen) if matches!(screen.secret, Secret::Asked(asked) if asked == ticket) => {
            Some(screen)
        }
        _ => None,
    });
    // If nobody waits, the secret is dropped here and can be issued again.
    if let Some(screen) = waiting {
        screen.secret = match result {
            Ok(credentials) => Secret::Shown(Box::new(credentials)),
            Err(error) => Secret::Refused(error),
        };
    }
}

/// Keeps the present state of an operation. A failure that is not on the screen is reported.
fn learn(state: &mut State, operation: Operation) {
    let ran = state.operations.get(&operation.id).is_some_and(|live| !live.operation.state.is_final());
    let seen = match state.screen() {
        Screen::Operation(screen) => screen.id == operation.id,
        // Its failures are on the screen, each with its reason.
        screen => screen.shows_upgrades() && operation.kind == OperationKind::Upgrade,
    };
    if ran
        && !seen
        && operation.state.is_final()
        && let Some(failure) = operation.state.failure()
    {
        let kind = operation.kind.name().replace('_', " ");
        state.notice = Some(format!("✗ {kind} of {}: {}", operation.slug, failure.summary()));
    }
    state.keep_operation(operation);
}

/// A provision that failed can be tried again, but its tenant is not on the list of living tenants: it is loaded.
fn draft_for_retry(state: &State) -> Vec<Effect> {
    let Screen::Operation(screen) = state.screen() else { return Vec::new() };
    match state.live(screen) {
        Some(live)
            if screen.draft.is_none()
                && can_be_retried(&live.operation)
                && state.tenants.get(live.operation.tenant_id).is_none() =>
        {
            vec![Effect::LoadDetail(live.operation.tenant_id.to_string())]
        }
        _ => Vec::new(),
    }
}

/// Takes the draft of a tenant that is not a row of the list, if that is what was requested.
fn take_draft(state: &mut State, tenant: &Tenant) -> bool {
    let wanted = !draft_for_retry(state).is_empty();
    let about = match state.screen() {
        Screen::Operation(screen) => state.live(screen).map(|live| live.operation.tenant_id),
        _ => None,
    };
    match state.screens.last_mut() {
        Some(Screen::Operation(screen)) if wanted && about == Some(tenant.id) => {
            screen.draft = Some(Box::new(Wizard::again(tenant)));
            true
        }
        _ => false,
    }
}

fn detail(state: &mut State, id: &str, result: Result<Box<TenantDetail>, ApiError>) {
    verify::read(state, id, &result);
    if let Ok(detail) = &result {
        for operation in &detail.operations {
            learn(state, operation.clone());
        }
        if !take_draft(state, &detail.tenant) {
            state.tenants.put(detail.tenant.clone());
            settle(state);
        }
    }
    let shown = match state.screens.last_mut() {
        Some(Screen::Tenant(screen)) if screen.id.to_string() == id => &mut screen.detail,
        Some(Screen::Isolation(screen)) if screen.id.to_string() == id => &mut screen.detail,
        _ => return,
    };
    match result {
        Ok(detail) => *shown = Answer::Given(detail),
        Err(error) if !matches!(shown, Answer::Given(_)) => *shown = Answer::Refused(error),
        // What is on the screen is older, but still better than an error in its place.
        Err(error) => state.notice = Some(error.message),
    }
}
