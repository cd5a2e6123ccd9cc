//! Verifying by keys: one tenant, the marked ones, all of them; what is reported, and what stops it.
//! As in the parent module, nothing is drawn and no daemon is asked.

use crossterm::event::KeyCode;
use tenantry_protocol::isolation::{Depth, Grade, IsolationBadge};
use tenantry_protocol::operation::{Failure, Operation, OperationKind, OperationState};
use tenantry_protocol::tenant::{TenantDetail, TenantState};
use tenantry_protocol::watch::EventBody;
use tenantry_protocol::{ApiError, ErrorCode};

use super::{selected, update, watched};
use crate::ui::event::{Effect, Event};
use crate::ui::state::{Screen, State};
use crate::ui::testing::{console, graded, isolation_report, now, operation, press, type_text};
use crate::ui::ticket::Ticket;

/// The single verification that was requested: its ticket and its tenant.
fn asked(state: &State, effects: &[Effect]) -> (Ticket, String) {
    let asked: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Verify { ticket, id } => Some((*ticket, *id)),
            _ => None,
        })
        .collect();
    let [(ticket, id)] = asked.as_slice() else { panic!("not one verification: {effects:?}") };
    (*ticket, state.tenants.get(*id).unwrap().slug.to_string())
}

fn verification(slug: &str, state: OperationState) -> Operation {
    Operation { kind: OperationKind::Verify, ..operation(slug, state) }
}

fn accept(state: &mut State, ticket: Ticket, slug: &str) -> Operation {
    let running = verification(slug, OperationState::Running);
    let loads = update(state, Event::Started { ticket, result: Ok(Box::new(running.clone())) });
    assert_eq!(loads, [Effect::LoadOperation(running.id)]);
    running
}

/// The daemon verifies the tenant: it announces the tenant with its new badge, then the end. Returns what is requested next.
fn ends(state: &mut State, running: Operation, grade: Grade) -> Vec<Effect> {
    let mut tenant = state.tenants.named(running.slug.as_str()).unwrap().clone();
    tenant.isolation = Some(IsolationBadge { grade, depth: Depth::Full, at: now() });
    update(state, watched(EventBody::Tenant { tenant: Box::new(tenant) }));
    let done = Operation { state: OperationState::Succeeded, ..running };
    update(state, watched(EventBody::Operation { operation: Box::new(done) }))
}

fn verified(state: &mut State, effects: &[Effect], grade: Grade) -> Vec<Effect> {
    let (ticket, slug) = asked(state, effects);
    let running = accept(state, ticket, &slug);
    ends(state, running, grade)
}

#[test]
fn a_key_verifies_the_selected_tenant_and_one_stays_where_one_is() {
    let mut state = console(&["acme", "globex"]);
    press(&mut state, KeyCode::Char('j'));
    let effects = press(&mut state, KeyCode::Char('v'));
    assert_eq!(asked(&state, &effects).1, "globex");
    let rest = verified(&mut state, &effects, Grade::F);
    assert!(rest.is_empty() && state.verifying.is_none(), "{rest:?}");
    assert!(matches!(state.screen(), Screen::Tenants) && state.dirty);
    assert_eq!(
        state.notice.as_deref(),
        Some("✗ globex: grade F, its isolation does not hold; i shows the report")
    );
    assert_eq!(selected(&state), "globex");
}

#[test]
fn what_does_not_stand_cannot_be_verified() {
    let mut state = console(&["acme"]);
    let mut tenant = state.tenants.selected().unwrap().clone();
    tenant.state = TenantState::Provisioning;
    update(&mut state, watched(EventBody::Tenant { tenant: Box::new(tenant.clone()) }));
    assert!(press(&mut state, KeyCode::Char('v')).is_empty());
    press(&mut state, KeyCode::Char(' '));
    assert!(press(&mut state, KeyCode::Char('v')).is_empty());
    assert!(state.notice.as_deref().unwrap().contains("none of the marked is active or suspended"));
    tenant.state = TenantState::Suspended;
    update(&mut state, watched(EventBody::Tenant { tenant: Box::new(tenant) }));
    let effects = press(&mut state, KeyCode::Char('v'));
    assert_eq!(asked(&state, &effects).1, "acme");
}

