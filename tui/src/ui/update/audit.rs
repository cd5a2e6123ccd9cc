//! The audit trail: searching it, following it, verifying it.
//!
//! Invariant: an answer to words that are no longer in force is dropped, by its ticket. What arrives moves nothing while
//! the operator looks at older events. A search that paused is continued only as far as the screen needs it.

use tenantry_protocol::ApiError;
use tenantry_protocol::audit::{AuditResponse, AuditVerification};
use tui_input::Input;

use crate::filter;
use crate::trail;
use crate::ui::action::Action;
use crate::ui::event::{Effect, Pace};
use crate::ui::state::audit::chain::Checking;
use crate::ui::state::audit::record::RecordScreen;
use crate::ui::state::audit::{AuditScreen, Older, Reading, Tail};
use crate::ui::state::tenants::Typing;
use crate::ui::state::{Screen, State};
use crate::ui::ticket::Ticket;

/// What the keys for the trail do.
pub(super) fn perform(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::Details => details(state),
        Action::Tail => tail(state),
        Action::VerifyTrail => verify(state),
        Action::Verdict => verdict(state),
        _ => Vec::new(),
    }
}

/// Opens the trail, filtered to the tenant that the screen is about, if it is about one.
pub(super) fn open_here(state: &mut State) -> Vec<Effect> {
    let slug = match state.screen() {
        // This also works for a tenant that is no longer listed: its history stays.
        Screen::Tenant(screen) => Some(screen.slug.clone()),
        Screen::Operation(screen) => state.live(screen).map(|live| live.operation.slug.clone()),
        Screen::Operations(_) | Screen::Isolation(_) => {
            state.tenant_at_hand().map(|tenant| tenant.slug.clone())
        }
        _ => None,
    };
    open(state, slug.map(|slug| format!("tenant:{slug}")).unwrap_or_default())
}

pub(super) fn open(state: &mut State, words: String) -> Vec<Effect> {
    let ticket = state.ticket();
    let screen = match filter::parse(&words, state.now) {
        Ok(query) => AuditScreen::new(words, query, ticket),
        Err(error) => {
            state.notice = Some(error.to_string());
            let mut screen = AuditScreen::new(String::new(), Default::default(), ticket);
            screen.input = Input::new(words);
            screen.typing = Typing::Filter;
            screen
        }
    };
    state.screens.push(Screen::Audit(Box::new(screen)));
    read(state)
}

/// Reads the newest page again.
pub(super) fn read(state: &mut State) -> Vec<Effect> {
    read_at(state, Pace::Now)
}

fn read_at(state: &mut State, pace: Pace) -> Vec<Effect> {
    let known = state.chain.status.head_seq;
    let Some(Screen::Audit(screen)) = state.screens.last_mut() else { return Vec::new() };
    screen.asked(known);
    let query = Box::new(screen.query.clone());
    vec![Effect::LoadAudit { ticket: screen.ticket, query, before: None, pace }]
}

/// Puts the typed words in force, if they can be understood.
pub(super) fn search(state: &mut State) -> Vec<Effect> {
    let Screen::Audit(screen) = state.screen() else { return Vec::new() };
    let words = screen.input.value().trim().to_owned();
    put_in_force(state, words)
}

/// Discards what was typed first, then the search itself.
pub(super) fn clear(state: &mut State) -> Vec<Effect> {
    let Some(Screen::Audit(screen)) = state.screens.last_mut() else { return Vec::new() };
    if screen.typing == Typing::Filter {
        screen.typing = Typing::No;
        screen.input = Input::new(screen.words.clone());
        return Vec::new();
    }
    let origin = screen.origin.clone();
    put_in_force(state, origin)
}

fn put_in_force(state: &mut State, words: String) -> Vec<Effect> {
    let query = match filter::parse(&words, state.now) {
        Ok(query) => query,
        Err(error) => {
            state.notice = Some(error.to_string());
            return Vec::new();
        }
    };
    let ticket = state.ticket();
    let Some(Screen::Audit(screen)) = state.screens.last_mut() else { return Vec::new() };
    screen.begin_anew(words, query, ticket);
    read(state)
}

/// The trail grew up to this number.
pub(super) fn announced(state: &mut State, seq: i64) -> Vec<Effect> {
    let head = &mut state.chain.status.head_seq;
    *head = seq.max(*head);
    let Some(Screen::Audit(screen)) = state.screens.last_mut() else { return Vec::new() };
    let was_behind = screen.is_behind;
    if screen.announced() {
        return read(state);
    }
    state.dirty |= screen.is_behind != was_behind;
    Vec::new()
}

