//! The audit trail, driven by events alone: searching, following, verifying, exporting.
//! As in the neighbouring modules, nothing is drawn and no daemon is asked.

use crossterm::event::KeyCode;
use tenantry_protocol::audit::{
    AuditBreak, AuditFilter, AuditResponse, AuditVerdict, AuditVerification, BreakKind, ExportFormat,
    TrailStatus,
};
use tenantry_protocol::operation::OperationState;
use tenantry_protocol::watch::EventBody;
use tenantry_protocol::{ApiError, ErrorCode};

use super::{update, watched};
use crate::ui::event::{Effect, Event, Pace};
use crate::ui::state::audit::export::ExportProgress;
use crate::ui::state::audit::record::Record;
use crate::ui::state::audit::{AuditScreen, Older};
use crate::ui::state::{Screen, State};
use crate::ui::testing::{audit_event, audit_page, console, now, operation, press, type_text, verdict};
use crate::ui::ticket::Ticket;

fn screen(state: &State) -> &AuditScreen {
    match state.screen() {
        Screen::Audit(screen) => screen,
        other => panic!("not the trail: {other:?}"),
    }
}

/// The single page that was requested.
fn asked(effects: &[Effect]) -> (Ticket, &AuditFilter, Option<i64>) {
    match effects {
        [Effect::LoadAudit { ticket, query, before, .. }] => (*ticket, query, *before),
        other => panic!("not one page: {other:?}"),
    }
}

fn answer(state: &mut State, ticket: Ticket, before: Option<i64>, page: AuditResponse) -> Vec<Effect> {
    update(state, Event::Audit { ticket, before, result: Ok(Box::new(page)) })
}

/// The trail with these events on the screen.
fn at_trail(seqs: &[i64]) -> State {
    let mut state = console(&["acme"]);
    let effects = press(&mut state, KeyCode::Char('a'));
    let (ticket, ..) = asked(&effects);
    let events = seqs.iter().map(|seq| audit_event(*seq, "provision", "acme")).collect();
    answer(&mut state, ticket, None, audit_page(events));
    state
}

fn grown_to(seq: i64) -> Event {
    watched(EventBody::Audit { seq })
}

fn search(state: &mut State, words: &str) -> Vec<Effect> {
    press(state, KeyCode::Char('/'));
    for _ in 0..80 {
        press(state, KeyCode::Backspace);
    }
    type_text(state, words);
    press(state, KeyCode::Enter)
}

#[test]
fn a_tenants_history_is_asked_for_by_its_name_and_esc_leads_back() {
    let mut state = console(&["acme"]);
    press(&mut state, KeyCode::Enter);
    let effects = press(&mut state, KeyCode::Char('a'));
    let (ticket, query, before) = asked(&effects);
    assert_eq!((query.slug.as_deref(), before), (Some("acme"), None));
    let mut event = audit_event(7, "provision", "acme");
    let wanted = operation("acme", OperationState::Succeeded).id;
    event.operation_id = Some(wanted.to_string());
    answer(&mut state, ticket, None, audit_page(vec![event]));
    let stranger = Ticket(ticket.0 + 100);
    answer(&mut state, stranger, None, audit_page(vec![]));
    assert_eq!(screen(&state).events().len(), 1, "an answer to other words changes nothing");
    press(&mut state, KeyCode::Enter);
    assert!(matches!(state.screen(), Screen::Record(screen) if matches!(&screen.record, Record::Event(_))));
    assert_eq!(press(&mut state, KeyCode::Enter), [Effect::LoadOperation(wanted)], "and enter again");
    press(&mut state, KeyCode::Esc);
    press(&mut state, KeyCode::Esc);
    assert_eq!(press(&mut state, KeyCode::Char('o')), [Effect::LoadOperation(wanted)], "or o at once");
    press(&mut state, KeyCode::Esc);
    let effects = search(&mut state, "tenant:acme outcome:failed since:1d lock");
    let (_, query, _) = asked(&effects);
    assert_eq!(query.outcome.as_deref(), Some("failed"));
    assert_eq!((query.text.as_deref(), query.since), (Some("lock"), Some(now() - time::Duration::days(1))));
    let effects = press(&mut state, KeyCode::Esc);
    let (_, query, _) = asked(&effects);
    assert_eq!((query.slug.as_deref(), &query.outcome), (Some("acme"), &None), "what was typed goes first");
    press(&mut state, KeyCode::Esc);
    assert!(matches!(state.screen(), Screen::Tenant(_)), "then one is back where one came from");
}