#[test]
fn the_marked_ones_are_verified_one_after_the_other_and_one_failure_stops_nobody() {
    let mut state = console(&["acme", "globex", "initech", "umbrella"]);
    for _ in 0..3 {
        press(&mut state, KeyCode::Char(' '));
    }
    let effects = press(&mut state, KeyCode::Char('v'));
    let effects = verified(&mut state, &effects, Grade::A);
    let (ticket, slug) = asked(&state, &effects);
    assert_eq!(slug, "globex");
    let busy = ApiError::new(ErrorCode::Conflict, "a rollback of it runs");
    let effects = update(&mut state, Event::Started { ticket, result: Err(busy) });
    let (ticket, slug) = asked(&state, &effects);
    let running = accept(&mut state, ticket, &slug);
    let failure = Failure { step: "verify".into(), message: "no route".into(), ..Failure::default() };
    let failed = Operation { state: OperationState::RolledBack { failure }, ..running };
    assert!(update(&mut state, Event::Operation(Box::new(failed))).is_empty(), "nobody is left");
    let said = "✗ 3 verified: 1 A, 2 without a verdict · look at globex, initech (a rollback of it runs)";
    assert_eq!(state.notice.as_deref(), Some(said));
}

#[test]
fn more_can_be_asked_for_meanwhile_and_the_rest_can_be_stopped() {
    let mut state = console(&["acme", "globex", "initech"]);
    let first = press(&mut state, KeyCode::Char('v'));
    press(&mut state, KeyCode::Char('j'));
    assert!(press(&mut state, KeyCode::Char('v')).is_empty(), "never two at once");
    assert!(press(&mut state, KeyCode::Char('v')).is_empty(), "nor one twice");
    assert_eq!(state.verifying.as_ref().unwrap().progress(), "verifying 1 of 2: acme · x stops");
    let effects = verified(&mut state, &first, Grade::A);
    assert_eq!(asked(&state, &effects).1, "globex");
    press(&mut state, KeyCode::Char('j'));
    press(&mut state, KeyCode::Char('v'));
    press(&mut state, KeyCode::Char('x'));
    assert_eq!(state.notice.as_deref(), Some("stopped: 1 keeps its verdict"));
    assert!(verified(&mut state, &effects, Grade::B).is_empty());
    assert_eq!(state.notice.as_deref(), Some("✓ 2 verified: 1 A, 1 B"));
}

#[test]
fn a_daemon_that_is_gone_is_said_once() {
    let mut state = console(&["acme", "globex"]);
    press(&mut state, KeyCode::Char('*'));
    let effects = press(&mut state, KeyCode::Char('v'));
    let (ticket, _) = asked(&state, &effects);
    let gone = ApiError::new(ErrorCode::Unavailable, "there is no connection");
    assert!(update(&mut state, Event::Started { ticket, result: Err(gone) }).is_empty());
    assert_eq!(state.notice.as_deref(), Some("✗ acme could not be verified: there is no connection"));
    assert!(state.verifying.is_none());
}

#[test]
fn a_verdict_that_was_not_announced_is_read() {
    let mut state = console(&["acme"]);
    let effects = press(&mut state, KeyCode::Char('v'));
    let (ticket, slug) = asked(&state, &effects);
    let running = accept(&mut state, ticket, &slug);
    let done = Operation { state: OperationState::Succeeded, ..running };
    let id = state.tenants.selected().unwrap().id.to_string();
    assert_eq!(update(&mut state, Event::Operation(Box::new(done))), [Effect::LoadDetail(id.clone())]);
    let mut tenant = state.tenants.selected().unwrap().clone();
    tenant.isolation = Some(IsolationBadge { grade: Grade::A, depth: Depth::Full, at: now() });
    let isolation = Some(isolation_report());
    let detail = TenantDetail { tenant, operations: vec![], isolation, archives: vec![] };
    update(&mut state, Event::Detail { id, result: Ok(Box::new(detail)) });
    assert!(state.notice.as_deref().unwrap().starts_with("✓ acme: grade A"), "{:?}", state.notice);
}

