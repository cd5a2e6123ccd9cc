//! Isolation as text: the report, the part of it on the tenant's own screen, and the fleet.
//! Drawn on the same cell backend as the others.

use crossterm::event::KeyCode;
use tenantry_protocol::isolation::{Depth, Grade, IsolationBadge, IsolationReport, LintFinding, Verdict};
use tenantry_protocol::tenant::TenantDetail;

use super::drawn;
use crate::ui::event::{Effect, Event};
use crate::ui::state::State;
use crate::ui::testing::{console, graded, held, isolation_report, now, press, tenant, type_text};
use crate::ui::update::update;

/// One attack that succeeded, one that an administrator would have to stop, and a finding.
pub(super) fn report_with_holes() -> IsolationReport {
    let mut report = isolation_report();
    let evidence = "1 row of another tenant";
    let broken =
        Verdict { held: false, got: None, evidence: evidence.into(), ..held("view", "a tenant reads") };
    let open = Verdict {
        remedy: Some("revoke execute on function pg_advisory_lock(bigint) from public".into()),
        evidence: "took 34,000 locks".into(),
        ..Verdict { held: false, got: None, ..held("advisory_lock", "a tenant fills the lock table") }
    };
    report.verdicts.extend([broken, open]);
    let evidence = "SELECT to PUBLIC on table t_x.users".into();
    report.findings.push(LintFinding { lint: "foreign_grants".into(), evidence });
    report
}

/// The console at this tenant's report, opened from its own screen.
pub(super) fn at_report(report: IsolationReport) -> State {
    let mut state = console(&["acme"]);
    press(&mut state, KeyCode::Enter);
    answer(&mut state, report);
    press(&mut state, KeyCode::Char('i'));
    state
}

fn answer(state: &mut State, report: IsolationReport) {
    let tenant = state.tenants.selected().unwrap().clone();
    let id = tenant.id.to_string();
    let detail = TenantDetail { tenant, operations: vec![], isolation: Some(report), archives: vec![] };
    update(state, Event::Detail { id, result: Ok(Box::new(detail)) });
}

/// The console at the isolation of all tenants.
pub(super) fn fleet() -> State {
    let mut state = console(&[]);
    let mut core = graded("wayne", Some(Grade::A));
    core.isolation = Some(IsolationBadge { grade: Grade::A, depth: Depth::Core, at: now() });
    let others =
        [("acme", Some(Grade::A)), ("globex", Some(Grade::B)), ("initech", Some(Grade::F)), ("stark", None)];
    let mut rows: Vec<_> = others.map(|(slug, grade)| graded(slug, grade)).into();
    rows.push(core);
    update(&mut state, Event::Tenants(rows));
    press(&mut state, KeyCode::Char(':'));
    type_text(&mut state, "isolation");
    press(&mut state, KeyCode::Enter);
    state
}

