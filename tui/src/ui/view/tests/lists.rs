//! The list of operations, marks and orders, and the dialogs that remove, as text; and what small screens show.
//! Drawn on the same cell backend as the others.
#![allow(clippy::unwrap_used, clippy::panic)]

use crossterm::event::KeyCode;
use tenantry_protocol::blueprint::Blueprint;
use tenantry_protocol::name::BlueprintVersion;
use tenantry_protocol::operation::{Failure, OperationState};
use tenantry_protocol::{ApiError, ErrorCode};

use super::{at_operation, at_plan, drawn};
use crate::ui::event::{Effect, Event};
use crate::ui::testing::{
    answer_previews, blueprint, console, ctrl, now, operation, press, tenant, type_text,
};
use crate::ui::update::update;

#[test]
fn the_rollback_dialog_names_its_effects() {
    let mut state = console(&["acme"]);
    let opened = press(&mut state, KeyCode::Char('R'));
    answer_previews(&mut state, opened);
    type_text(&mut state, "ac");
    insta::assert_snapshot!(drawn(&state, 80, 15), @r#"
    tenantry › acme › rollback                local · PRODUCTION · operator ● live
    This removes tenant acme (acme Ltd, projects 1.0, active) from local:
    · schema t_hyboqd4ahyboa: 25 tables, 18,204 rows, 42 MB
    · roles t_hyboqd4ahyboa, t_hyboqd4ahyboa_a, t_hyboqd4ahyboa_app
    · 3 sessions will be cut
    It was active for 12 d.
    An archive is made and read back first, in the daemon's archive folder.
    Type its name to roll it back: ac
        ▸ Cancel ◂    Roll back: type the name first





    enter press Cancel  esc cancel  f1 help
    "#);
}

#[test]
fn effects_that_are_not_known_yet_or_cannot_be_known_are_said_to_be() {
    let mut state = console(&["acme"]);
    let opened = press(&mut state, KeyCode::Char('R'));
    type_text(&mut state, "acme");
    let text = drawn(&state, 80, 15);
    assert!(text.contains("counting …") && text.contains("Roll back: being counted"), "{text}");
    let Some(Effect::LoadPreview(id)) = opened.last() else { panic!("{opened:?}") };
    let error = ApiError::new(ErrorCode::Unavailable, "target local does not answer");
    update(&mut state, Event::Preview { id: *id, result: Err(error) });
    let text = drawn(&state, 80, 15);
    assert!(text.contains("not known: target local does not answer") && text.contains("ctrl-x"), "{text}");
}

#[test]
fn on_a_small_screen_the_effects_scroll_and_the_question_stays() {
    let mut state = console(&["a-tenant-with-a-long-name"]);
    let opened = press(&mut state, KeyCode::Char('R'));
    answer_previews(&mut state, opened);
    type_text(&mut state, "a-tenant-with-a-long-name");
    let mut seen = String::new();
    for _ in 0..14 {
        let text = drawn(&state, 40, 10);
        assert!(text.contains("\n   a-tenant-with-a-long-name") && text.contains("Cancel"), "{text}");
        seen.push_str(&text);
        press(&mut state, KeyCode::Down);
    }
    for effect in ["25 tables", "18,204 rows", "42", "_app", "3 sessions will be cut", "active for 12 d"] {
        assert!(seen.contains(effect), "{effect} cannot be reached\n{seen}");
    }
}

#[test]
fn several_are_listed_each_with_its_effects_and_with_the_sums() {
    let mut state = console(&["acme", "globex", "initech"]);
    press(&mut state, KeyCode::Char('*'));
    let opened = press(&mut state, KeyCode::Char('R'));
    answer_previews(&mut state, opened);
    type_text(&mut state, "roll back");
    insta::assert_snapshot!(drawn(&state, 80, 13), @r#"
    tenantry › rollback of 3 tenants          local · PRODUCTION · operator ● live
    This removes 3 tenants, one after the other:
      acme                     25 tables, 18,204 rows, 42 MB, 3 sessions
      globex                   25 tables, 18,204 rows, 42 MB, 3 sessions
      initech                  25 tables, 18,204 rows, 42 MB, 3 sessions
    Together 75 tables, 54,612 rows, 126 MB, 9 sessions cut.
    An archive is made and read back first, in the daemon's archive folder.
    Type  roll back 3 tenants  to go on: roll back
        ▸ Cancel ◂    Roll back: type the words first



    enter press Cancel  esc cancel  ↑ ↓ scroll  f1 help
    "#);
    type_text(&mut state, " 3 tenants");
    ctrl(&mut state, 'x');
    let text = drawn(&state, 80, 13);
    assert!(text.contains("◐ rolling back") && text.contains("0 of 3 are rolled back, 2 waiting"), "{text}");
}

#[test]
fn more_tenants_than_rows_can_be_scrolled_through() {
    let names: Vec<String> = (0..40).map(|number| format!("tenant-{number:02}")).collect();
    let mut state = console(&names.iter().map(String::as_str).collect::<Vec<_>>());
    press(&mut state, KeyCode::Char('*'));
    press(&mut state, KeyCode::Char('R'));
    for (columns, rows) in [(80, 24), (40, 10)] {
        update(&mut state, Event::Resize(columns, rows));
        for _ in 0..60 {
            press(&mut state, KeyCode::Up);
        }
        let text = drawn(&state, columns, rows);
        assert!(text.contains("tenant-00") && text.contains("of 40") && text.contains("Type"), "{text}");
        for _ in 0..60 {
            press(&mut state, KeyCode::Down);
        }
        let text = drawn(&state, columns, rows);
        assert!(text.contains("tenant-39") && text.contains("Type"), "{text}");
    }
}

#[test]
fn the_list_shows_marks_how_many_and_what_it_is_ordered_by() {
    let mut state = console(&["acme", "globex", "initech"]);
    press(&mut state, KeyCode::Char(' '));
    press(&mut state, KeyCode::Char('s'));
    press(&mut state, KeyCode::Char('S'));
    insta::assert_snapshot!(drawn(&state, 80, 8), @r#"
     tenantry › tenants                        local · PRODUCTION · operator ● live
     3 tenants · 1 marked
       TENANT         STATE ▼        BLUEPRINT     TARGET   ISOL  LAST OPERATION
    ✓  acme           ● active       projects 1.0  local    –     provision     2 m
     ▌ globex         ● active       projects 1.0  local    –     provision     2 m
       initech        ● active       projects 1.0  local    –     provision     2 m

     enter open  R roll back marked  v verify marked  ? help  esc clear marks
    "#);
    let narrow = drawn(&state, 40, 10);
    assert!(narrow.contains("STATE ▼") && narrow.contains("1 marked"), "{narrow}");
    press(&mut state, KeyCode::Char('s'));
    let narrow = drawn(&state, 40, 10);
    assert!(narrow.contains("by blueprint ▲"), "an order without its column is named\n{narrow}");
}

#[test]
fn operations_with_steps_and_time_and_why_the_selected_one_failed() {
    let mut state = at_operation(OperationState::Running);
    press(&mut state, KeyCode::Esc);
    press(&mut state, KeyCode::Char('O'));
    let failure = Failure {
        step: "migrations".into(),
        file: Some("V5__comments.sql".into()),
        line: Some(12),
        sqlstate: Some("42601".into()),
        message: "syntax error".into(),
        ..Failure::default()
    };
    let mut failed = operation("globex", OperationState::RolledBack { failure });
    failed.requested_at = now() - time::Duration::hours(3);
    update(&mut state, Event::Operations(Ok(vec![failed])));
    insta::assert_snapshot!(drawn(&state, 80, 14), @r#"
    tenantry › operations                     local · PRODUCTION · operator ● live
    1 running · the 2 newest
      STATE            OPERATION         TENANT            STEPS  TIME       AGE
    ▌ ↺ rolled back    provision         globex            2/4    130 ms     3 h
      ◐ running        provision         acme-gmbh         2/4    130 ms     now




    ──────────────────────────────────────────────────────────────────────────────
    ✗ migrations: V5__comments.sql:12 syntax error (42601)
    on local · by root (uid 0) · 2024-10-03 21:00:00 UTC

    enter open  y copy the error  r reload  : command  esc back  ? help
    "#);
    assert!(drawn(&state, 40, 10).contains("rolled back"));
}

#[test]
fn the_field_that_has_the_focus_is_on_the_screen_however_small() {
    let mut state = console(&[]);
    press(&mut state, KeyCode::Char('n'));
    type_text(&mut state, "Acme GmbH");
    press(&mut state, KeyCode::Enter);
    for field in ["blueprint", "version", "target", "connection limit", "seed"] {
        let text = drawn(&state, 40, 10);
        assert!(text.contains(&format!("▌{field}")) && text.contains("step 2 of 3: configuration"), "{text}");
        press(&mut state, KeyCode::Down);
    }
}

#[test]
fn what_a_screen_is_for_is_named_at_every_width() {
    let mut plan = at_plan();
    for columns in [40, 60, 80] {
        let text = drawn(&plan, columns, 10);
        let hints = text.lines().last().unwrap();
        assert!(hints.contains("ctrl-s approve and run") && hints.contains("esc back"), "{columns}: {hints}");
    }
    press(&mut plan, KeyCode::Esc);
    assert!(drawn(&plan, 40, 10).contains("enter continue"));
}

#[test]
fn tenants_that_are_behind_are_marked_and_counted() {
    let mut state = console(&[]);
    let mut globex = tenant("globex");
    globex.version = BlueprintVersion::new(1, 1);
    update(&mut state, Event::Tenants(vec![tenant("acme"), globex]));
    let newer = Blueprint { version: BlueprintVersion::new(1, 1), ..blueprint() };
    update(&mut state, Event::Blueprints(vec![newer, blueprint()]));
    insta::assert_snapshot!(drawn(&state, 80, 8), @r#"
    tenantry › tenants                        local · PRODUCTION · operator ● live
    2 tenants · 1 behind ↑
      TENANT ▲       STATE          BLUEPRINT     TARGET   ISOL  LAST OPERATION
    ▌ acme           ● active       projects 1.0↑ local    –     provision     2 m
      globex         ● active       projects 1.1  local    –     provision     2 m


    enter open  n new  / filter  : command  R rollback  v verify  ? help  a audit
    "#);
    press(&mut state, KeyCode::Enter);
    let text = drawn(&state, 80, 24);
    assert!(text.contains("projects 1.0, behind 1.1"), "{text}");
}
