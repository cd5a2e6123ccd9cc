//! Upgrades of many tenants: keys, events and answers.
//! As in the parent module, nothing is drawn and no daemon is asked.

use crossterm::event::KeyCode;
use tenantry_protocol::blueprint::Blueprint;
use tenantry_protocol::name::{BlueprintVersion, Slug};
use tenantry_protocol::operation::{Failure, OperationKind, OperationState};
use tenantry_protocol::plan::{Finding, Severity};
use tenantry_protocol::session::Role;
use tenantry_protocol::upgrade::{FailureGroup, PauseCause, Upgrade, UpgradeState, UpgradeStatus};
use tenantry_protocol::watch::EventBody;
use tenantry_protocol::{ApiError, ErrorCode};

use super::watched;
use crate::ui::action::Hand;
use crate::ui::event::{Effect, Event};
use crate::ui::state::upgrades::UpgradeScreen;
use crate::ui::state::{Answer, Screen, State};
use crate::ui::testing::{
    blueprint, console, ctrl, now, operation, press, upgrade, upgrade_news, upgrade_plan,
};
use crate::ui::ticket::Ticket;
use crate::ui::update::update;

fn paused(by: PauseCause) -> UpgradeState {
    UpgradeState::Paused { by, reason: "3 of 24 tenants failed".into() }
}

fn failure(key: &str, tenants: u64, example: &str) -> FailureGroup {
    FailureGroup { key: key.into(), tenants, example: Slug::parse(example).unwrap(), reason: "exists".into() }
}

fn open_one(state: &State) -> &UpgradeScreen {
    match state.screen() {
        Screen::Upgrade(screen) => screen,
        other => panic!("not an upgrade: {other:?}"),
    }
}

/// The screen of that upgrade, with two kinds of failures.
fn opened(of: &Upgrade) -> State {
    let mut state = console(&["acme", "globex"]);
    assert_eq!(press(&mut state, KeyCode::Char('u')), [Effect::LoadUpgrades]);
    update(&mut state, Event::Upgrades(Ok(vec![of.clone()])));
    let effects = press(&mut state, KeyCode::Enter);
    answer(&mut state, &effects, of);
    state
}

fn answer(state: &mut State, effects: &[Effect], of: &Upgrade) {
    let Some(Effect::LoadUpgrade { ticket, .. }) = effects.last() else { panic!("{effects:?}") };
    let failures =
        vec![failure("V2__price.sql 42P07", 2, "globex"), failure("V2__price.sql 55P03", 1, "acme")];
    let status = UpgradeStatus { upgrade: of.clone(), failures };
    update(state, Event::UpgradeStatus { ticket: *ticket, result: Ok(Box::new(status)) });
}

#[test]
fn one_key_pauses_what_runs_and_resumes_what_is_paused() {
    let mut going = upgrade(UpgradeState::Running);
    let mut state = opened(&going);
    let pause = Effect::Steer { id: going.id, hand: Hand::Pause };
    assert_eq!(press(&mut state, KeyCode::Char('p')), [pause]);
    going.state = paused(PauseCause::Operator);
    update(&mut state, upgrade_news(&going, 1));
    let resume = Effect::Steer { id: going.id, hand: Hand::Resume };
    assert_eq!(press(&mut state, KeyCode::Char('p')), [resume]);
    let effects =
        update(&mut state, Event::Steered { hand: Hand::Resume, result: Ok(Box::new(going.clone())) });
    assert!(matches!(effects.as_slice(), [Effect::LoadUpgrade { .. }]), "{effects:?}");
    assert_eq!(state.notice.as_deref(), Some("the upgrade to projects 1.1 goes on"));
    let refused = ApiError::new(ErrorCode::Precondition, "it is cancelled");
    update(&mut state, Event::Steered { hand: Hand::Resume, result: Err(refused) });
    assert_eq!(state.notice.as_deref(), Some("it is cancelled"));
}

