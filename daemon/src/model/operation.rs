//! What an operation does next: pure transitions over its steps, shared by the live run and by recovery.
//!
//! Events are what the journal stores; folding them over [`Progress::new`] gives the operation's position again.
//! Nothing here knows time, SQL or a socket.

use serde::{Deserialize, Serialize};
use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::name::Slug;
use tenantry_protocol::operation::{Failure, OperationKind};

use super::blueprint::Blueprint;
pub use super::step::Step;
use super::stored::FailureShape;

pub mod left;

/// What kinds of operation there are, each a fixed list of steps. Persisted in the journal: kinds are added, never
/// changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Provision {
        seed: Seeding,
        /// Some of the files run outside the one transaction.
        #[serde(default, skip_serializing_if = "Outside::is_without")]
        outside: Outside,
        #[serde(default, skip_serializing_if = "is_schema")]
        tenancy: Tenancy,
    },
    /// Back to before the provisioning, now.
    Rollback {
        archive: Archiving,
    },
    Suspend,
    Resume,
    Update,
    /// The first half of a planned end: closed, and archived. [`Kind::Purge`] is the second.
    Retire {
        archive: Archiving,
    },
    Purge,
    /// A new secret on the current login.
    IssueCredentials,
    /// The other login, opened beside the current one.
    RotateCredentials,
    /// The login before the rotation, closed.
    FinishRotation,
    /// The whole battery against a tenant that stands.
    Verify,
    /// A tenant that stands, brought to a later version of its blueprint.
    Upgrade,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seeding {
    With,
    Without,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outside {
    With,
    #[default]
    Without,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Archiving {
    With,
    Without,
}

/// What happened to an operation. Persisted in the journal: variants are added, never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The intent is on record; effects may follow.
    Begun {
        kind: Kind,
    },
    StepDone {
        step: Step,
    },
    StepFailed {
        step: Step,
        #[serde(with = "FailureShape")]
        failure: Failure,
    },
    /// Somebody asked for the operation's end, or its time was over, before its next step.
    Interrupted {
        #[serde(with = "FailureShape")]
        failure: Failure,
    },
    /// Somebody asked for its end before it had begun.
    Cancelled,
    /// The build left nothing, as its marker proves, and another one begins.
    Rebuilt,
    /// A daemon took the operation up; whether the marker says that the build is committed, or that the removal has begun.
    TakenUp {
        committed: bool,
    },
    /// Nothing of the operation's effects is left on the target.
    Undone,
    /// The undo found that everything was done before it began: the answer to a COMMIT had been lost.
    FoundDone,
    /// The undo, or a removal, gave up.
    Stuck {
        #[serde(with = "FailureShape")]
        failure: Failure,
        left: String,
    },
}

/// Where an operation is.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// `done` steps of the kind's list are behind it.
    Forward {
        kind: Kind,
        done: usize,
    },
    Unwinding {
        kind: Kind,
        failure: Failure,
    },
    Succeeded {
        kind: Kind,
    },
    RolledBack {
        kind: Kind,
        failure: Failure,
    },
    NeedsAttention {
        kind: Kind,
        failure: Failure,
        left: String,
    },
    Cancelled {
        kind: Kind,
    },
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Run(Step),
    /// Take back whatever the operation may have done on the target.
    Undo,
    /// All is said; record the outcome.
    Finish,
}

/// An event that cannot happen where the operation is: a bug, or a journal that somebody edited.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the event {event:?} does not fit an operation that is {at:?}")]
pub struct IllegalEvent {
    event: Box<Event>,
    at: Box<Progress>,
}

impl Outside {
    /// Whether the making of a tenant from this blueprint has files behind its COMMIT.
    pub const fn of(blueprint: &Blueprint) -> Self {
        if blueprint.fresh.is_some() { Self::Without } else { Self::With }
    }

    // The journals of tenants without such files stay as they were.
    const fn is_without(&self) -> bool {
        matches!(self, Self::Without)
    }
}

// As with `outside`: journals of earlier builds stay as they were.
fn is_schema(tenancy: &Tenancy) -> bool {
    *tenancy == Tenancy::Schema
}

impl Kind {
    /// The making of a tenant from this blueprint.
    pub fn provision(blueprint: &Blueprint, seed: Seeding) -> Self {
        Self::Provision { seed, outside: Outside::of(blueprint), tenancy: blueprint.tenancy }
    }