#[test]
fn what_is_wrong_comes_first_in_a_report_then_what_is_open() {
    let state = at_report(report_with_holes());
    insta::assert_snapshot!(drawn(&state, 80, 24), @r#"
    tenantry › acme › isolation               local · PRODUCTION · operator ● live
    grade F · held 2 of 4 attacks (full), 1 catalog finding · schema tenancy
    verified 3 h ago, 2024-10-03 21:00:00 UTC · battery 2 · PostgreSQL 15.20 · 98…
    2 wrong · 1 open · 12 lints · 1 left open by nature
    what is wrong
    ✗ probe view: a tenant reads
        no error: 1 row of another tenant
    ✗ lint foreign_grants: SELECT to PUBLIC on table t_x.users
    what is open, and an administrator can close
    ! probe advisory_lock: a tenant fills the lock table
        no error: took 34,000 locks
      → an administrator runs: revoke execute on function pg_advisory_lock(bigint)
      from public
    what schema tenancy leaves open by its nature
    · catalog_names: pg_class shows every schema's tables
    every attack, and what came of it
    ✓ read                  42501 a tenant reads another tenant's data
    ✓ session_authorization 42501 a tenant takes over another tenant's role, and …
    ✗ view                  –     a tenant reads
    ! advisory_lock         –     a tenant fills the lock table



    v verify again  e show or fold evidence  / filter  y copy  esc back  ? help
    "#);
}

#[test]
fn the_evidence_of_every_attack_can_be_shown_and_the_report_filtered() {
    let mut state = at_report(isolation_report());
    let folded = drawn(&state, 80, 24);
    assert!(folded.contains("nothing is wrong") && !folded.contains("permission denied"), "{folded}");
    press(&mut state, KeyCode::Char('e'));
    let text = drawn(&state, 80, 24);
    assert!(text.contains("42501: permission denied") && text.contains("takes over"), "{text}");
    press(&mut state, KeyCode::Char('/'));
    type_text(&mut state, "SESSION");
    let text = drawn(&state, 80, 24);
    assert!(text.contains("session_authorization") && !text.contains("catalog_names"), "{text}");
    type_text(&mut state, "nobody");
    assert!(drawn(&state, 80, 24).contains("nothing matches; esc clears"), "{text}");
    press(&mut state, KeyCode::Esc);
    assert!(drawn(&state, 80, 24).contains("catalog_names"), "{text}");
}

#[test]
fn every_line_of_a_report_can_be_reached_on_a_small_screen() {
    let mut state = at_report(report_with_holes());
    update(&mut state, Event::Resize(40, 10));
    press(&mut state, KeyCode::Char('e'));
    let mut seen = String::new();
    for _ in 0..80 {
        let text = drawn(&state, 40, 10);
        assert!(text.contains("grade F"), "the headline stays\n{text}");
        seen.push_str(&text);
        press(&mut state, KeyCode::Down);
    }
    for part in ["1 row of another", "PUBLIC", "from public", "catalog_names", "✓ session_auth"] {
        assert!(seen.contains(part), "{part} cannot be reached\n{seen}");
    }
    let bottom = drawn(&state, 40, 10);
    press(&mut state, KeyCode::Up);
    assert!(drawn(&state, 40, 10) != bottom, "scrolling past the end is not remembered");
}

#[test]
fn a_tenants_own_screen_has_the_headline_and_what_is_wrong_and_no_more() {
    let mut state = console(&["acme"]);
    press(&mut state, KeyCode::Enter);
    let mut report = report_with_holes();
    for _ in 0..9 {
        report.findings.push(report.findings[0].clone());
    }
    answer(&mut state, report);
    insta::assert_snapshot!(drawn(&state, 80, 21), @r#"
    tenantry › tenants › acme                 local · PRODUCTION · operator ● live
    name        acme "acme Ltd"
    state       ● active
    blueprint   projects 1.0
    placement   t_hyboqd4ahyboa on local
    settings    –
    labels      –
    created     2024-10-03 21:00:00 UTC, 3 h ago
    login       none issued
    isolation   grade F · held 2 of 4 attacks (full), 10 catalog findings · schem…
                verified 3 h ago, 2024-10-03 21:00:00 UTC · battery 2 · PostgreSQ…
                ✗ probe view: 1 row of another tenant
                ✗ lint foreign_grants: SELECT to PUBLIC on table t_x.users
                ✗ lint foreign_grants: SELECT to PUBLIC on table t_x.users
                ✗ lint foreign_grants: SELECT to PUBLIC on table t_x.users
                ✗ lint foreign_grants: SELECT to PUBLIC on table t_x.users
                … and 6 more: i shows the report
    operations


    c credentials  v verify  i report  s suspend  R rollback  esc back  ? help
    "#);
}

#[test]
fn the_fleet_has_counts_and_the_worst_first() {
    let mut state = fleet();
    insta::assert_snapshot!(drawn(&state, 80, 12), @r#"
    tenantry › isolation                      local · PRODUCTION · operator ● live
    5 standing · 1 F · 1 B · 2 A · 1 never verified
    4 to look at · 2 not by the whole battery yet: V verifies all
      ISOL  TENANT                    VERIFIED          TO DO
    ▌ F     initech                   1 h · full        enter: what is wrong
      –     stark                     never             v verifies it
      B     globex                    1 h · full        enter: what closes it
      A     wayne                     now · core        v verifies it



    enter report  v verify  V verify all  t tenant  : command  esc back  ? help
    "#);
    let id = state.tenants.named("initech").unwrap().id;
    assert_eq!(press(&mut state, KeyCode::Enter), [Effect::LoadDetail(id.to_string())]);
    assert!(drawn(&state, 80, 12).contains("initech › isolation"));
}

#[test]
fn where_nothing_stands_or_everything_holds_the_fleet_says_so() {
    let mut state = fleet();
    update(&mut state, Event::Tenants(vec![graded("acme", Some(Grade::A))]));
    let text = drawn(&state, 80, 12);
    assert!(text.contains("1 standing · 1 A") && text.contains("all of them held"), "{text}");
    let mut gone = tenant("acme");
    gone.state = tenantry_protocol::tenant::TenantState::Provisioning;
    update(&mut state, Event::Tenants(vec![gone]));
    assert!(drawn(&state, 40, 12).contains("nothing to verify"));
}
