//! Wire values for the console's tests.
//! They are made up, but a daemon could send each of them; nothing here talks to a daemon.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tenantry_protocol::audit::{AuditEvent, AuditResponse, AuditVerdict, TrailStatus};
use tenantry_protocol::blueprint::{Blueprint, BlueprintFile, Setting, Tenancy};
use tenantry_protocol::id::{OperationId, TenantId, UpgradeId};
use tenantry_protocol::isolation::{Depth, Grade, IsolationBadge, IsolationReport, ResidualChannel, Verdict};
use tenantry_protocol::name::{BlueprintName, BlueprintVersion, PlacementName, Slug, TargetName};
use tenantry_protocol::operation::{Operation, OperationKind, OperationState, StepProgress, StepStatus};
use tenantry_protocol::plan::{Finding, Plan, PlanSql, PlanStep, Severity};
use tenantry_protocol::session::{DaemonMode, HelloResponse, Role};
use tenantry_protocol::target::{Target, TargetHealth};
use tenantry_protocol::tenant::{LastOperation, RollbackPreview, RowCount, Tenant, TenantState};
use tenantry_protocol::upgrade::{Course, UnitCounts, Upgrade, UpgradePlan, UpgradeSource, UpgradeState};
use tenantry_protocol::watch::{Event as WatchEvent, EventBody, WatchResponse};
use time::OffsetDateTime;

use super::event::{Effect, Event};
use super::state::{Colours, State};
use super::update::update;

pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000)
}

pub(crate) fn tenant(slug: &str) -> Tenant {
    Tenant {
        id: TenantId::generate(),
        slug: Slug::parse(slug).unwrap(),
        display_name: format!("{slug} Ltd"),
        labels: BTreeMap::new(),
        blueprint: BlueprintName::parse("projects").unwrap(),
        version: BlueprintVersion::new(1, 0),
        tenancy: Tenancy::Schema,
        target: TargetName::parse("local").unwrap(),
        placement: PlacementName::from_random([7; 8]),
        settings: BTreeMap::new(),
        state: TenantState::Active,
        created_at: now() - time::Duration::hours(3),
        updated_at: now(),
        credentials: None,
        isolation: None,
        last_operation: Some(LastOperation {
            id: OperationId::generate(),
            kind: "provision".into(),
            state: "succeeded".into(),
            requested_at: now() - time::Duration::minutes(2),
        }),
    }
}

/// A tenant of that grade, fully verified an hour ago; `None` means never verified.
pub(crate) fn graded(slug: &str, grade: Option<Grade>) -> Tenant {
    let at = now() - time::Duration::hours(1);
    Tenant { isolation: grade.map(|grade| IsolationBadge { grade, depth: Depth::Full, at }), ..tenant(slug) }
}

/// A verdict on an attack that was refused.
pub(crate) fn held(probe: &str, meaning: &str) -> Verdict {
    Verdict {
        probe: probe.into(),
        meaning: meaning.into(),
        held: true,
        expected: vec!["42501".into()],
        got: Some("42501".into()),
        evidence: "permission denied for schema t_hyboqd4ahyboa".into(),
        remedy: None,
    }
}

/// A report in which everything held.
pub(crate) fn isolation_report() -> IsolationReport {
    IsolationReport {
        battery_version: 2,
        at: now() - time::Duration::hours(3),
        depth: Depth::Full,
        tenancy: Tenancy::Schema,
        server_version: "15.20".into(),
        verdicts: vec![
            held("read", "a tenant reads another tenant's data"),
            held(
                "session_authorization",
                "a tenant takes over another tenant's role, and everything with it",
            ),
        ],
        lints: 12,
        findings: vec![],
        left_out: 0,
        gifts: vec![],
        residual: vec![ResidualChannel {
            name: "catalog_names".into(),
            meaning: "pg_class shows every schema's tables".into(),
        }],
        victim_unchanged: true,
        duration_ms: 98.0,
    }
}

pub(crate) fn audit_event(seq: i64, action: &str, slug: &str) -> AuditEvent {
    AuditEvent {
        seq,
        at: now() - time::Duration::seconds(1_000 - seq),
        actor: "ops1 (uid 1003)".into(),
        action: action.into(),
        slug: Some(slug.into()),
        operation_id: None,
        outcome: Some("ok".into()),
        duration_ms: Some(310.0),
        actor_uid: None,
        role: None,
        claimed: None,
        tenant_id: None,
        detail: None,
        request: None,
        facts: BTreeMap::new(),
        redacted: Vec::new(),
        intact: true,
        prev_hash: "77c0".repeat(16),
        hash: "9b1e".repeat(16),
    }
}

