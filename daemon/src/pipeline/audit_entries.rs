//! What the audit trail records about operations: the names of their events, and the facts that belong to each kind.
//!
//! Facts name nobody: the names of customers and persons are in the fields that the payload only commits to. Secrets are
//! never recorded.

use tenantry_protocol::isolation::IsolationReport;
use tenantry_protocol::name::{BlueprintName, BlueprintVersion};
use tenantry_protocol::operation::{Failure, Operation, OperationKind, OperationState};

use crate::model::audit_chain::{self, Actor, Entry};
use crate::model::operation::{Archiving, Kind, Seeding};

use super::arguments::OperationArguments;
use super::job::Asked;

/// The operation that an event belongs to, with its actor.
pub(super) struct About<'a> {
    pub(super) operation: &'a Operation,
    pub(super) kind: Kind,
    pub(super) actor: &'a Actor,
    /// The blueprint and version that the tenant is built from.
    pub(super) blueprint: (&'a BlueprintName, BlueprintVersion),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Intent,
    Unwinding,
    End,
}

/// What a daemon decided when it took an operation over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Recovered {
    pub(super) decision: Decision,
    /// Whether the build was committed, in the cases where the marker was asked for that.
    pub(super) is_committed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    CarriedOn,
    /// The build is void, and the tenant is built again.
    BuiltAgain,
    Undone,
}

/// The names of a kind's events in the trail: intent, undo, end.
const fn actions(kind: OperationKind) -> [&'static str; 3] {
    match kind {
        OperationKind::Provision => ["provision.intent", "provision.undo", "provision"],
        OperationKind::Rollback => ["rollback.intent", "rollback.undo", "rollback"],
        OperationKind::Suspend => ["suspend.intent", "suspend.undo", "suspend"],
        OperationKind::Resume => ["resume.intent", "resume.undo", "resume"],
        OperationKind::Update => ["update.intent", "update.undo", "update"],
        OperationKind::Retire => ["retire.intent", "retire.undo", "retire"],
        OperationKind::Purge => ["purge.intent", "purge.undo", "purge"],
        OperationKind::IssueCredentials => {
            ["credentials.issue.intent", "credentials.issue.undo", "credentials.issue"]
        }
        OperationKind::RotateCredentials => {
            ["credentials.rotate.intent", "credentials.rotate.undo", "credentials.rotate"]
        }
        OperationKind::FinishRotation => {
            ["credentials.finish.intent", "credentials.finish.undo", "credentials.finish"]
        }
        OperationKind::Verify => ["verify.intent", "verify.undo", "verify"],
        OperationKind::Upgrade => ["upgrade.intent", "upgrade.undo", "upgrade"],
        _ => ["operation.intent", "operation.undo", "operation"],
    }
}

/// Recorded before any effect: who asked for what.
pub(super) fn intent(
    about: &About<'_>,
    asked: &Asked<'_>,
    plan_hash: Option<&str>,
    arguments: &OperationArguments,
) -> Entry {
    let mut entry = of(about, Phase::Intent, Some(arguments), None);
    entry.request = asked.request;
    if let Some(plan_hash) = plan_hash {
        entry = entry.fact("plan_hash", plan_hash);
    }
    if let Some(earlier) = asked.retry_of {
        entry = entry.fact("retry_of", earlier);
    }
    entry
}

/// A verdict that turned bad, which is an event of its own in addition to the end of its operation.
pub(super) fn broken(about: &About<'_>, report: &IsolationReport) -> Entry {
    Entry {
        action: "isolation.broken",
        outcome: None,
        duration_ms: None,
        detail: Some(report.account()),
        ..of(about, Phase::End, None, Some(report))
    }
}

/// What a daemon decided about an operation that was begun by another daemon, or by a task that no longer exists.
pub(super) fn recovered(about: &About<'_>, recovered: Recovered, epoch: i64) -> Entry {
    let decision = match recovered.decision {
        Decision::CarriedOn => "carried_on",
        Decision::BuiltAgain => "built_again",
        Decision::Undone => "undone",
    };
    let entry = Entry {
        tenant_id: Some(about.operation.tenant_id.as_uuid()),
        slug: Some(about.operation.slug.to_string()),
        operation_id: Some(about.operation.id.as_uuid()),
        ..Entry::new("operation.recovered", Actor::daemon(nix::unistd::geteuid().as_raw()))
    };
    let entry = entry.fact("kind", about.operation.kind.name()).fact("decision", decision);
    let entry = entry.fact("epoch", epoch).fact("target", &about.operation.target);
    if let Kind::Provision { .. } = about.kind {
        return entry.fact("build", if recovered.is_committed { "committed" } else { "void" });
    }
    entry
}

/// The detail says why the operation failed, or which login it is about.
pub(super) fn of(
    about: &About<'_>,
    phase: Phase,
    arguments: Option<&OperationArguments>,
    report: Option<&IsolationReport>,
) -> Entry {
    let About { operation, actor, .. } = *about;
    let login = || arguments.and_then(|arguments| arguments.login.clone());
    let [intent, undo, end] = actions(operation.kind);
    let (action, outcome) = match (phase, &operation.state) {
        (Phase::Intent, _) => (intent, None),
        (Phase::Unwinding, _) => (undo, None),
        (Phase::End, OperationState::Succeeded) => (end, Some(audit_chain::Outcome::Ok)),
        (Phase::End, _) => (end, Some(audit_chain::Outcome::Failed)),
    };
    let entry = Entry {
        tenant_id: Some(operation.tenant_id.as_uuid()),
        slug: Some(operation.slug.to_string()),
        operation_id: Some(operation.id.as_uuid()),
        outcome,
        duration_ms: operation.duration_ms,
        detail: operation.state.failure().map(Failure::summary).or_else(login),
        ..Entry::new(action, actor.clone())
    };
    with_facts(entry, about, arguments, report)
}

fn with_facts(
    entry: Entry,
    about: &About<'_>,
    arguments: Option<&OperationArguments>,
    report: Option<&IsolationReport>,
) -> Entry {
    let mut entry = entry.fact("target", &about.operation.target);
    match about.kind {
        Kind::Provision { seed, tenancy, .. } => {
            let seed = if seed == Seeding::With { "with" } else { "without" };
            let (blueprint, version) = about.blueprint;
            entry = entry.fact("blueprint", blueprint).fact("version", version);
            entry = entry.fact("tenancy", tenancy.name()).fact("seed", seed);
        }
        Kind::Rollback { archive } | Kind::Retire { archive } => {
            entry = entry.fact("archive", if archive == Archiving::With { "with" } else { "without" });
        }
        Kind::Upgrade => {
            let (blueprint, version) = about.blueprint;
            entry = entry.fact("blueprint", blueprint).fact("from", version);
            if let Some(to) = arguments.and_then(|arguments| arguments.version.as_ref()) {
                entry = entry.fact("version", to);
            }
        }
        _ => {}
    }
    if let Some(grace) = arguments.and_then(|arguments| arguments.grace_s) {
        entry = entry.fact("grace_s", grace);
    }
    if let Some(report) = report {
        entry = entry.fact("grade", report.grade()).fact("depth", report.depth.name());
        entry = entry.fact("battery", report.battery_version);
        entry = entry.fact("held", format!("{} of {}", report.held(), report.verdicts.len()));
    }
    entry
}
