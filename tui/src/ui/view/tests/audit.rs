//! The audit trail as text: list, record, export, and the alarm on every screen.
//! Drawn on the same cell backend as the others.
#![allow(clippy::unwrap_used, clippy::panic)]

use crossterm::event::KeyCode;
use tenantry_protocol::audit::{
    AuditBreak, AuditResponse, AuditVerdict, AuditVerification, BreakKind, TrailStatus,
};

use super::drawn;
use crate::ui::event::{Effect, Event};
use crate::ui::state::State;
use crate::ui::testing::{audit_event, audit_page, console, now, press, type_text, verdict};
use crate::ui::update::update;

fn page() -> AuditResponse {
    let mut denied = audit_event(48_190, "rollback", "acme");
    denied.at = now() - time::Duration::minutes(30);
    denied.outcome = Some("denied".to_owned());
    denied.role = Some("viewer".to_owned());
    denied.claimed = Some("SSH_CONNECTION=10.1.2.3, SUDO_USER=deploy".to_owned());
    denied.detail = Some("rollback needs the role operator".to_owned());
    denied.duration_ms = None;
    let mut intent = audit_event(48_208, "provision.intent", "acme");
    intent.at = now() - time::Duration::minutes(2);
    intent.outcome = None;
    let mut done = audit_event(48_211, "provision", "acme");
    done.at = now();
    let status = TrailStatus {
        head_seq: 48_211,
        verified_to: Some(48_211),
        verified_at: Some(now() - time::Duration::minutes(3)),
        ..TrailStatus::default()
    };
    AuditResponse { trail: status, ..audit_page(vec![done, intent, denied]) }
}

fn answer(state: &mut State, effects: &[Effect], page: AuditResponse) -> Vec<Effect> {
    let [Effect::LoadAudit { ticket, before, .. }] = effects else { panic!("{effects:?}") };
    update(state, Event::Audit { ticket: *ticket, before: *before, result: Ok(Box::new(page)) })
}

fn at_trail() -> State {
    let mut state = console(&["acme"]);
    press(&mut state, KeyCode::Char('a'));
    press(&mut state, KeyCode::Char('/'));
    type_text(&mut state, "tenant:acme since:1d");
    let effects = press(&mut state, KeyCode::Enter);
    answer(&mut state, &effects, page());
    state
}

fn in_trouble(state: &mut State) {
    let broken = AuditBreak {
        seq: 41,
        kind: BreakKind::Edited,
        message: "its values are not what its hash says; restore the trail from a copy, then verify it again"
            .to_owned(),
    };
    let trouble = TrailStatus { head_seq: 48_211, trouble: Some(broken), ..TrailStatus::default() };
    update(state, Event::Trail(trouble));
}

/// A state for each of the trail's screens.
pub(super) fn all() -> Vec<State> {
    let mut record = at_trail();
    press(&mut record, KeyCode::Enter);
    let mut export = at_trail();
    press(&mut export, KeyCode::Char('e'));
    let mut exporting = at_trail();
    press(&mut exporting, KeyCode::Char('e'));
    press(&mut exporting, KeyCode::Enter);
    let mut alarmed = console(&["acme"]);
    in_trouble(&mut alarmed);
    let mut alarmed_trail = at_trail();
    in_trouble(&mut alarmed_trail);
    vec![at_trail(), record, export, exporting, alarmed, alarmed_trail, at_verdict()]
}

fn at_verdict() -> State {
    let mut state = at_trail();
    let effects = press(&mut state, KeyCode::Char('v'));
    let [Effect::VerifyTrail(ticket)] = effects.as_slice() else { panic!("{effects:?}") };
    let over =
        AuditVerification { id: "v1".into(), checked: 48_211, total: 48_211, verdict: Some(verdict()) };
    update(&mut state, Event::Verification { ticket: *ticket, result: Ok(Box::new(over)) });
    press(&mut state, KeyCode::Char('V'));
    state
}