#[test]
fn words_that_cannot_be_understood_are_said_and_stay_to_be_mended() {
    let mut state = at_trail(&[2, 1]);
    assert!(search(&mut state, "since:soon").is_empty(), "nobody is asked");
    assert!(state.notice.as_deref().is_some_and(|notice| notice.starts_with("since: 'soon' is no time")));
    assert_eq!(screen(&state).input.value(), "since:soon");
    assert_eq!(screen(&state).events().len(), 2, "what was found before stays");
    press(&mut state, KeyCode::Esc);
    assert_eq!(screen(&state).input.value(), "");
}

#[test]
fn a_flood_of_events_is_one_reading_at_a_time() {
    let mut state = console(&["acme"]);
    let effects = press(&mut state, KeyCode::Char('a'));
    let (ticket, ..) = asked(&effects);
    for seq in 1..50 {
        assert!(update(&mut state, grown_to(seq)).is_empty(), "one is under way");
    }
    let effects = answer(&mut state, ticket, None, audit_page(vec![]));
    assert_eq!(asked(&effects).2, None, "what came meanwhile is read once");
    let rested = |effects: &[Effect]| matches!(effects, [Effect::LoadAudit { pace: Pace::Rested, .. }]);
    assert!(rested(&effects), "and not at once");
    assert!(answer(&mut state, ticket, None, audit_page(vec![])).is_empty());
    let effects = update(&mut state, grown_to(51));
    assert!(effects.len() == 1 && !rested(&effects), "what comes after a silence is read at once");
}

#[test]
fn a_search_that_pauses_is_gone_on_with_and_one_that_fails_is_not() {
    let mut state = console(&["acme"]);
    let effects = press(&mut state, KeyCode::Char('a'));
    let (ticket, ..) = asked(&effects);
    let paused = |to| AuditResponse { searched_to: Some(to), ..audit_page(vec![]) };
    let effects = answer(&mut state, ticket, None, paused(900));
    assert_eq!(asked(&effects).2, Some(900));
    assert_eq!(screen(&state).older, Older::Asked { before: 900 });
    let effects = answer(&mut state, ticket, Some(900), paused(500));
    assert_eq!(asked(&effects).2, Some(500));
    let error = Err(ApiError::new(ErrorCode::Unavailable, "gone"));
    assert!(update(&mut state, Event::Audit { ticket, before: Some(500), result: error }).is_empty());
    assert_eq!(asked(&press(&mut state, KeyCode::Down)).2, Some(500), "until somebody moves");
    answer(&mut state, ticket, Some(500), audit_page(vec![audit_event(3, "provision", "acme")]));
    assert_eq!((screen(&state).older, screen(&state).events().len()), (Older::None, 1));
}

#[test]
fn the_tail_pauses_when_one_moves_away_from_the_newest() {
    let mut state = at_trail(&[3, 2, 1]);
    press(&mut state, KeyCode::Down);
    assert!(update(&mut state, grown_to(4)).is_empty(), "nothing moves");
    assert!(screen(&state).is_behind);
    assert_eq!(screen(&state).selected().map(|event| event.seq), Some(2));
    let effects = press(&mut state, KeyCode::Char('g'));
    let (ticket, ..) = asked(&effects);
    let newer = [4, 3, 2, 1].map(|seq| audit_event(seq, "provision", "acme"));
    answer(&mut state, ticket, None, audit_page(newer.into()));
    assert_eq!(screen(&state).selected().map(|event| event.seq), Some(4), "the newest is in view");
    assert!(press(&mut state, KeyCode::Char('t')).is_empty());
    assert!(update(&mut state, grown_to(5)).is_empty(), "it was turned off");
    assert_eq!(press(&mut state, KeyCode::Char('t')).len(), 1, "and on");
}

