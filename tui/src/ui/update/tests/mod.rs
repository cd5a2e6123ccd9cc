//! The console's behaviour, driven by events alone.
//! Nothing is drawn and no daemon is asked: what counts is the resulting state, and which effects were requested.
#![allow(clippy::unwrap_used, clippy::panic)]

mod audit;
mod isolation;
mod lists;
mod screens;
mod upgrades;

use crossterm::event::KeyCode;
use tenantry_protocol::operation::{Failure, OperationState};
use tenantry_protocol::tenant::TenantState;
use tenantry_protocol::watch::{Event as WatchEvent, EventBody, WatchResponse};
use tenantry_protocol::{ApiError, ErrorCode};

use super::update;
use crate::ui::event::{Effect, Event};
use crate::ui::state::wizard::{Confirmation, Step, Wizard};
use crate::ui::state::{Connection, Screen, State};
use crate::ui::testing::{answer_previews, console, ctrl, now, operation, plan, press, tenant, type_text};
use crate::ui::ticket::Ticket;

fn wizard(state: &State) -> &Wizard {
    match state.screen() {
        Screen::Wizard(wizard) => wizard,
        other => panic!("not the wizard: {other:?}"),
    }
}

fn selected(state: &State) -> String {
    state.tenants.selected().map(|tenant| tenant.slug.to_string()).unwrap_or_default()
}

fn watched(body: EventBody) -> Event {
    Event::Watched(WatchResponse {
        cursor: 9,
        events: vec![WatchEvent { cursor: 9, at: now(), body }],
        resync: false,
    })
}

/// The confirmation step, with the plan that was requested.
fn at_confirmation() -> (State, Ticket) {
    let mut state = console(&["globex"]);
    press(&mut state, KeyCode::Char('n'));
    type_text(&mut state, "Acme GmbH");
    press(&mut state, KeyCode::Enter);
    let effects = press(&mut state, KeyCode::Enter);
    let Some(Effect::Plan { ticket, .. }) = effects.first() else {
        panic!("no plan was asked for: {effects:?}")
    };
    let ticket = *ticket;
    (state, ticket)
}

fn planned() -> State {
    let (mut state, ticket) = at_confirmation();
    update(
        &mut state,
        Event::Planned { ticket, key: "key-1".into(), result: Ok(Box::new(plan("acme-gmbh"))) },
    );
    state
}

#[test]
fn the_selection_survives_a_refresh_that_moves_it() {
    let mut state = console(&["beta", "gamma", "zeta"]);
    press(&mut state, KeyCode::Char('j'));
    assert_eq!(selected(&state), "gamma");
    update(&mut state, watched(EventBody::Tenant { tenant: Box::new(tenant("alpha")) }));
    assert_eq!(selected(&state), "gamma");
    let mut rows: Vec<_> = ["aaa", "abc"].map(tenant).into();
    rows.push(state.tenants.selected().unwrap().clone());
    update(&mut state, Event::Tenants(rows));
    assert_eq!((selected(&state).as_str(), state.tenants.selected_row()), ("gamma", Some(2)));
}

#[test]
fn when_the_selected_tenant_is_gone_its_place_stays_selected() {
    let mut state = console(&["alpha", "beta", "gamma"]);
    press(&mut state, KeyCode::Char('j'));
    update(&mut state, Event::Tenants(["alpha", "gamma"].map(tenant).into()));
    assert_eq!(selected(&state), "gamma");
}

#[test]
fn the_filter_is_fuzzy_and_esc_clears_it() {
    let mut state = console(&["acme", "acme-staging", "globex"]);
    press(&mut state, KeyCode::Char('/'));
    type_text(&mut state, "acst");
    assert_eq!((state.tenants.visible_len(), selected(&state).as_str()), (1, "acme-staging"));
    press(&mut state, KeyCode::Esc);
    assert_eq!(state.tenants.visible_len(), 3);
    assert_eq!(press(&mut state, KeyCode::Char('q')), [Effect::Quit]);
}

#[test]
fn the_slug_follows_the_display_name_until_it_is_typed() {
    let mut state = console(&[]);
    press(&mut state, KeyCode::Char('n'));
    type_text(&mut state, "Acme GmbH");
    assert_eq!(wizard(&state).slug.value(), "acme-gmbh");
    press(&mut state, KeyCode::Tab);
    type_text(&mut state, "-2");
    press(&mut state, KeyCode::BackTab);
    type_text(&mut state, " & Co");
    assert_eq!(wizard(&state).slug.value(), "acme-gmbh-2");
}

