//! Upgrades of many tenants, as text.
//! Drawn on the same cell backend as the others.
#![allow(clippy::unwrap_used, clippy::panic)]

use crossterm::event::KeyCode;
use tenantry_protocol::blueprint::Blueprint;
use tenantry_protocol::name::{BlueprintVersion, Slug, TargetName};
use tenantry_protocol::plan::{Finding, Severity};
use tenantry_protocol::upgrade::rehearsal::{Rehearsal, RehearsalState, RehearsedLock};
use tenantry_protocol::upgrade::{
    FailureGroup, PauseCause, UnitCounts, Upgrade, UpgradePlan, UpgradeState, UpgradeStatus,
};

use super::drawn;
use crate::ui::event::{Effect, Event};
use crate::ui::state::State;
use crate::ui::testing::{blueprint, console, now, press, upgrade, upgrade_news, upgrade_plan};
use crate::ui::update::update;

fn paused() -> UpgradeState {
    let reason = "3 of 24 tenants failed: see `tenantry upgrade failures`, then resume, retry or cancel";
    UpgradeState::Paused { by: PauseCause::Failures, reason: reason.into() }
}

/// The list of two upgrades, the newer one in that state.
fn listed(newer: &Upgrade) -> State {
    let mut state = console(&["acme", "globex"]);
    press(&mut state, KeyCode::Char('u'));
    let mut older = upgrade(UpgradeState::Succeeded);
    older.id = tenantry_protocol::id::UpgradeId::from_uuid(uuid::Uuid::nil());
    older.counts = UnitCounts { done: 2_140, ..UnitCounts::default() };
    older.requested_at = now() - time::Duration::days(3);
    update(&mut state, Event::Upgrades(Ok(vec![newer.clone(), older])));
    state
}

fn at_upgrade(of: &Upgrade) -> State {
    let mut state = listed(of);
    let effects = press(&mut state, KeyCode::Enter);
    let Some(Effect::LoadUpgrade { ticket, .. }) = effects.last() else { panic!("{effects:?}") };
    let group = |key: &str, tenants, example: &str, reason: &str| FailureGroup {
        key: key.into(),
        tenants,
        example: Slug::parse(example).unwrap(),
        reason: reason.into(),
    };
    let blocked = "blocked 30 s by pid 4711 (reporting, idle in transaction since 03:12)";
    let failures = vec![
        group(
            "V2__price.sql 42P07",
            2,
            "globex",
            "V2__price.sql:3: relation \"sales\" already exists (42P07)",
        ),
        group("V2__price.sql 55P03", 1, "acme", blocked),
    ];
    let status = UpgradeStatus { upgrade: of.clone(), failures };
    update(&mut state, Event::UpgradeStatus { ticket: *ticket, result: Ok(Box::new(status)) });
    state
}

fn asking() -> State {
    let mut state = at_upgrade(&upgrade(UpgradeState::Running));
    press(&mut state, KeyCode::Char('x'));
    state
}

fn planned() -> State {
    let mut state = console(&["acme", "globex"]);
    let newer = Blueprint { version: BlueprintVersion::new(1, 1), ..blueprint() };
    update(&mut state, Event::Blueprints(vec![newer, blueprint()]));
    let effects = press(&mut state, KeyCode::Char('U'));
    let Some(Effect::PlanUpgrade { ticket, .. }) = effects.first() else { panic!("{effects:?}") };
    let warning = Finding {
        severity: Severity::Warning,
        code: "index".into(),
        message: "an index is built while nobody can write".into(),
        file: Some("V2__price.sql".into()),
        line: Some(2),
    };
    let result = Ok(Box::new(upgrade_plan(vec![warning])));
    update(&mut state, Event::UpgradePlanned { ticket: *ticket, key: "key".into(), result });
    state
}