#[test]
fn a_verification_is_followed_to_its_verdict_wherever_one_is() {
    let mut state = at_trail(&[1]);
    let effects = press(&mut state, KeyCode::Char('v'));
    let [Effect::VerifyTrail(ticket)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(press(&mut state, KeyCode::Char('v')).is_empty(), "one at a time");
    let far = AuditVerification { id: "v1".into(), checked: 12, total: 48, verdict: None };
    let result = Ok(Box::new(far.clone()));
    let effects = update(&mut state, Event::Verification { ticket: *ticket, result });
    assert_eq!(effects, [Effect::Verification { ticket: *ticket, id: "v1".into() }]);
    assert!(state.chain.line(now()).0.contains("12 of 48, 25 %"));
    press(&mut state, KeyCode::Esc);
    let broken = AuditBreak { seq: 41, kind: BreakKind::Edited, message: "restore it".into() };
    let found = AuditVerdict { broken: Some(broken), ..verdict() };
    let result = Ok(Box::new(AuditVerification { verdict: Some(found), ..far }));
    let effects = update(&mut state, Event::Verification { ticket: *ticket, result });
    assert_eq!(effects, [Effect::LoadTrail]);
    assert_eq!(
        state.notice.as_deref(),
        Some("✗ the trail is not what it was: edited at 41 · :audit, then V, shows all of it")
    );
    assert_eq!(state.chain.line(now()).0, "chain ✗ edited at 41: restore it");
    press(&mut state, KeyCode::Char('a'));
    press(&mut state, KeyCode::Char('V'));
    assert!(matches!(state.screen(), Screen::Record(screen) if matches!(&screen.record, Record::Verdict(_))));
}

#[test]
fn the_newest_event_that_is_known_never_goes_back() {
    let mut state = at_trail(&[]);
    update(&mut state, grown_to(50));
    update(
        &mut state,
        Event::Trail(TrailStatus { head_seq: 49, verified_to: Some(40), ..Default::default() }),
    );
    assert_eq!((state.chain.status.head_seq, state.chain.status.verified_to), (50, Some(40)));
}

#[test]
fn an_export_has_the_filter_in_force_and_goes_on_when_the_dialog_is_left() {
    let mut state = at_trail(&[1]);
    search(&mut state, "tenant:acme");
    assert!(press(&mut state, KeyCode::Char('e')).is_empty());
    press(&mut state, KeyCode::Right);
    press(&mut state, KeyCode::Tab);
    type_text(&mut state, ".gz e");
    let effects = press(&mut state, KeyCode::Enter);
    let [Effect::Export { ticket, request, path }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((request.filter.slug.as_deref(), request.format), (Some("acme"), ExportFormat::Csv));
    assert_eq!(path, "audit-acme-20241004.csv.gz e", "letters belong to the name");
    let progress = ExportProgress { events: 7, searched_to: 70, to_seq: 100 };
    update(&mut state, Event::Exporting { ticket: *ticket, progress });
    press(&mut state, KeyCode::Esc);
    assert!(state.notice.as_deref().is_some_and(|notice| notice.contains("goes on")));
    update(&mut state, Event::Exported { ticket: *ticket, result: Ok("9 events in /x/a.csv".into()) });
    assert_eq!(state.notice.as_deref(), Some("✓ 9 events in /x/a.csv"));
    assert!(state.exporting.is_none() && matches!(state.screen(), Screen::Audit(_)));
}

#[test]
fn an_export_that_fails_leaves_the_dialog_as_it_was_and_one_that_is_stopped_leaves_nothing() {
    let mut state = at_trail(&[1]);
    press(&mut state, KeyCode::Char('e'));
    let effects = press(&mut state, KeyCode::Enter);
    let [Effect::Export { ticket, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    update(&mut state, Event::Exported { ticket: *ticket, result: Err("it exists already".into()) });
    let Screen::Export(dialog) = state.screen() else { panic!("{:?}", state.screen()) };
    assert_eq!(dialog.refusal.as_deref(), Some("it exists already"));
    press(&mut state, KeyCode::Enter);
    assert_eq!(press(&mut state, KeyCode::Char('x')), [Effect::StopExport]);
    assert!(state.exporting.is_none());
    update(&mut state, Event::Exported { ticket: Ticket(999), result: Ok("late".into()) });
    assert!(state.notice.as_deref().is_some_and(|notice| notice.starts_with("stopped")));
}