#[test]
fn a_taken_or_wrong_slug_keeps_the_wizard_on_its_step() {
    let mut state = console(&["acme"]);
    press(&mut state, KeyCode::Char('n'));
    type_text(&mut state, "Acme");
    press(&mut state, KeyCode::Enter);
    assert_eq!(wizard(&state).step, Step::Details);
    press(&mut state, KeyCode::Char('_'));
    press(&mut state, KeyCode::Enter);
    assert_eq!(wizard(&state).step, Step::Details);
}

#[test]
fn a_setting_out_of_its_range_is_not_planned() {
    let mut state = console(&[]);
    press(&mut state, KeyCode::Char('n'));
    type_text(&mut state, "Acme");
    press(&mut state, KeyCode::Enter);
    for _ in 0..3 {
        press(&mut state, KeyCode::Tab);
    }
    type_text(&mut state, "0");
    assert!(press(&mut state, KeyCode::Enter).is_empty());
    assert_eq!(wizard(&state).step, Step::Configuration);
    press(&mut state, KeyCode::Backspace);
    let effects = press(&mut state, KeyCode::Enter);
    let Some(Effect::Plan { request, .. }) = effects.first() else { panic!("{effects:?}") };
    assert_eq!(request.settings.get("connection_limit"), Some(&20));
}

#[test]
fn a_name_that_the_daemon_would_refuse_is_refused_as_it_is_typed() {
    let mut state = console(&[]);
    press(&mut state, KeyCode::Char('n'));
    update(&mut state, Event::Paste("x".repeat(201)));
    press(&mut state, KeyCode::Enter);
    assert_eq!(wizard(&state).step, Step::Details);
    press(&mut state, KeyCode::Backspace);
    press(&mut state, KeyCode::Enter);
    assert_eq!(wizard(&state).step, Step::Configuration);
}

#[test]
fn esc_goes_back_through_the_wizard_and_loses_nothing() {
    let mut state = planned();
    for step in [Step::Configuration, Step::Details] {
        press(&mut state, KeyCode::Esc);
        assert_eq!(wizard(&state).step, step);
        assert_eq!(wizard(&state).name.value(), "Acme GmbH");
    }
    press(&mut state, KeyCode::Esc);
    assert!(matches!(state.screen(), Screen::Tenants));
    press(&mut state, KeyCode::Char('n'));
    assert_eq!((wizard(&state).name.value(), wizard(&state).slug.value()), ("Acme GmbH", "acme-gmbh"));
}

#[test]
fn only_ctrl_s_approves_and_exactly_the_plan_on_the_screen() {
    let mut state = planned();
    assert!(press(&mut state, KeyCode::Enter).is_empty());
    let effects = ctrl(&mut state, 's');
    let Some(Effect::Provision { request, .. }) = effects.first() else { panic!("{effects:?}") };
    assert_eq!(request.approve.as_deref(), Some("7f3a".repeat(16).as_str()));
    assert_eq!(request.idempotency_key.as_deref(), Some("key-1"));
    assert!(ctrl(&mut state, 's').is_empty(), "a second approval starts nothing");
}

#[test]
fn an_answer_to_an_older_plan_is_dropped() {
    let (mut state, ticket) = at_confirmation();
    press(&mut state, KeyCode::Esc);
    press(&mut state, KeyCode::Char(' '));
    press(&mut state, KeyCode::Enter);
    update(&mut state, Event::Planned { ticket, key: "old".into(), result: Ok(Box::new(plan("acme-gmbh"))) });
    assert!(matches!(wizard(&state).confirmation, Confirmation::Planning(_)));
}

#[test]
fn a_refused_provision_keeps_the_draft_and_the_key() {
    let mut state = planned();
    let effects = ctrl(&mut state, 's');
    let Some(Effect::Provision { ticket, .. }) = effects.first() else { panic!("{effects:?}") };
    let error = ApiError::new(ErrorCode::Conflict, "taken");
    update(&mut state, Event::Started { ticket: *ticket, result: Err(error) });
    assert_eq!(wizard(&state).refusal.as_ref().map(|error| error.code), Some(ErrorCode::Conflict));
    let effects = ctrl(&mut state, 's');
    let Some(Effect::Provision { request, .. }) = effects.first() else { panic!("{effects:?}") };
    assert_eq!(request.idempotency_key.as_deref(), Some("key-1"));
}