pub(crate) fn operation(slug: &str, state: OperationState) -> Operation {
    let step = |name: &str, title: &str, status, atomic| StepProgress {
        step: name.into(),
        title: title.into(),
        status,
        atomic,
        count: None,
        note: None,
        duration_ms: (status == StepStatus::Done).then_some(6.0),
    };
    Operation {
        id: OperationId::generate(),
        kind: OperationKind::Provision,
        versions: None,
        tenant_id: TenantId::generate(),
        slug: Slug::parse(slug).unwrap(),
        target: TargetName::parse("local").unwrap(),
        duration_ms: state.is_final().then_some(130.0),
        state,
        steps: vec![
            step("preflight", "preflight", StepStatus::Done, false),
            step("roles", "roles", StepStatus::Done, true),
            step("migrations", "migrations", StepStatus::Running, true),
            step("verify", "verify isolation", StepStatus::Waiting, false),
        ],
        actor: "root (uid 0)".into(),
        requested_at: now() - time::Duration::milliseconds(130),
        budget_ms: 120_000,
    }
}

pub(crate) fn plan(slug: &str) -> Plan {
    Plan {
        hash: "7f3a".repeat(16),
        slug: Slug::parse(slug).unwrap(),
        display_name: "Acme GmbH".into(),
        blueprint: BlueprintName::parse("projects").unwrap(),
        version: BlueprintVersion::new(1, 0),
        target: TargetName::parse("local").unwrap(),
        settings: BTreeMap::from([("connection_limit".into(), 20)]),
        labels: BTreeMap::new(),
        seed: false,
        steps: vec![PlanStep {
            step: "roles".into(),
            title: "three roles".into(),
            atomic: true,
            sql: vec![PlanSql { file: None, text: "create role {placement} nologin".into(), outside: false }],
        }],
        findings: vec![Finding {
            severity: Severity::Ok,
            code: "locks".into(),
            message: "556 of 6,400".into(),
            file: None,
            line: None,
        }],
        budget_ms: 120_000,
    }
}

pub(crate) fn blueprint() -> Blueprint {
    Blueprint {
        name: BlueprintName::parse("projects").unwrap(),
        version: BlueprintVersion::new(1, 0),
        title: "Projects, tasks and time".into(),
        tenancy: Tenancy::Schema,
        contract: None,
        settings: BTreeMap::from([(
            "connection_limit".into(),
            Setting { title: "connections".into(), default: 20, min: 1, max: 100 },
        )]),
        extensions: vec![],
        migrations: vec![],
        seed: vec![BlueprintFile {
            path: "seed/demo.sql".into(),
            title: "demo".into(),
            statements: 1,
            bytes: 10,
            checksum: "00".into(),
            outside: false,
            way_back: None,
            sql: None,
        }],
        checksum: "00".into(),
        added_at: None,
    }
}

fn target() -> Target {
    Target {
        health: TargetHealth {
            name: TargetName::parse("local").unwrap(),
            reachable: true,
            latency_ms: Some(0.1),
            problem: None,
            server_version: Some("15.20".into()),
            tenants: 3,
        },
        address: "/run/pg".into(),
        capacity: None,
        findings: vec![],
    }
}

/// An upgrade to version 1.1 that is in its second wave, with 14 of 24 tenants through.
pub(crate) fn upgrade(state: UpgradeState) -> Upgrade {
    Upgrade {
        id: UpgradeId::generate(),
        blueprint: BlueprintName::parse("projects").unwrap(),
        version: BlueprintVersion::new(1, 1),
        course: Course::Forward,
        state,
        wave: 1,
        waves: 4,
        counts: UnitCounts { pending: 5, running: 2, done: 12, current: 2, skipped: 0, failed: 3, partly: 0 },
        width: 4,
        stop_after: "3".into(),
        manual: false,
        actor: "ops1 (uid 1003)".into(),
        plan_hash: "7f3a".repeat(16),
        requested_at: now() - time::Duration::minutes(4),
        ended_at: None,
    }
}

