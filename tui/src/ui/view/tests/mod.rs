//! The screens as text, drawn on a cell backend.
//! Snapshots freeze the layouts at 80 columns; one test for all screens shows that nothing breaks at other sizes.
#![allow(clippy::unwrap_used, clippy::panic)]

mod audit;
mod isolation;
mod lists;
mod upgrades;

use crossterm::event::KeyCode;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use tenantry_protocol::isolation::Grade;
use tenantry_protocol::operation::{Failure, OperationState, StepStatus};
use tenantry_protocol::tenant::Credentials;

use super::view;
use crate::ui::event::{Effect, Event};
use crate::ui::state::State;
use crate::ui::testing::{console, ctrl, graded, now, operation, plan, press, type_text};
use crate::ui::update::update;

fn drawn(state: &State, columns: u16, rows: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| view(state, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |row: u16| -> String {
        (0..columns).map(|column| buffer[(column, row)].symbol().to_owned()).collect()
    };
    (0..rows).map(|row| line(row).trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn at_plan() -> State {
    let mut state = console(&[]);
    press(&mut state, KeyCode::Char('n'));
    type_text(&mut state, "Acme GmbH");
    press(&mut state, KeyCode::Enter);
    let effects = press(&mut state, KeyCode::Enter);
    let Some(Effect::Plan { ticket, .. }) = effects.first() else { panic!("{effects:?}") };
    let result = Ok(Box::new(plan("acme-gmbh")));
    update(&mut state, Event::Planned { ticket: *ticket, key: "key".into(), result });
    state
}

fn at_operation(state_of_it: OperationState) -> State {
    let mut state = at_plan();
    let effects = ctrl(&mut state, 's');
    let Some(Effect::Provision { ticket, .. }) = effects.first() else { panic!("{effects:?}") };
    let mut running = operation("acme-gmbh", state_of_it);
    if running.state == OperationState::Succeeded {
        for step in &mut running.steps {
            step.status = StepStatus::Done;
        }
    }
    update(&mut state, Event::Started { ticket: *ticket, result: Ok(Box::new(running)) });
    state
}

#[test]
fn the_list_of_tenants() {
    let mut state = console(&[]);
    let grades = [("acme", Some(Grade::A)), ("globex", None), ("initech", Some(Grade::F))];
    update(&mut state, Event::Tenants(grades.map(|(slug, grade)| graded(slug, grade)).into()));
    insta::assert_snapshot!(drawn(&state, 80, 12), @r#"
    tenantry › tenants                        local · PRODUCTION · operator ● live
    3 tenants
      TENANT ▲       STATE          BLUEPRINT     TARGET   ISOL  LAST OPERATION
    ▌ acme           ● active       projects 1.0  local    A     provision     2 m
      globex         ● active       projects 1.0  local    –     provision     2 m
      initech        ● active       projects 1.0  local    F     provision     2 m





    enter open  n new  / filter  : command  R rollback  v verify  ? help  a audit
    "#);
}

#[test]
fn the_wizards_first_step() {
    let mut state = console(&[]);
    press(&mut state, KeyCode::Char('n'));
    type_text(&mut state, "Acme GmbH");
    insta::assert_snapshot!(drawn(&state, 80, 13), @r#"
     tenantry › new tenant                     local · PRODUCTION · operator ● live
     ▸ 1 details ─── 2 configuration ─── 3 confirmation

    ▌display name          Acme GmbH
                           any text; people read it
     name                  acme-gmbh
                           derived from the display name
     labels
                           name=value, name=value



     enter continue  tab ↓ next field  ↑ previous  esc back  f1 help
    "#);
}

#[test]
fn the_wizards_second_step() {
    let mut state = console(&[]);
    press(&mut state, KeyCode::Char('n'));
    type_text(&mut state, "Acme GmbH");
    press(&mut state, KeyCode::Enter);
    insta::assert_snapshot!(drawn(&state, 80, 16), @r#"
     tenantry › new tenant                     local · PRODUCTION · operator ● live
     1 details ✓ ─── ▸ 2 configuration ─── 3 confirmation

    ▌blueprint            ◂ projects ▸
                           Projects, tasks and time
     version               1.0
                           0 migrations
     target                local
                           /run/pg, 3 tenants
     connection limit      20
                           connections, 1 to 100
     seed                  no
                           sample data from the blueprint


     enter continue  tab ↓ next field  ↑ previous  ← → choose  esc back  f1 help
    "#);
}

#[test]
fn the_plan() {
    insta::assert_snapshot!(drawn(&at_plan(), 80, 12), @r#"
    tenantry › new tenant                     local · PRODUCTION · operator ● live
    1 details ✓ ─── 2 configuration ✓ ─── ▸ 3 confirmation
    acme-gmbh · "Acme GmbH" · projects 1.0 on local · connection_limit 20 · no
    seed
    plan 7f3a7f3a7f3a  1 steps, ┃ one transaction, budget 2 m 00 s
    ✓ ok[locks]: 556 of 6,400
    └ roles        three roles · 1 piece of SQL ┃




    ctrl-s approve and run  s show or fold SQL  r plan again  esc back  ? help
    "#);
}

#[test]
fn a_running_operation() {
    insta::assert_snapshot!(drawn(&at_operation(OperationState::Running), 80, 12), @r#"
    tenantry › provision acme-gmbh            local · PRODUCTION · operator ● live
    ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓░░░░░░░░░░░░░░░░ step 3 of 4     130 ms of 2 m 00 s budget
    ✓ preflight                                       6.0 ms
    ✓ roles                                           6.0 ms  ┐
    ◐ migrations                                              ┘ one transaction
    · verify isolation





    x cancel and undo  a its audit  : command  esc leave it running  ? help
    "#);
}

#[test]
fn a_failed_operation_says_cause_undone_and_next() {
    let failure = Failure {
        step: "migrations".into(),
        file: Some("V5__comments.sql".into()),
        line: Some(12),
        statement: Some(2),
        sqlstate: Some("42601".into()),
        message: "syntax error at or near \"TABEL\"".into(),
        hint: None,
    };
    let text = drawn(&at_operation(OperationState::RolledBack { failure }), 80, 24);
    for part in ["V5__comments.sql:12", "(42601)", "nothing is left on local", "edit and retry"] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
}

#[test]
fn credentials_are_on_the_screen_until_they_are_closed() {
    let mut state = console(&["acme"]);
    let effects = press(&mut state, KeyCode::Char('c'));
    let Some(Effect::IssueCredentials { ticket, slug }) = effects.first() else { panic!("{effects:?}") };
    let credentials = Credentials {
        slug: tenantry_protocol::name::Slug::parse(slug).unwrap(),
        role: "t_x_a".into(),
        password: Some("geheim-77".into()),
        host: "/run/pg".into(),
        port: 5432,
        database: "tenants".into(),
        issued_at: now(),
    };
    update(&mut state, Event::Credentials { ticket: *ticket, result: Ok(credentials) });
    insta::assert_snapshot!(drawn(&state, 80, 13), @r#"
    tenantry › acme › credentials             local · PRODUCTION · operator ● live
    ! shown this once, and stored nowhere
    role      t_x_a
    password  geheim-77
    host      /run/pg
    port      5432
    database  tenants
    postgres://t_x_a:geheim-77@/tenants?host=%2Frun%2Fpg&port=5432




    y copy the URL  p copy the password  esc close; it is not shown again
    "#);
    assert!(drawn(&state, 40, 10).contains("geheim-77"), "the smallest screen has it too");
    let effects = press(&mut state, KeyCode::Char('y'));
    assert!(matches!(effects.as_slice(), [Effect::Copy(url)] if url.contains(":geheim-77@")));
    assert_eq!(press(&mut state, KeyCode::Char('p')), [Effect::Copy("geheim-77".to_owned())]);
    press(&mut state, KeyCode::Char('q'));
    assert!(drawn(&state, 80, 24).contains("geheim-77"), "only esc closes it");
    press(&mut state, KeyCode::Esc);
    assert!(!drawn(&state, 80, 24).contains("geheim-77"));
    assert!(!format!("{state:?}").contains("geheim-77"));
}

#[test]
fn the_palette_shows_names_meanings_and_keys() {
    let mut state = console(&["acme"]);
    press(&mut state, KeyCode::Char(':'));
    type_text(&mut state, "o");
    insta::assert_snapshot!(drawn(&state, 80, 18), @r#"
     tenantry › tenants                        local · PRODUCTION · operator ● live
    ┌ command 1 of 17 ─────────────────────────────────────────────────────────────┐
    │ : o                                                                          │
    │ ▌ operation           a tenant's last operation                      o       │
    │   operations          what runs and what ran                         O       │
    │   tenant              open a tenant                                  enter   │
    │   credentials         a login for a tenant, shown once               c       │
    │   resume              open a suspended tenant's logins again                 │
    │   verify              attack a tenant's isolation, or that of all    v       │
    │   isolation           the grades of all, or a tenant's report        i       │
    │   tenants             the list of tenants                                    │
    │   reverse order       in tenants                                     S       │
    │   mark all or none    in tenants                                     *       │
    │   rollback            remove a tenant; asks first                    R       │
    │   suspend             close a tenant's logins; its data stays                │
    └──────────────────────────────────────────────────────────────────────────────┘

     enter run  tab complete  ↑ ↓ choose  esc close
    "#);
}

#[test]
fn the_help_of_a_screen_is_its_keymap() {
    let mut state = console(&["acme"]);
    update(&mut state, Event::Resize(40, 10));
    press(&mut state, KeyCode::Enter);
    press(&mut state, KeyCode::Char('?'));
    insta::assert_snapshot!(drawn(&state, 40, 10), @r#"
     tenantry › tenants › acme loca… ● live
    ┌ tenant: keys that work now ──────────┐
    │  c             credentials           │
    │  v             verify                │
    │  i             report                │
    │  s             suspend               │
    │  R             rollback              │
    └ 12 more below ───────────────────────┘

     esc close  ↑ ↓ scroll
    "#);
    for _ in 0..50 {
        press(&mut state, KeyCode::Down);
    }
    let bottom = drawn(&state, 40, 10);
    assert!(bottom.contains("suspend"), "{bottom}");
    press(&mut state, KeyCode::Up);
    assert!(drawn(&state, 40, 10) != bottom, "scrolling past the end is not remembered");
}

#[test]
fn the_ways_out_and_to_the_help_are_named_at_every_width() {
    let mut form = console(&[]);
    press(&mut form, KeyCode::Char('n'));
    for columns in [40, 60, 80, 120] {
        let text = drawn(&form, columns, 10);
        let hints = text.lines().last().unwrap();
        assert!(hints.contains("esc back") && hints.contains("f1 help"), "{columns}: {hints}");
    }
}

#[test]
fn a_lost_connection_is_said_beside_the_rows() {
    let mut state = console(&["acme"]);
    update(&mut state, Event::Lost("no daemon listens on /run/x".into()));
    update(&mut state, Event::Tick(now() + time::Duration::seconds(12)));
    let text = drawn(&state, 80, 24);
    assert!(
        text.contains("✗ lost 12 s") && text.contains("acme") && text.contains("no daemon listens"),
        "{text}"
    );
}

#[test]
fn where_one_works_is_said_whatever_the_tenant_is_called() {
    let long = "a".repeat(40);
    let mut state = console(&[&long]);
    press(&mut state, KeyCode::Enter);
    for screen in ["tenant", "rollback"] {
        let text = drawn(&state, 80, 24);
        assert!(
            text.lines().next().unwrap().contains("local · PRODUCTION · operator ● live"),
            "{screen}\n{text}"
        );
        press(&mut state, KeyCode::Char('R'));
    }
}

#[test]
fn every_screen_fits_every_size() {
    let mut rollback = console(&["acme"]);
    press(&mut rollback, KeyCode::Char('R'));
    let mut form = console(&["acme"]);
    press(&mut form, KeyCode::Char('n'));
    let mut detail = console(&["acme"]);
    press(&mut detail, KeyCode::Enter);
    let mut help = console(&["acme"]);
    press(&mut help, KeyCode::Char('?'));
    let mut palette = console(&["acme"]);
    press(&mut palette, KeyCode::Char(':'));
    let mut credentials = console(&["acme"]);
    press(&mut credentials, KeyCode::Char('c'));
    let running = at_operation(OperationState::Running);
    let mut operations = at_operation(OperationState::Running);
    press(&mut operations, KeyCode::Esc);
    press(&mut operations, KeyCode::Char('O'));
    let mut bulk = console(&["acme", "globex"]);
    press(&mut bulk, KeyCode::Char('*'));
    press(&mut bulk, KeyCode::Char('R'));
    let mut fleet = isolation::fleet();
    press(&mut fleet, KeyCode::Char('j'));
    let report = isolation::at_report(isolation::report_with_holes());
    let wide = [palette, credentials, rollback, form, detail, help, running, operations, bulk, fleet, report];
    for state in
        wide.into_iter().chain(audit::all()).chain(upgrades::all()).chain([console(&["acme"]), at_plan()])
    {
        for (columns, rows) in [(80, 24), (200, 60), (40, 10), (20, 5), (4, 2), (1, 1)] {
            let text = drawn(&state, columns, rows);
            assert!(columns < 40 || text.contains("tenantry"), "{columns}x{rows}\n{text}");
            assert!(columns < 40 || text.contains("live"), "{columns}x{rows}\n{text}");
        }
    }
}