/// A page arrived: the newest one, or one of older events.
pub(super) fn page(
    state: &mut State,
    ticket: Ticket,
    before: Option<i64>,
    result: Result<Box<AuditResponse>, ApiError>,
) -> Vec<Effect> {
    if let Ok(page) = &result {
        state.chain.learn(page.trail.clone());
    }
    let asked = state.screens.iter_mut().find_map(|screen| match screen {
        Screen::Audit(screen) if screen.ticket == ticket => Some(screen),
        _ => None,
    });
    let Some(screen) = asked else { return Vec::new() };
    let answered = result.is_ok();
    let result = result.map(|page| *page);
    if let Some(before) = before {
        screen.older_arrived(before, result);
    } else {
        let outdated = screen.reading == Reading::Outdated && answered;
        screen.newest_arrived(result);
        screen.reading = Reading::Idle;
        if outdated {
            return read_at(state, Pace::Rested);
        }
    }
    // A failed request is repeated when the operator moves, not by itself.
    if answered { go_on(state) } else { Vec::new() }
}

/// Asks for older events if the screen needs them.
fn go_on(state: &mut State) -> Vec<Effect> {
    let Some(Screen::Audit(screen)) = state.screens.last_mut() else { return Vec::new() };
    let Some(before) = screen.wants_older() else { return Vec::new() };
    screen.older = Older::Asked { before };
    let query = Box::new(screen.query.clone());
    vec![Effect::LoadAudit { ticket: screen.ticket, query, before: Some(before), pace: Pace::Now }]
}

/// Moves the selection. On the newest event it follows the newest, and what came meanwhile is read.
pub(super) fn select(state: &mut State, by: isize) -> Vec<Effect> {
    let Some(Screen::Audit(screen)) = state.screens.last_mut() else { return Vec::new() };
    let last = screen.events().len().saturating_sub(1);
    let row = screen.selected_row().saturating_add_signed(by).min(last);
    screen.selection = screen.events().get(row).filter(|_| row > 0).map(|event| event.seq);
    if screen.is_live() && screen.is_behind {
        return read(state);
    }
    go_on(state)
}

/// Toggles the tail; if the selection has moved away from the newest event, it goes back there instead.
fn tail(state: &mut State) -> Vec<Effect> {
    let Some(Screen::Audit(screen)) = state.screens.last_mut() else { return Vec::new() };
    if screen.is_live() {
        screen.tail = Tail::Off;
        return Vec::new();
    }
    screen.tail = Tail::On;
    screen.selection = None;
    read(state)
}

fn details(state: &mut State) -> Vec<Effect> {
    if let Some(event) = state.event_at_hand().cloned() {
        state.screens.push(Screen::Record(Box::new(RecordScreen::event(event))));
    }
    Vec::new()
}

fn verdict(state: &mut State) -> Vec<Effect> {
    if let Some(verdict) = state.chain.verdict.clone() {
        state.screens.push(Screen::Record(Box::new(RecordScreen::verdict(verdict))));
    }
    Vec::new()
}

/// Verifies the whole trail, whatever the filter is.
pub(super) fn verify(state: &mut State) -> Vec<Effect> {
    if state.chain.checking.is_some() {
        return Vec::new();
    }
    let ticket = state.ticket();
    state.chain.checking = Some(Checking { ticket, progress: None });
    if !matches!(state.screen(), Screen::Audit(_)) {
        state.notice = Some("the audit trail is being verified; its verdict is said here".to_owned());
    }
    vec![Effect::VerifyTrail(ticket)]
}

/// The verification made progress, or it is over.
pub(super) fn verification(
    state: &mut State,
    ticket: Ticket,
    result: Result<Box<AuditVerification>, ApiError>,
) -> Vec<Effect> {
    let Some(checking) = state.chain.checking.as_mut().filter(|checking| checking.ticket == ticket) else {
        return Vec::new();
    };
    match result {
        Ok(mut progress) => {
            if let Some(verdict) = progress.verdict.take() {
                let said = trail::headline(&verdict);
                let way = if matches!(state.screen(), Screen::Audit(_)) { "V" } else { ":audit, then V," };
                state.notice = Some(format!("{said} · {way} shows all of it"));
                state.chain.concluded(verdict);
                return vec![Effect::LoadTrail];
            }
            let id = progress.id.clone();
            checking.progress = Some(*progress);
            vec![Effect::Verification { ticket, id }]
        }
        Err(error) => {
            state.chain.checking = None;
            state.notice = Some(format!("the trail could not be verified: {}", error.message));
            Vec::new()
        }
    }
}