#[test]
fn an_open_report_is_read_again_when_a_verification_ends_whoever_asked() {
    let mut state = console(&["acme"]);
    let id = state.tenants.selected().unwrap().id;
    assert_eq!(press(&mut state, KeyCode::Char('i')), [Effect::LoadDetail(id.to_string())]);
    let mut done = verification("acme", OperationState::Succeeded);
    done.tenant_id = id;
    let effects = update(&mut state, watched(EventBody::Operation { operation: Box::new(done) }));
    assert_eq!(effects, [Effect::LoadDetail(id.to_string())]);
}

#[test]
fn a_report_is_copied_as_text_and_as_json() {
    let mut state = console(&["acme"]);
    press(&mut state, KeyCode::Char('i'));
    assert!(press(&mut state, KeyCode::Char('y')).is_empty(), "nothing was read yet");
    let tenant = state.tenants.selected().unwrap().clone();
    let id = tenant.id.to_string();
    let report = isolation_report();
    let detail =
        TenantDetail { tenant, operations: vec![], isolation: Some(report.clone()), archives: vec![] };
    update(&mut state, Event::Detail { id, result: Ok(Box::new(detail)) });
    let effects = press(&mut state, KeyCode::Char('y'));
    let [Effect::Copy(text)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(text.starts_with("acme: grade A") && text.contains("42501: permission denied"), "{text}");
    let effects = press(&mut state, KeyCode::Char('Y'));
    let [Effect::Copy(text)] = effects.as_slice() else { panic!("{effects:?}") };
    let copied: tenantry_protocol::isolation::IsolationReport = serde_json::from_str(text).unwrap();
    assert_eq!(copied, report);
}

#[test]
fn the_palette_verifies_one_by_name_and_all_by_word() {
    let mut state = console(&["acme", "allegro"]);
    press(&mut state, KeyCode::Char(':'));
    type_text(&mut state, "verify alle");
    let effects = press(&mut state, KeyCode::Enter);
    assert_eq!(asked(&state, &effects).1, "allegro");
    state.verifying = None;
    press(&mut state, KeyCode::Char(':'));
    type_text(&mut state, "verify all");
    let effects = press(&mut state, KeyCode::Enter);
    assert!(matches!(state.screen(), Screen::Fleet(_)), "{:?}", state.screen());
    let effects = verified(&mut state, &effects, Grade::A);
    let effects = verified(&mut state, &effects, Grade::A);
    assert!(effects.is_empty());
    assert_eq!(state.notice.as_deref(), Some("✓ 2 verified: 2 A"));
    press(&mut state, KeyCode::Char(':'));
    type_text(&mut state, "isolation acme");
    press(&mut state, KeyCode::Enter);
    let Screen::Isolation(screen) = state.screen() else { panic!("{:?}", state.screen()) };
    assert_eq!(screen.slug.as_str(), "acme");
}

#[test]
fn the_selected_one_stays_on_the_fleet_when_it_is_well_again() {
    let mut state = console(&[]);
    let rows = [("acme", Grade::F), ("globex", Grade::F), ("initech", Grade::A)];
    update(&mut state, Event::Tenants(rows.map(|(slug, grade)| graded(slug, Some(grade))).into()));
    press(&mut state, KeyCode::Char(':'));
    type_text(&mut state, "isolation");
    press(&mut state, KeyCode::Enter);
    let effects = press(&mut state, KeyCode::Char('v'));
    verified(&mut state, &effects, Grade::A);
    assert_eq!(state.tenant_at_hand().unwrap().slug.as_str(), "acme");
    press(&mut state, KeyCode::Char('k'));
    assert_eq!(
        state.tenant_at_hand().unwrap().slug.as_str(),
        "globex",
        "the worst is first, the well one below"
    );
}

#[test]
fn by_isolation_the_worst_comes_first_and_what_cannot_be_verified_last() {
    let mut state = console(&[]);
    let rows = [("acme", Some(Grade::A)), ("globex", None), ("initech", Some(Grade::F))];
    let mut rows: Vec<_> = rows.map(|(slug, grade)| graded(slug, grade)).into();
    rows.push(graded("aaa", None));
    rows[3].state = TenantState::Provisioning;
    update(&mut state, Event::Tenants(rows));
    for _ in 0..4 {
        press(&mut state, KeyCode::Char('s'));
    }
    let shown: Vec<_> = state.tenants.window(9).map(|(tenant, ..)| tenant.slug.to_string()).collect();
    assert_eq!(shown, ["initech", "globex", "acme", "aaa"]);
}