#[test]
fn a_cancel_is_asked_about_first_and_enter_is_not_a_yes() {
    let going = upgrade(UpgradeState::Running);
    let mut state = opened(&going);
    assert!(ctrl(&mut state, 'x').is_empty(), "nothing was asked yet");
    assert_eq!(press(&mut state, KeyCode::Char('x')), [Effect::DropInput]);
    assert!(press(&mut state, KeyCode::Enter).is_empty());
    assert!(ctrl(&mut state, 'x').is_empty(), "enter left it as it is");
    press(&mut state, KeyCode::Char('x'));
    assert_eq!(ctrl(&mut state, 'x'), [Effect::Steer { id: going.id, hand: Hand::Cancel }]);
    assert!(matches!(state.screen(), Screen::Upgrade(_)));
}

#[test]
fn a_viewer_looks_and_changes_nothing() {
    let mut state = opened(&upgrade(UpgradeState::Running));
    if let Some(session) = &mut state.session {
        session.role = Role::Viewer;
    }
    for key in ['p', 'x', 'f'] {
        assert!(press(&mut state, KeyCode::Char(key)).is_empty(), "{key}");
    }
    assert!(ctrl(&mut state, 'x').is_empty());
}

#[test]
fn what_has_ended_can_only_be_tried_again_where_something_failed() {
    let mut ended = upgrade(UpgradeState::Partial);
    let mut state = opened(&ended);
    assert!(press(&mut state, KeyCode::Char('p')).is_empty());
    assert!(press(&mut state, KeyCode::Char('x')).is_empty());
    let retry = Effect::Steer { id: ended.id, hand: Hand::Retry };
    assert_eq!(press(&mut state, KeyCode::Char('f')), [retry]);
    ended.counts.failed = 0;
    ended.state = UpgradeState::Succeeded;
    update(&mut state, upgrade_news(&ended, 1));
    assert!(press(&mut state, KeyCode::Char('f')).is_empty());
}

#[test]
fn enter_on_a_failure_opens_the_tenant_that_stands_for_it() {
    let mut state = opened(&upgrade(UpgradeState::Running));
    press(&mut state, KeyCode::Char('j'));
    assert_eq!(
        press(&mut state, KeyCode::Char('y')),
        [Effect::Copy("acme: V2__price.sql 55P03: exists".into())]
    );
    press(&mut state, KeyCode::Enter);
    assert!(matches!(state.screen(), Screen::Tenant(screen) if screen.slug.as_str() == "acme"));
}

#[test]
fn the_selected_failure_stays_selected_when_another_kind_comes_before_it() {
    let mut going = upgrade(UpgradeState::Running);
    let mut state = opened(&going);
    press(&mut state, KeyCode::Char('j'));
    going.counts.failed += 5;
    let effects = update(&mut state, upgrade_news(&going, 1));
    let [Effect::LoadBlueprints, Effect::LoadUpgrade { ticket, .. }] = effects.as_slice() else {
        panic!("other failures are read: {effects:?}")
    };
    let keys = [("V3__x.sql 23502", 5), ("V2__price.sql 42P07", 2), ("V2__price.sql 55P03", 1)];
    let failures = keys.map(|(key, tenants)| failure(key, tenants, "acme")).into();
    let status = UpgradeStatus { upgrade: going.clone(), failures };
    update(&mut state, Event::UpgradeStatus { ticket: *ticket, result: Ok(Box::new(status)) });
    assert_eq!(open_one(&state).selected().unwrap().key, "V2__price.sql 55P03");
    // Nothing new about failures: nothing is read.
    going.counts.done += 1;
    going.counts.pending -= 1;
    update(&mut state, Event::Blueprints(vec![Blueprint { version: going.version, ..blueprint() }]));
    assert!(update(&mut state, upgrade_news(&going, 2)).is_empty());
}