    /// The steps in their order.
    pub fn steps(self) -> Vec<Step> {
        match self {
            Self::Provision { seed, outside, tenancy } => steps_of_provision(seed, outside, tenancy),
            Self::Rollback { archive } => [closing(archive), removal()].concat(),
            Self::Retire { archive } => closing(archive),
            Self::Suspend => closing(Archiving::Without),
            Self::Resume => vec![Step::OpenLogins],
            Self::Update => vec![Step::ApplySettings],
            Self::Purge => removal(),
            Self::IssueCredentials | Self::RotateCredentials => vec![Step::SetSecret],
            Self::FinishRotation => vec![Step::CloseOldLogin],
            Self::Verify => vec![Step::Verify, Step::CloseProbe],
            // Last comes what cannot be undone once it is committed.
            Self::Upgrade => vec![Step::ApplySettings, Step::Upgrade],
        }
    }

    pub const fn wire(self) -> OperationKind {
        match self {
            Self::Provision { .. } => OperationKind::Provision,
            Self::Rollback { .. } => OperationKind::Rollback,
            Self::Suspend => OperationKind::Suspend,
            Self::Resume => OperationKind::Resume,
            Self::Update => OperationKind::Update,
            Self::Retire { .. } => OperationKind::Retire,
            Self::Purge => OperationKind::Purge,
            Self::IssueCredentials => OperationKind::IssueCredentials,
            Self::RotateCredentials => OperationKind::RotateCredentials,
            Self::FinishRotation => OperationKind::FinishRotation,
            Self::Verify => OperationKind::Verify,
            Self::Upgrade => OperationKind::Upgrade,
        }
    }

    /// Only the tenant's logins are changed, or looked behind.
    pub const fn leaves_tenant(self) -> bool {
        matches!(self, Self::IssueCredentials | Self::RotateCredentials | Self::FinishRotation | Self::Verify)
    }

    /// The tenant serves as before, however the operation ends: it keeps its state.
    pub const fn keeps_state(self) -> bool {
        self.leaves_tenant() || matches!(self, Self::Upgrade)
    }

    /// What an operator types to change a tenant's secrets again; `None` for all other kinds, which are retried by their
    /// operation. A secret is in the answer, so that only the caller who gets that answer can have it.
    pub fn command_of_secrets(self, slug: &Slug) -> Option<String> {
        let action = match self {
            Self::IssueCredentials => "issue",
            Self::RotateCredentials => "rotate",
            Self::FinishRotation => "finish",
            _ => return None,
        };
        Some(format!("tenantry tenant credentials {slug} {action}"))
    }

    /// How many steps are behind an operation whose build is committed.
    fn built(self) -> usize {
        self.steps().iter().position(|step| *step == Step::Commit).map_or(0, |commit| commit + 1)
    }

    /// It takes the tenant off its target.
    pub fn removes(self) -> bool {
        self.steps().contains(&Step::DropObjects)
    }

    /// How many steps are behind an operation whose build is committed, or whose removal has begun. Of a removal these are
    /// the ones with a way back, which is closed from then on: begun again, they would promise it again.
    fn decided(self) -> usize {
        let first_drop = self.steps().iter().position(|step| *step == Step::DropObjects);
        first_drop.unwrap_or_else(|| self.built())
    }
}

fn steps_of_provision(seed: Seeding, outside: Outside, tenancy: Tenancy) -> Vec<Step> {
    let mut steps = match tenancy {
        Tenancy::Schema | Tenancy::Other => vec![Step::Roles, Step::Schema, Step::Migrations],
        // A database is made in no transaction: the build follows it, and can be built again within it.
        Tenancy::Database => {
            vec![Step::Reserve, Step::CreateDatabase, Step::Roles, Step::Schema, Step::Migrations]
        }
        // Undone without the pool, which stays for others: it holds nothing of the tenant's.
        Tenancy::Shared => vec![Step::Pool, Step::Roles, Step::Join],
    };
    // The files of shared tables run when the pool is built, and never outside of that one transaction: a lint sees to it.
    let runs_outside = outside == Outside::With && tenancy != Tenancy::Shared;
    // The seed comes last: behind files outside it is a part of their step.
    if seed == Seeding::With && !runs_outside {
        steps.push(Step::Seed);
    }
    steps.push(Step::Commit);
    if runs_outside {
        steps.push(Step::Outside);
    }
    steps.extend([Step::Verify, Step::Activate]);
    steps
}