#[test]
fn a_failed_operation_leads_back_to_the_draft() {
    let mut state = planned();
    let effects = ctrl(&mut state, 's');
    let Some(Effect::Provision { ticket, .. }) = effects.first() else { panic!("{effects:?}") };
    let mut failed = operation("acme-gmbh", OperationState::Running);
    update(&mut state, Event::Started { ticket: *ticket, result: Ok(Box::new(failed.clone())) });
    assert!(matches!(state.screen(), Screen::Operation(_)));
    failed.state = OperationState::RolledBack { failure: Failure::default() };
    update(&mut state, watched(EventBody::Operation { operation: Box::new(failed) }));
    press(&mut state, KeyCode::Char('r'));
    assert_eq!((wizard(&state).step, wizard(&state).name.value()), (Step::Configuration, "Acme GmbH"));
}

#[test]
fn a_late_reading_does_not_revive_a_finished_operation() {
    let mut state = console(&[]);
    let running = operation("acme", OperationState::Running);
    let mut done = running.clone();
    done.state = OperationState::Succeeded;
    update(&mut state, Event::Operation(Box::new(done)));
    update(&mut state, Event::Operation(Box::new(running.clone())));
    assert_eq!(state.operations[&running.id].operation.state, OperationState::Succeeded);
}

#[test]
fn a_rollback_needs_the_whole_name_and_a_key_that_is_not_enter() {
    let mut state = console(&["acme"]);
    let tenant = state.tenants.selected().unwrap().id;
    let opened = press(&mut state, KeyCode::Char('R'));
    assert_eq!(opened, [Effect::DropInput, Effect::LoadPreview(tenant)]);
    type_text(&mut state, "acm");
    assert!(ctrl(&mut state, 'x').is_empty(), "half a name removes nothing");
    type_text(&mut state, "e");
    assert!(ctrl(&mut state, 'x').is_empty(), "nor does the whole one before its effects are on the screen");
    answer_previews(&mut state, opened);
    assert!(press(&mut state, KeyCode::Enter).is_empty(), "enter removes nothing");
    assert!(matches!(state.screen(), Screen::Rollback(_)), "nor does it throw away what was typed");
    let effects = ctrl(&mut state, 'x');
    let Some(Effect::Rollback { request, .. }) = effects.first() else { panic!("{effects:?}") };
    assert_eq!(
        (request.slug.as_str(), request.confirm.as_str(), request.discard_data),
        (tenant.to_string().as_str(), "acme", false)
    );
    assert!(ctrl(&mut state, 'x').is_empty(), "it is asked for once");
}

#[test]
fn cancel_is_what_enter_presses_first_and_it_says_so() {
    for code in [KeyCode::Enter, KeyCode::Esc] {
        let mut state = console(&["acme"]);
        press(&mut state, KeyCode::Char('R'));
        assert!(press(&mut state, code).is_empty());
        assert!(matches!(state.screen(), Screen::Tenants));
        assert_eq!(state.notice.as_deref(), Some("cancelled: nothing was done to acme"));
    }
}

#[test]
fn the_dialog_keeps_its_tenant_whatever_happens_behind_it() {
    let mut state = console(&["acme", "globex"]);
    press(&mut state, KeyCode::Char('R'));
    update(&mut state, Event::Tenants(["aaa", "globex"].map(tenant).into()));
    let Screen::Rollback(dialog) = state.screen() else { panic!() };
    assert_eq!(dialog.tenant.slug.as_str(), "acme");
}

#[test]
fn what_cannot_be_rolled_back_does_not_offer_it() {
    let mut state = console(&[]);
    let mut gone = tenant("acme");
    gone.state = TenantState::RolledBack { reason: "asked".into() };
    update(&mut state, Event::Tenants(vec![gone]));
    assert!(press(&mut state, KeyCode::Char('R')).is_empty());
    assert!(matches!(state.screen(), Screen::Tenants));
}

#[test]
fn a_lost_connection_keeps_the_rows_and_its_first_age() {
    let mut state = console(&["acme"]);
    update(&mut state, Event::Lost("gone".into()));
    update(&mut state, Event::Tick(now() + time::Duration::seconds(30)));
    update(&mut state, Event::Lost("still gone".into()));
    assert_eq!(selected(&state), "acme");
    assert_eq!(state.connection, Connection::Lost { since: now(), reason: "still gone".into() });
}

#[test]
fn an_event_about_something_else_draws_nothing() {
    let mut state = console(&["acme"]);
    state.dirty = false;
    update(&mut state, watched(EventBody::Audit { seq: 7 }));
    assert!(!state.dirty);
}

#[test]
fn pasted_control_characters_do_not_reach_a_field() {
    let mut state = console(&[]);
    press(&mut state, KeyCode::Char('n'));
    update(&mut state, Event::Paste("Ac\u{1b}[31mme\u{202e}\n".into()));
    assert_eq!(wizard(&state).name.value(), "Ac�[31mme�");
}