#[test]
fn an_answer_that_was_overtaken_is_not_taken() {
    let going = upgrade(UpgradeState::Running);
    let mut state = opened(&going);
    let first = press(&mut state, KeyCode::Char('r'));
    let second = press(&mut state, KeyCode::Char('r'));
    answer(&mut state, &second, &Upgrade { state: UpgradeState::Succeeded, ..going.clone() });
    answer(&mut state, &first, &going);
    assert_eq!(state.upgrade_at_hand().unwrap().state, UpgradeState::Succeeded);
    let refused = ApiError::new(ErrorCode::Unavailable, "no answer");
    let ticket = open_one(&state).asked;
    update(&mut state, Event::UpgradeStatus { ticket, result: Err(refused) });
    assert!(matches!(open_one(&state).failures, Answer::Given(_)), "what was read stays");
}

#[test]
fn rate_and_time_left_follow_from_the_events_and_begin_anew_after_a_pause() {
    let mut going = upgrade(UpgradeState::Running);
    let mut state = console(&[]);
    let rate = |state: &State, seconds| {
        state.upgrades.get(going.id).unwrap().rate(now() + time::Duration::seconds(seconds))
    };
    let mut events = vec![];
    for (second, done) in [(0, 12), (1, 13), (2, 16)] {
        going.counts.done = done;
        events.push(upgrade_news(&going, second));
    }
    events.into_iter().for_each(|event| drop(update(&mut state, event)));
    assert_eq!(rate(&state, 2), Some(2.0));
    assert_eq!(rate(&state, 4), Some(1.0), "it falls while nothing is heard");
    let left = state.upgrades.get(going.id).unwrap().left(now() + time::Duration::seconds(2));
    assert_eq!(left, Some(time::Duration::milliseconds(3_500)));
    let halted = Upgrade { state: paused(PauseCause::Failures), ..going.clone() };
    update(&mut state, upgrade_news(&halted, 3));
    assert_eq!(rate(&state, 3), None);
}

#[test]
fn a_tenant_that_fails_in_it_is_not_said_twice_on_its_screen() {
    let mut state = opened(&upgrade(UpgradeState::Running));
    let fails = |state: &mut State| {
        let mut tenants = operation("globex", OperationState::Running);
        tenants.kind = OperationKind::Upgrade;
        update(state, Event::Operation(Box::new(tenants.clone())));
        tenants.state = OperationState::RolledBack { failure: Failure::default() };
        update(state, watched(EventBody::Operation { operation: Box::new(tenants) }));
        state.notice.is_some()
    };
    assert!(!fails(&mut state));
    press(&mut state, KeyCode::Enter);
    assert!(fails(&mut state), "it is said on every other screen");
}

#[test]
fn an_upgrade_that_waits_for_somebody_is_said_on_every_other_screen() {
    let mut going = upgrade(UpgradeState::Running);
    let mut state = console(&["acme"]);
    update(&mut state, upgrade_news(&going, 0));
    assert_eq!(state.notice, None);
    going.state = paused(PauseCause::Failures);
    update(&mut state, upgrade_news(&going, 1));
    assert!(
        state.notice.as_deref().unwrap().contains("projects 1.1 is paused (failures)"),
        "{:?}",
        state.notice
    );
    let mut shown = opened(&upgrade(UpgradeState::Running));
    update(&mut shown, upgrade_news(&going, 1));
    assert_eq!(shown.notice, None);
}

/// The screen of a plan that was asked for, for a tenant that is behind.
fn planning() -> (State, Ticket) {
    let mut state = console(&["acme", "globex"]);
    assert!(press(&mut state, KeyCode::Char('U')).is_empty(), "nobody is behind yet");
    let newer = Blueprint { version: BlueprintVersion::new(1, 1), ..blueprint() };
    update(&mut state, Event::Blueprints(vec![newer, blueprint()]));
    let effects = press(&mut state, KeyCode::Char('U'));
    let Some(Effect::PlanUpgrade { ticket, request }) = effects.first() else { panic!("{effects:?}") };
    assert_eq!(request.blueprint, "projects");
    let ticket = *ticket;
    (state, ticket)
}