fn closing(archive: Archiving) -> Vec<Step> {
    let mut steps = vec![Step::CloseLogins, Step::EndSessions];
    if archive == Archiving::With {
        steps.push(Step::Archive);
    }
    steps
}

fn removal() -> Vec<Step> {
    vec![Step::DropObjects, Step::DropRoles, Step::ConfirmAbsence]
}

impl Progress {
    pub const fn new(kind: Kind) -> Self {
        Self::Forward { kind, done: 0 }
    }

    /// Where the journal says that an operation is; `None` for one that says nothing.
    pub fn of_journal(events: &[Event]) -> Result<Option<Self>, IllegalEvent> {
        let Some(Event::Begun { kind }) = events.first() else { return Ok(None) };
        events.iter().cloned().try_fold(Self::new(*kind), Self::apply).map(Some)
    }

    pub const fn kind(&self) -> Kind {
        match self {
            Self::Forward { kind, .. }
            | Self::Unwinding { kind, .. }
            | Self::Succeeded { kind }
            | Self::RolledBack { kind, .. }
            | Self::NeedsAttention { kind, .. }
            | Self::Cancelled { kind } => *kind,
        }
    }

    /// What to do now.
    pub fn action(&self) -> Action {
        match self {
            Self::Forward { kind, done } => {
                kind.steps().get(*done).copied().map_or(Action::Finish, Action::Run)
            }
            Self::Unwinding { .. } => Action::Undo,
            _ => Action::Finish,
        }
    }

    /// It can still be cancelled: everything that it did so far can be undone.
    pub fn has_way_back(&self) -> bool {
        matches!(self.action(), Action::Run(step) if !step.is_final())
    }

    /// Where the operation is after `event`.
    pub fn apply(self, event: Event) -> Result<Self, IllegalEvent> {
        let next = self.action();
        match (self, event) {
            (Self::Forward { kind, done: 0 }, Event::Begun { kind: begun }) if begun == kind => {
                Ok(Self::new(kind))
            }
            (Self::Forward { kind, done }, Event::StepDone { step }) if next == Action::Run(step) => {
                let done = done + 1;
                Ok(if done == kind.steps().len() {
                    Self::Succeeded { kind }
                } else {
                    Self::Forward { kind, done }
                })
            }
            (Self::Forward { kind, .. }, Event::StepFailed { step, failure })
                if next == Action::Run(step) =>
            {
                Ok(match step.left() {
                    // It has no way back: what is gone is gone, and what is left is for a person.
                    Some(left) => Self::NeedsAttention { kind, left: left.to_owned(), failure },
                    None => Self::Unwinding { kind, failure },
                })
            }
            (at @ Self::Forward { kind, .. }, Event::Interrupted { failure }) if at.has_way_back() => {
                Ok(Self::Unwinding { kind, failure })
            }
            (Self::Forward { kind, done: 0 }, Event::Cancelled) => Ok(Self::Cancelled { kind }),
            (Self::Forward { kind, done }, Event::Rebuilt) if done < kind.built() => Ok(Self::new(kind)),
            (Self::Forward { kind, .. }, Event::TakenUp { committed }) => {
                Ok(Self::Forward { kind, done: if committed { kind.decided() } else { 0 } })
            }
            (at @ Self::Unwinding { .. }, Event::TakenUp { .. }) => Ok(at),
            (Self::Unwinding { kind, failure }, Event::Undone) => Ok(Self::RolledBack { kind, failure }),
            (Self::Unwinding { kind: kind @ Kind::Upgrade, .. }, Event::FoundDone) => {
                Ok(Self::Succeeded { kind })
            }
            (Self::Unwinding { kind, failure }, Event::Stuck { left, failure: undo }) => {
                let message = format!("{}; then the undo failed: {}", failure.message, undo.message);
                Ok(Self::NeedsAttention { kind, failure: Failure { message, ..failure }, left })
            }
            (at, event) => Err(IllegalEvent { event: Box::new(event), at: Box::new(at) }),
        }
    }
}

#[cfg(test)]
mod tests;
