//! Marks, orders, tenants that are behind, and the list of operations; and rolling back several tenants at once.

use crossterm::event::KeyCode;
use tenantry_protocol::blueprint::Blueprint;
use tenantry_protocol::name::BlueprintVersion;
use tenantry_protocol::operation::{Failure, Operation, OperationKind, OperationState};
use tenantry_protocol::tenant::{RollbackRequest, TenantDetail, TenantState};
use tenantry_protocol::watch::{EventBody, WatchResponse};
use tenantry_protocol::{ApiError, ErrorCode};

use super::{selected, update, watched};
use crate::ui::event::{Effect, Event};
use crate::ui::state::bulk::{BulkPhase, BulkRollback, PartProgress};
use crate::ui::state::{Screen, State};
use crate::ui::testing::{answer_previews, blueprint, console, ctrl, operation, press, tenant, type_text};
use crate::ui::ticket::Ticket;

fn shown(state: &State) -> Vec<String> {
    state.tenants.window(100).map(|(tenant, ..)| tenant.slug.to_string()).collect()
}

fn marked(state: &State) -> Vec<String> {
    state.tenants.marked().map(|tenant| tenant.slug.to_string()).collect()
}

/// The tenant on the list, in another state.
fn becomes(state: &State, slug: &str, new: TenantState) -> Event {
    let mut changed = state.tenants.named(slug).unwrap().clone();
    changed.state = new;
    watched(EventBody::Tenant { tenant: Box::new(changed) })
}

#[test]
fn the_order_goes_by_one_column_after_the_other_and_can_be_reversed() {
    let mut state = console(&["acme", "globex", "initech"]);
    press(&mut state, KeyCode::Char('j'));
    let event = becomes(&state, "initech", TenantState::Provisioning);
    update(&mut state, event);
    assert_eq!(shown(&state), ["acme", "globex", "initech"]);
    press(&mut state, KeyCode::Char('s'));
    assert_eq!(shown(&state), ["initech", "acme", "globex"], "by state, what needs somebody first");
    press(&mut state, KeyCode::Char('S'));
    assert_eq!(shown(&state), ["acme", "globex", "initech"]);
    let event = becomes(&state, "acme", TenantState::Suspended);
    update(&mut state, event);
    assert_eq!(shown(&state), ["globex", "acme", "initech"], "what changes goes where it belongs");
    assert_eq!(selected(&state), "globex", "and the selection with its tenant");
    for _ in 0..5 {
        press(&mut state, KeyCode::Char('s'));
    }
    assert_eq!(shown(&state), ["acme", "globex", "initech"], "by name again");
}

#[test]
fn an_order_that_was_asked_for_holds_in_the_filter_too() {
    let mut state = console(&["acme-2", "acme", "globex"]);
    press(&mut state, KeyCode::Char('S'));
    press(&mut state, KeyCode::Char('/'));
    type_text(&mut state, "acme");
    assert_eq!(shown(&state), ["acme-2", "acme"]);
}

#[test]
fn marks_are_of_tenants_and_survive_refresh_filter_and_order() {
    let mut state = console(&["acme", "globex", "initech"]);
    press(&mut state, KeyCode::Char(' '));
    press(&mut state, KeyCode::Char(' '));
    assert_eq!(
        (marked(&state), selected(&state).as_str()),
        (vec!["acme".into(), "globex".into()], "initech")
    );
    press(&mut state, KeyCode::Char('S'));
    press(&mut state, KeyCode::Char('/'));
    type_text(&mut state, "glo");
    press(&mut state, KeyCode::Enter);
    assert_eq!((state.tenants.marks(), state.tenants.hidden_marks()), (2, 1));
    let mut rows: Vec<_> = state.tenants.rows().to_vec();
    rows.retain(|row| row.slug.as_str() != "acme");
    rows.push(tenant("aaa"));
    update(&mut state, Event::Tenants(rows));
    assert_eq!(marked(&state), ["globex"], "one that is gone is not marked");
    press(&mut state, KeyCode::Esc);
    assert_eq!(state.tenants.marks(), 1, "esc clears the filter first");
    press(&mut state, KeyCode::Esc);
    assert_eq!(state.tenants.marks(), 0);
    press(&mut state, KeyCode::Char('*'));
    assert_eq!(state.tenants.marks(), 3);
    assert_eq!(press(&mut state, KeyCode::Char('y')), [Effect::Copy("aaa\nglobex\ninitech".into())]);
    press(&mut state, KeyCode::Char('*'));
    assert_eq!(state.tenants.marks(), 0);
}

fn bulk(state: &State) -> &BulkRollback {
    match state.screen() {
        Screen::Bulk(bulk) => bulk,
        other => panic!("not the dialog: {other:?}"),
    }
}