/// What two blank placements showed.
fn tried() -> State {
    let mut state = planned();
    let effects = press(&mut state, KeyCode::Char('t'));
    let Some(Effect::RehearseUpgrade { ticket, .. }) = effects.first() else { panic!("{effects:?}") };
    let lock = |relation: &str| RehearsedLock {
        relation: relation.into(),
        kind: "table".into(),
        mode: "ACCESS EXCLUSIVE".into(),
    };
    let passed = Rehearsal {
        target: TargetName::parse("local").unwrap(),
        from: BlueprintVersion::new(1, 0),
        state: RehearsalState::Passed,
        reason: None,
        locks: vec![lock("items"), lock("orders")],
        rewritten: vec!["table items".into()],
        differences: vec![],
        left_out: 0,
        duration_ms: Some(21),
        fingerprint: None,
    };
    let reason = "V2__price.sql:2: relation \"missing\" does not exist".to_owned();
    let refused = Rehearsal {
        target: TargetName::parse("other").unwrap(),
        state: RehearsalState::Refused,
        reason: Some(reason),
        locks: vec![],
        rewritten: vec![],
        duration_ms: None,
        ..passed.clone()
    };
    let plan = UpgradePlan { rehearsals: vec![passed, refused], ..upgrade_plan(vec![]) };
    update(
        &mut state,
        Event::UpgradePlanned { ticket: *ticket, key: "key".into(), result: Ok(Box::new(plan)) },
    );
    state
}

#[test]
fn what_blank_placements_showed_is_on_the_plan() {
    let shown = drawn(&tried(), 80, 24);
    for part in [
        "rehearsed from 1.0 on local: passed in 21 ms",
        "table items (ACCESS EXCLUSIVE)",
        "rewrites",
        "on other: refused",
        "does not exist",
    ] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
}

/// Every screen about upgrades, for the test of all sizes.
pub(super) fn all() -> Vec<State> {
    let mut empty = console(&[]);
    press(&mut empty, KeyCode::Char('u'));
    update(&mut empty, Event::Upgrades(Ok(vec![])));
    let mut many = upgrade(UpgradeState::Running);
    many.waves = 101;
    let none =
        Upgrade { counts: UnitCounts::default(), waves: 1, wave: 0, ..upgrade(UpgradeState::Succeeded) };
    vec![
        empty,
        listed(&upgrade(paused())),
        at_upgrade(&upgrade(paused())),
        at_upgrade(&many),
        at_upgrade(&none),
        asking(),
        planned(),
        tried(),
    ]
}