fn plan_arrives(state: &mut State, ticket: Ticket, findings: Vec<Finding>) {
    let result = Ok(Box::new(upgrade_plan(findings)));
    update(state, Event::UpgradePlanned { ticket, key: "key-1".into(), result });
}

#[test]
fn what_is_begun_is_the_plan_on_the_screen_and_a_refusal_keeps_its_key() {
    let (mut state, ticket) = planning();
    assert!(ctrl(&mut state, 's').is_empty(), "it is being planned");
    plan_arrives(&mut state, ticket, vec![]);
    let mut keys = Vec::new();
    for _ in 0..2 {
        let effects = ctrl(&mut state, 's');
        let [Effect::BeginUpgrade { ticket, request }] = effects.as_slice() else { panic!("{effects:?}") };
        assert_eq!(request.approve, Some("7f3a".repeat(16)));
        assert_eq!(request.version.as_deref(), Some("1.1"));
        assert!(ctrl(&mut state, 's').is_empty(), "it is asked for once");
        keys.push(request.idempotency_key.clone());
        let result = Err(ApiError::new(ErrorCode::Unavailable, "no answer"));
        update(&mut state, Event::UpgradeBegun { ticket: *ticket, result });
    }
    assert_eq!(keys, [Some("key-1".to_owned()), Some("key-1".to_owned())]);
    let effects = ctrl(&mut state, 's');
    let [Effect::BeginUpgrade { ticket, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    let begun = Ok(Box::new(upgrade(UpgradeState::Running)));
    let effects = update(&mut state, Event::UpgradeBegun { ticket: *ticket, result: begun });
    assert!(matches!(effects.as_slice(), [Effect::LoadUpgrade { .. }]), "{effects:?}");
    open_one(&state);
    press(&mut state, KeyCode::Esc);
    assert!(matches!(state.screen(), Screen::Tenants), "the plan is behind us");
}

#[test]
fn a_plan_is_tried_on_request_and_stays_where_nobody_could_try_it() {
    let (mut state, ticket) = planning();
    assert!(press(&mut state, KeyCode::Char('t')).is_empty(), "it is being planned");
    plan_arrives(&mut state, ticket, vec![]);
    let effects = press(&mut state, KeyCode::Char('t'));
    let [Effect::RehearseUpgrade { ticket, request }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(request.version.as_deref(), Some("1.1"));
    assert!(press(&mut state, KeyCode::Char('t')).is_empty(), "it is tried once at a time");
    assert!(ctrl(&mut state, 's').is_empty(), "what is being tried is not begun");
    let result = Err(ApiError::new(ErrorCode::Unavailable, "no answer"));
    update(&mut state, Event::UpgradePlanned { ticket: *ticket, key: "key-2".into(), result });
    let effects = ctrl(&mut state, 's');
    let [Effect::BeginUpgrade { request, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(request.idempotency_key.as_deref(), Some("key-1"), "the plan is the same");
}

#[test]
fn a_plan_with_an_error_and_a_viewer_begin_nothing() {
    let (mut state, ticket) = planning();
    let error = Finding {
        severity: Severity::Error,
        code: "history".into(),
        message: "V1 was changed".into(),
        file: None,
        line: None,
    };
    plan_arrives(&mut state, ticket, vec![error]);
    assert!(ctrl(&mut state, 's').is_empty());
    let effects = press(&mut state, KeyCode::Char('r'));
    let Some(Effect::PlanUpgrade { ticket: again, .. }) = effects.first() else { panic!("{effects:?}") };
    plan_arrives(&mut state, ticket, vec![]);
    assert!(ctrl(&mut state, 's').is_empty(), "the answer to the first question is not taken any more");
    plan_arrives(&mut state, *again, vec![]);
    if let Some(session) = &mut state.session {
        session.role = Role::Viewer;
    }
    assert!(ctrl(&mut state, 's').is_empty());
}