/// The dialog for all three, with all effects known and the confirmation typed.
fn at_bulk() -> State {
    let mut state = console(&["acme", "globex", "initech"]);
    press(&mut state, KeyCode::Char('*'));
    let opened = press(&mut state, KeyCode::Char('R'));
    assert_eq!(opened.first(), Some(&Effect::DropInput));
    answer_previews(&mut state, opened);
    type_text(&mut state, "roll back 3 tenants");
    state
}

/// The single rollback that was requested.
fn asked(effects: &[Effect]) -> (Ticket, &RollbackRequest) {
    match effects {
        [Effect::Rollback { ticket, request }] => (*ticket, request),
        other => panic!("not one rollback: {other:?}"),
    }
}

fn rollback_of(slug: &str, state: OperationState) -> Operation {
    Operation { kind: OperationKind::Rollback, ..operation(slug, state) }
}

/// The daemon accepts the rollback and completes it; returns what is requested next.
fn done(state: &mut State, ticket: Ticket, slug: &str) -> Vec<Effect> {
    let mut running = rollback_of(slug, OperationState::Running);
    update(state, Event::Started { ticket, result: Ok(Box::new(running.clone())) });
    running.state = OperationState::Succeeded;
    update(state, watched(EventBody::Operation { operation: Box::new(running) }))
}

#[test]
fn several_are_rolled_back_one_after_the_other_once_the_words_are_typed() {
    let mut state = at_bulk();
    press(&mut state, KeyCode::Backspace);
    assert!(ctrl(&mut state, 'x').is_empty(), "the words are not whole");
    type_text(&mut state, "s");
    assert!(press(&mut state, KeyCode::Enter).is_empty(), "enter removes nothing");
    // Whatever is marked and loaded behind the dialog, it is about these three.
    update(&mut state, Event::Tenants(vec![tenant("other")]));
    let mut effects = ctrl(&mut state, 'x');
    for slug in ["acme", "globex", "initech"] {
        let (ticket, request) = asked(&effects);
        assert_eq!((request.confirm.as_str(), request.discard_data), (slug, false));
        assert!(uuid::Uuid::parse_str(&request.slug).is_ok(), "by id: {}", request.slug);
        assert!(ctrl(&mut state, 'x').is_empty(), "one at a time");
        effects = done(&mut state, ticket, slug);
    }
    assert!(effects.is_empty());
    assert_eq!((bulk(&state).phase, bulk(&state).done()), (BulkPhase::Done, 3));
}

#[test]
fn the_first_that_fails_stops_the_rest_until_somebody_decides() {
    let mut state = at_bulk();
    let (ticket, _) = asked(&ctrl(&mut state, 'x'));
    let refused = ApiError::new(ErrorCode::Unavailable, "there is no connection");
    assert!(update(&mut state, Event::Started { ticket, result: Err(refused) }).is_empty());
    assert_eq!((bulk(&state).phase, bulk(&state).waiting()), (BulkPhase::Stopped, 2));
    let effects = ctrl(&mut state, 'x');
    let (ticket, request) = asked(&effects);
    assert_eq!(request.confirm, "globex");
    let failure = Failure { step: "drop_objects".into(), message: "a lock".into(), ..Failure::default() };
    let left = ("schema".to_owned(), "tenantry".to_owned());
    let running = rollback_of("globex", OperationState::Running);
    update(&mut state, Event::Started { ticket, result: Ok(Box::new(running.clone())) });
    let stuck = OperationState::NeedsAttention { failure, left: left.0, next_command: left.1 };
    let failed = Operation { state: stuck, ..running };
    assert!(update(&mut state, Event::Operation(Box::new(failed))).is_empty());
    assert_eq!(bulk(&state).parts[1].progress, PartProgress::Failed("a lock".into()));
    press(&mut state, KeyCode::Esc);
    assert_eq!(state.notice.as_deref(), Some("2 of 3 were asked for; 1 left as before"));
}

#[test]
fn leaving_stops_after_the_one_that_runs() {
    let mut state = at_bulk();
    let (ticket, _) = asked(&ctrl(&mut state, 'x'));
    press(&mut state, KeyCode::Esc);
    assert!(!done(&mut state, ticket, "acme").iter().any(|effect| matches!(effect, Effect::Rollback { .. })));
}

#[test]
fn one_that_is_marked_has_the_dialog_that_asks_for_its_name() {
    let mut state = console(&["acme", "globex"]);
    press(&mut state, KeyCode::Char(' '));
    press(&mut state, KeyCode::Char('R'));
    let Screen::Rollback(dialog) = state.screen() else { panic!("{:?}", state.screen()) };
    assert_eq!(dialog.tenant.slug.as_str(), "acme", "the marked one, not the selected one");
}