#[test]
fn the_trail_has_its_standing_its_filter_and_the_selected_event() {
    let mut state = at_trail();
    press(&mut state, KeyCode::Down);
    press(&mut state, KeyCode::Down);
    insta::assert_snapshot!(drawn(&state, 80, 24), @r#"
    tenantry › audit                          local · PRODUCTION · operator ● live
    chain ✓ verified to 48,211, 3 m ago
    filter: tenant:acme since:1d    3 events · paused
           SEQ  UTC        ACTOR        ACTION             TENANT         OUTCOME
        48,211  00:00:00   ops1         provision          acme           ok
        48,208  2024-10-03 ops1         provision.intent   acme           intent
    ▌   48,190  2024-10-03 ops1         rollback           acme           denied









    ──────────────────────────────────────────────────────────────────────────────
    rollback at 2024-10-03 23:30:00 UTC · denied
    by ops1 (uid 1003) · role viewer · tenant acme
    rollback needs the role operator
    claimed: SSH_CONNECTION=10.1.2.3, SUDO_USER=deploy
    hash 9b1e9b1e9b1e9b1e9b1e9b1e…  prev 77c077c077c077c077c077c0…

    / filter  enter details  v verify  e export  t tail  esc clear filter  ? help
    "#);
}

#[test]
fn on_a_small_screen_the_events_stay() {
    let mut state = at_trail();
    let text = drawn(&state, 40, 10);
    for part in ["chain ✓ verified to 48,211", "tenant:acme", "48211", "48208", "48190", "denied"] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    press(&mut state, KeyCode::Char('/'));
    assert!(drawn(&state, 40, 10).contains("filter: tenant:acme since:1d"));
}

#[test]
fn a_search_that_goes_on_says_how_far_it_is() {
    let mut state = console(&["acme"]);
    let effects = press(&mut state, KeyCode::Char('a'));
    assert!(drawn(&state, 80, 24).contains("searching …"));
    let paused = AuditResponse { searched_to: Some(41_200), ..audit_page(vec![]) };
    answer(&mut state, &effects, paused);
    let text = drawn(&state, 80, 24);
    assert!(text.contains("0 events · searching before 41,200 …") && text.contains("nothing yet"), "{text}");
}

#[test]
fn a_tail_that_stands_still_says_so() {
    let mut state = at_trail();
    assert!(drawn(&state, 80, 24).contains("3 events · live"));
    press(&mut state, KeyCode::Down);
    assert!(drawn(&state, 80, 24).contains("3 events · paused"));
    press(&mut state, KeyCode::Char('t'));
    press(&mut state, KeyCode::Char('t'));
    assert!(drawn(&state, 80, 24).contains("3 events · tail off"));
}

#[test]
fn a_record_has_everything_and_can_be_scrolled() {
    let mut state = at_trail();
    press(&mut state, KeyCode::Down);
    press(&mut state, KeyCode::Down);
    press(&mut state, KeyCode::Enter);
    insta::assert_snapshot!(drawn(&state, 80, 18), @r#"
    tenantry › audit › 48,190                 local · PRODUCTION · operator ● live
    event      48190
    action     rollback
    at         2024-10-03 23:30:00.000 UTC
    outcome    denied
    by         ops1 (uid 1003)
    role       viewer
    claimed    SSH_CONNECTION=10.1.2.3, SUDO_USER=deploy
    tenant     acme
    detail     rollback needs the role operator
    hash       9b1e9b1e9b1e9b1e9b1e9b1e9b1e9b1e9b1e9b1e9b1e9b1e9b1e9b1e9b1e9b1e
    prev       77c077c077c077c077c077c077c077c077c077c077c077c077c077c077c077c0





    T tenant  y copy  : command  esc back  ? help
    "#);
    update(&mut state, Event::Resize(40, 10));
    let mut seen = String::new();
    for _ in 0..14 {
        seen.push_str(&drawn(&state, 40, 10));
        press(&mut state, KeyCode::Down);
    }
    for part in ["denied", "viewer", "SUDO_USER=deploy", "needs the role", "9b1e9b1e", "77c077c0"] {
        assert!(seen.contains(part), "{part} cannot be reached\n{seen}");
    }
}

#[test]
fn the_verdict_says_what_it_cannot_promise() {
    let text = drawn(&at_verdict(), 80, 20);
    for part in
        ["✓ the trail is whole: 48,211 events", "signed to", "anchored to", "what this cannot promise"]
    {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
}

#[test]
fn the_export_asks_for_format_and_file() {
    let mut state = at_trail();
    state.folder = "/home/ops1".to_owned();
    press(&mut state, KeyCode::Char('e'));
    insta::assert_snapshot!(drawn(&state, 80, 12), @r#"
     tenantry › audit › export                 local · PRODUCTION · operator ● live
     events   tenant:acme since:1d
    ▌format   ▸jsonl◂  csv   ocsf
              can be verified anywhere: audit verify --file
     file     audit-acme-20241004.jsonl
              relative to /home/ops1; mode 0600, nothing is overwritten





     enter export  tab ↓ next field  ← → choose  esc cancel  f1 help
    "#);
    press(&mut state, KeyCode::Enter);
    let text = drawn(&state, 40, 10);
    assert!(text.contains("◐ exporting audit-acme-20241004.jsonl") && text.contains("x stop it"), "{text}");
}

#[test]
fn trouble_stands_on_every_screen_in_words() {
    let mut state = console(&["acme"]);
    in_trouble(&mut state);
    for (columns, rows) in [(80, 24), (40, 10)] {
        let text = drawn(&state, columns, rows);
        assert!(text.contains("✗ audit trail edited at 41") && text.contains("acme"), "{text}");
    }
    assert!(drawn(&state, 80, 24).contains("nothing is changed until that is settled"));
    press(&mut state, KeyCode::Char('a'));
    let text = drawn(&state, 80, 24);
    assert!(text.contains("chain ✗ edited at 41: its values") && text.contains("verify it again"), "{text}");
}

#[test]
fn a_verdict_that_is_bad_is_told_from_a_good_one_by_a_word() {
    let mut state = at_trail();
    let effects = press(&mut state, KeyCode::Char('v'));
    let [Effect::VerifyTrail(ticket)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(drawn(&state, 80, 24).contains("chain ◐ verifying"));
    let broken = AuditBreak { seq: 7, kind: BreakKind::Removed, message: "it is not there".into() };
    let found = AuditVerdict { broken: Some(broken), ..verdict() };
    let over = AuditVerification { id: "v1".into(), checked: 9, total: 9, verdict: Some(found) };
    update(&mut state, Event::Verification { ticket: *ticket, result: Ok(Box::new(over)) });
    assert!(drawn(&state, 80, 24).contains("chain ✗ removed at 7: it is not there"));
}