#[test]
fn the_list_of_upgrades() {
    insta::assert_snapshot!(drawn(&listed(&upgrade(paused())), 80, 14), @r#"
    tenantry › upgrades                       local · PRODUCTION · operator ● live
    0 running · the 2 newest
      STATE        TO                              TENANTS           FAILED  AGE
    ▌ ! paused     projects 1.1        ▓▓▓▓▓▓▓✗◐░░ 14 of 24          ✗ 3     4 m
      ✓ succeeded  projects 1.1        ▓▓▓▓▓▓▓▓▓▓▓ 2,140 of 2,140            3 d




    ──────────────────────────────────────────────────────────────────────────────
    ! 3 of 24 tenants failed: see `tenantry upgrade failures`, then resume, retry
    or cancel

    enter open  p resume  f try the failed again  r reload  esc back  ? help
    "#);
}

#[test]
fn a_running_upgrade_says_how_fast_it_goes() {
    let mut going = upgrade(UpgradeState::Running);
    let mut state = at_upgrade(&going);
    update(&mut state, upgrade_news(&going, 0));
    going.counts.done += 4;
    going.counts.pending -= 4;
    update(&mut state, upgrade_news(&going, 2));
    update(&mut state, Event::Tick(now() + time::Duration::seconds(2)));
    press(&mut state, KeyCode::Char('j'));
    insta::assert_snapshot!(drawn(&state, 80, 24), @r#"
    tenantry › upgrades › projects 1.1        local · PRODUCTION · operator ● live
    ◐ running · 18 of 24 done · 2.0/s · 1 s left
    tenants   ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓✗✗✗✗✗✗✗✗◐◐◐◐◐░░
              16 done · 2 had it already · 3 failed · 2 running · 1 to come
    waves     ▓◐░░ 2 of 4
    pace      4 of each target at a time · pauses after 3 failed
    asked     by ops1 (uid 1003) · 2024-10-03 23:56:00 UTC
      TENANTS  FAILURE                                 FOR EXAMPLE
      2        V2__price.sql 42P07                     globex
    ▌ 1        V2__price.sql 55P03                     acme










    ──────────────────────────────────────────────────────────────────────────────
    ✗ acme: blocked 30 s by pid 4711 (reporting, idle in transaction since 03:12)

    enter tenant  p pause  f try the failed again  x cancel  esc back  ? help
    "#);
}

#[test]
fn a_paused_upgrade_says_what_paused_it() {
    insta::assert_snapshot!(drawn(&at_upgrade(&upgrade(paused())), 120, 18), @r#"
    tenantry › upgrades › projects 1.1                                                local · PRODUCTION · operator ● live
    ! paused · 14 of 24 done
      3 of 24 tenants failed: see `tenantry upgrade failures`, then resume, retry or cancel
    tenants   ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓✗✗✗✗✗✗✗✗✗✗✗✗✗◐◐◐◐◐◐◐◐◐░░░░░░░░░░░░░░░░░░░░░░
              12 done · 2 had it already · 3 failed · 2 running · 5 to come
    waves     ▓◐░░ 2 of 4
    pace      4 of each target at a time · pauses after 3 failed
    asked     by ops1 (uid 1003) · 2024-10-03 23:56:00 UTC
      TENANTS  FAILURE                                     FOR EXAMPLE
    ▌ 2        V2__price.sql 42P07                         globex
      1        V2__price.sql 55P03                         acme



    ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
    ✗ globex: V2__price.sql:3: relation "sales" already exists (42P07)

    enter tenant  p resume  f try the failed again  x cancel  y copy the failure  : command  esc back  ? help
    "#);
}

#[test]
fn the_smallest_screen_has_the_state_the_failures_and_the_way_out() {
    insta::assert_snapshot!(drawn(&at_upgrade(&upgrade(UpgradeState::Running)), 40, 10), @r#"
    tenantry › upgrades › projects… ● live
    ◐ running · 14 of 24 done
    tenants   ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓✗✗✗◐◐░░░░░
              12 done · 2 had it already …
    waves     ▓◐░░ 2 of 4

    ──────────────────────────────────────
    ✗ globex: V2__price.sql:3: relation

    enter tenant  esc back  ? help
    "#);
    let text = drawn(&asking(), 40, 10);
    assert!(text.contains("Cancel it: ctrl-x") && text.contains("8 stay as"), "{text}");
}

#[test]
fn the_question_before_a_cancel_has_the_numbers() {
    insta::assert_snapshot!(drawn(&asking(), 80, 16), @r#"
    tenantry › upgrades › projects 1.1        local · PRODUCTION · operator ● live
    ◐ running · 14 of 24 done
    tenants   ▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓✗✗✗✗✗✗✗✗◐◐◐◐◐░░░░░░░░░░░░░░
              12 done · 2 had it already · 3 failed · 2 running · 5 to come
    waves     ▓◐░░ 2 of 4
    pace      4 of each target at a time · pauses after 3 failed
    asked     by ops1 (uid 1003) · 2024-10-03 23:56:00 UTC
      TENANTS  FAILURE                                 FOR EXAMPLE
    ▌ 2        V2__price.sql 42P07                     globex
      1        V2__price.sql 55P03                     acme
    ──────────────────────────────────────────────────────────────────────────────
    Cancel the upgrade to projects 1.1? 14 of 24 tenants have it and keep it, 2
    that run end by themselves, 8 stay as they are.
        ▸ Leave it ◂    Cancel it: ctrl-x

    ctrl-x cancel the upgrade  esc leave it as it is  f1 help
    "#);
}

#[test]
fn the_plan_is_shown_before_it_is_approved() {
    insta::assert_snapshot!(drawn(&planned(), 80, 16), @r#"
    tenantry › upgrades › plan for projects   local · PRODUCTION · operator ● live
    projects to 1.1: 24 tenants to go
    from 1.0 (24 tenants):
    · V2__price.sql
    · R__names.sql
    waves: 1, 8, 8, 7
    4 of each target at a time, pauses after 3 failed
    ! V2__price.sql:2: warning[index]: an index is built while nobody can write
    hash 7f3a7f3a7f3a7f3a7f3a7f3a7f3a7f3a7f3a7f3a7f3a7f3a7f3a7f3a7f3a7f3a






    ctrl-s approve and begin  t try it  r plan again  : command  esc back  ? help
    "#);
    let mut small = planned();
    update(&mut small, Event::Resize(40, 10));
    assert!(drawn(&small, 40, 10).contains("lines below"));
    press(&mut small, KeyCode::End);
    assert!(drawn(&small, 40, 10).contains("7f3a7f3a"), "{}", drawn(&small, 40, 10));
}