#[test]
fn what_cannot_be_rolled_back_is_left_out_of_the_dialog_and_named() {
    let mut state = console(&["acme", "globex", "initech"]);
    let event = becomes(&state, "globex", TenantState::Provisioning);
    update(&mut state, event);
    press(&mut state, KeyCode::Char('*'));
    press(&mut state, KeyCode::Char('R'));
    assert_eq!((bulk(&state).parts.len(), bulk(&state).left_out.len()), (2, 1));
}

#[test]
fn operations_are_listed_newest_first_and_enter_opens_the_selected_one() {
    let mut state = console(&["acme"]);
    let old = operation("acme", OperationState::Succeeded);
    let new = operation("globex", OperationState::Running);
    assert_eq!(press(&mut state, KeyCode::Char('O')), [Effect::LoadOperations]);
    update(&mut state, Event::Operations(Ok(vec![new.clone(), old.clone()])));
    press(&mut state, KeyCode::Char('j'));
    let newest = operation("initech", OperationState::Running);
    update(&mut state, watched(EventBody::Operation { operation: Box::new(newest) }));
    assert!(state.dirty, "what begins is drawn");
    assert_eq!(press(&mut state, KeyCode::Enter), [Effect::LoadOperation(old.id)], "the selection stayed");
    assert_eq!(press(&mut state, KeyCode::Esc), [Effect::LoadOperations], "and esc leads back");
    press(&mut state, KeyCode::Char('k'));
    assert_eq!(press(&mut state, KeyCode::Enter), [Effect::LoadOperation(new.id)]);
}

#[test]
fn a_failure_from_before_can_be_tried_again_and_adds_no_row_to_the_list() {
    let mut state = console(&["acme"]);
    let mut gone = tenant("globex");
    gone.state = TenantState::RolledBack { reason: "V5".into() };
    let failure = Failure { step: "migrations".into(), message: "wrong".into(), ..Failure::default() };
    let mut failed = operation("globex", OperationState::RolledBack { failure });
    failed.tenant_id = gone.id;
    press(&mut state, KeyCode::Char('O'));
    update(&mut state, Event::Operations(Ok(vec![failed.clone()])));
    press(&mut state, KeyCode::Enter);
    let id = gone.id.to_string();
    let asked = update(&mut state, Event::Operation(Box::new(failed)));
    assert_eq!(asked, [Effect::LoadDetail(id.clone())]);
    let detail = TenantDetail { tenant: gone, operations: vec![], isolation: None, archives: vec![] };
    update(&mut state, Event::Detail { id, result: Ok(Box::new(detail)) });
    press(&mut state, KeyCode::Char('r'));
    let Screen::Wizard(wizard) = state.screen() else { panic!("{:?}", state.screen()) };
    assert_eq!(wizard.slug.value(), "globex");
    assert_eq!(state.tenants.len(), 1);
}

#[test]
fn tenants_are_behind_when_a_newer_version_is_stored_and_a_filter_keeps_them() {
    let mut state = console(&["acme", "globex", "initech"]);
    assert_eq!(state.tenants.behind(), 0);
    let newer = Blueprint { version: BlueprintVersion::new(1, 1), ..blueprint() };
    update(&mut state, Event::Blueprints(vec![newer, blueprint()]));
    assert_eq!(state.tenants.behind(), 3);
    let mut globex = state.tenants.named("globex").unwrap().clone();
    globex.version = BlueprintVersion::new(1, 1);
    update(&mut state, watched(EventBody::Tenant { tenant: Box::new(globex) }));
    assert_eq!(state.tenants.behind(), 2);
    press(&mut state, KeyCode::Char('/'));
    type_text(&mut state, "behind:");
    assert_eq!((state.tenants.visible_len(), selected(&state).as_str()), (2, "acme"));
    type_text(&mut state, " ini");
    assert_eq!((state.tenants.visible_len(), selected(&state).as_str()), (1, "initech"));
    press(&mut state, KeyCode::Esc);
    assert_eq!(state.tenants.visible_len(), 3);
}

#[test]
fn versions_are_read_again_when_one_is_added_or_news_was_lost() {
    let mut state = console(&["acme"]);
    let added = EventBody::Blueprint { name: blueprint().name, version: BlueprintVersion::new(1, 1) };
    assert_eq!(update(&mut state, watched(added)), [Effect::LoadBlueprints]);
    let lost = WatchResponse { cursor: 9, events: Vec::new(), resync: true };
    assert!(update(&mut state, Event::Watched(lost)).contains(&Effect::LoadBlueprints));
}

#[test]
fn a_tenant_of_a_version_that_was_not_known_shows_that_the_others_are_behind() {
    let mut state = console(&["acme", "globex"]);
    let mut newer = tenant("initech");
    newer.version = BlueprintVersion::new(2, 0);
    update(&mut state, watched(EventBody::Tenant { tenant: Box::new(newer) }));
    assert_eq!(state.tenants.behind(), 2);
    assert_eq!(press(&mut state, KeyCode::Char('r')), [Effect::LoadTenants, Effect::LoadBlueprints]);
}