/// The plan of an upgrade of 24 tenants to version 1.1, with these findings.
pub(crate) fn upgrade_plan(findings: Vec<Finding>) -> UpgradePlan {
    let files = vec!["V2__price.sql".into(), "R__names.sql".into()];
    UpgradePlan {
        hash: "7f3a".repeat(16),
        blueprint: BlueprintName::parse("projects").unwrap(),
        version: BlueprintVersion::new(1, 1),
        course: Course::Forward,
        from: vec![UpgradeSource {
            version: BlueprintVersion::new(1, 0),
            tenants: 24,
            files,
            per_tenant: Vec::new(),
        }],
        tenants: 24,
        waves: vec![1, 8, 8, 7],
        width: 4,
        stop_after: "3".into(),
        findings,
        rehearsals: Vec::new(),
    }
}

/// News of an upgrade, some seconds from now.
pub(crate) fn upgrade_news(upgrade: &Upgrade, seconds: i64) -> Event {
    let body = EventBody::Upgrade { upgrade: Box::new(upgrade.clone()) };
    let at = now() + time::Duration::seconds(seconds);
    Event::Watched(WatchResponse {
        cursor: 9,
        events: vec![WatchEvent { cursor: 9, at, body }],
        resync: false,
    })
}

/// What a rollback of it would remove.
pub(crate) fn preview(tenant: &Tenant) -> RollbackPreview {
    let roles = ["", "_a", "_app"].map(|suffix| format!("{}{suffix}", tenant.placement));
    RollbackPreview {
        tenant: tenant.clone(),
        tables: 25,
        rows: RowCount::Exact { rows: 18_204 },
        size_bytes: Some(44_040_192),
        roles: roles.into(),
        sessions: 3,
        pool: None,
        active_since: Some(now() - time::Duration::days(12)),
    }
}

/// Answers each request for effects, until there are no more.
pub(crate) fn answer_previews(state: &mut State, mut effects: Vec<Effect>) {
    while let Some(id) = effects.iter().find_map(|effect| match effect {
        Effect::LoadPreview(id) => Some(*id),
        _ => None,
    }) {
        let told = state.tenants.get(id).map(preview).unwrap();
        effects = update(state, Event::Preview { id, result: Ok(Box::new(told)) });
    }
}

/// A connected console with these tenants.
pub(crate) fn console(slugs: &[&str]) -> State {
    let mut state = State::new(now(), (80, 24), Colours::Sixteen);
    let hello = HelloResponse {
        protocol_version: 1,
        server_version: "0.1.0".into(),
        label: "PRODUCTION".into(),
        actor: "ops1 (uid 1003)".into(),
        role: Role::Operator,
        mode: DaemonMode::Configured,
    };
    let events = [
        Event::Connected(Box::new(hello)),
        Event::Targets(vec![target()]),
        Event::Blueprints(vec![blueprint()]),
        Event::Tenants(slugs.iter().map(|slug| tenant(slug)).collect()),
    ];
    for event in events {
        update(&mut state, event);
    }
    state
}

pub(crate) fn press(state: &mut State, code: KeyCode) -> Vec<Effect> {
    update(state, Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

pub(crate) fn ctrl(state: &mut State, c: char) -> Vec<Effect> {
    update(state, Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL)))
}

/// Types each character; returns the effects of the last one.
pub(crate) fn type_text(state: &mut State, text: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    for c in text.chars() {
        effects = press(state, KeyCode::Char(c));
    }
    effects
}

/// A page of the trail with these events and nothing older.
pub(crate) fn audit_page(events: Vec<AuditEvent>) -> AuditResponse {
    let head_seq = events.first().map_or(0, |event| event.seq);
    AuditResponse { events, searched_to: None, trail: TrailStatus { head_seq, ..TrailStatus::default() } }
}

/// A verification that found everything unchanged.
pub(crate) fn verdict() -> AuditVerdict {
    AuditVerdict {
        broken: None,
        from_seq: 1,
        to_seq: 48_211,
        hash: "9b1e".repeat(16),
        signed_to: Some(48_211),
        anchored_to: Some(48_211),
        redacted: 0,
        acknowledged: vec![],
        limits: vec!["who holds the database, the key and the anchors can make all of it anew".into()],
        duration_ms: 120.0,
        at: now(),
    }
}
