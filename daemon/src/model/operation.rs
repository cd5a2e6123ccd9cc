//! What an operation does next: pure transitions over its steps, shared by the live run and by recovery.
//!
//! Events are what the journal stores; folding them over [`Progress::new`] gives the operation's position again.
//! Nothing here knows time, SQL or a socket.

use serde::{Deserialize, Serialize};
use tenantry_protocol::operation::Failure;

/// A unit of an operation. The order within an operation is [`Kind::steps`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Roles, with the marker before them. Opens the one transaction on the target.
    Roles,
    Schema,
    Migrations,
    Seed,
    /// Closes the transaction: from here on the tenant is there, whole.
    Commit,
    Verify,
    Activate,
    /// No new sessions of the tenant.
    CloseLogins,
    /// No old ones either.
    EndSessions,
    DropObjects,
    DropRoles,
    /// Reads the catalog: nothing of the tenant is left.
    ConfirmAbsence,
}

/// What kinds of operation there are, each a fixed list of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Provision { seed: Seeding },
    Rollback,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seeding {
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
        failure: Failure,
    },
    /// Nothing of the operation's effects is left on the target.
    Undone,
    /// The undo, or a removal, gave up.
    Stuck {
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
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Run(Step),
    /// Remove whatever the operation may have left on the target.
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

const PROVISION: [Step; 6] =
    [Step::Roles, Step::Schema, Step::Migrations, Step::Commit, Step::Verify, Step::Activate];
const PROVISION_SEEDED: [Step; 7] =
    [Step::Roles, Step::Schema, Step::Migrations, Step::Seed, Step::Commit, Step::Verify, Step::Activate];
const ROLLBACK: [Step; 5] =
    [Step::CloseLogins, Step::EndSessions, Step::DropObjects, Step::DropRoles, Step::ConfirmAbsence];

impl Kind {
    pub const fn steps(self) -> &'static [Step] {
        match self {
            Self::Provision { seed: Seeding::Without } => &PROVISION,
            Self::Provision { seed: Seeding::With } => &PROVISION_SEEDED,
            Self::Rollback => &ROLLBACK,
        }
    }
}

impl Step {
    /// Stable name, in plans and progress.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Roles => "roles",
            Self::Schema => "schema",
            Self::Migrations => "migrations",
            Self::Seed => "seed",
            Self::Commit => "commit",
            Self::Verify => "verify",
            Self::Activate => "activate",
            Self::CloseLogins => "close_logins",
            Self::EndSessions => "end_sessions",
            Self::DropObjects => "drop_objects",
            Self::DropRoles => "drop_roles",
            Self::ConfirmAbsence => "confirm_absence",
        }
    }

    /// One line for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Roles => "create the marker and the tenant's roles",
            Self::Schema => "create the schema and its default privileges",
            Self::Migrations => "apply the blueprint's migrations",
            Self::Seed => "load the seed data",
            Self::Commit => "commit: everything appears at once",
            Self::Verify => "attack the isolation as the tenant",
            Self::Activate => "activate, and close the probe's login",
            Self::CloseLogins => "close the tenant's logins",
            Self::EndSessions => "end the tenant's sessions",
            Self::DropObjects => "drop the schema in lock-bounded batches",
            Self::DropRoles => "drop the roles",
            Self::ConfirmAbsence => "check that nothing is left",
        }
    }

    /// Can be done again by itself. The steps of a build share a transaction that an error ends.
    pub const fn is_repeatable(self) -> bool {
        matches!(
            self,
            Self::CloseLogins
                | Self::EndSessions
                | Self::DropObjects
                | Self::DropRoles
                | Self::ConfirmAbsence
        )
    }

    /// Part of the one transaction that makes a tenant appear at once or not at all.
    pub const fn is_atomic(self) -> bool {
        matches!(self, Self::Roles | Self::Schema | Self::Migrations | Self::Seed | Self::Commit)
    }
}

impl Progress {
    pub const fn new(kind: Kind) -> Self {
        Self::Forward { kind, done: 0 }
    }

    pub const fn kind(&self) -> Kind {
        match self {
            Self::Forward { kind, .. }
            | Self::Unwinding { kind, .. }
            | Self::Succeeded { kind }
            | Self::RolledBack { kind, .. }
            | Self::NeedsAttention { kind, .. } => *kind,
        }
    }

    /// What to do now.
    pub fn action(&self) -> Action {
        match self {
            Self::Forward { kind, done } => {
                kind.steps().get(*done).map_or(Action::Finish, |step| Action::Run(*step))
            }
            Self::Unwinding { .. } => Action::Undo,
            Self::Succeeded { .. } | Self::RolledBack { .. } | Self::NeedsAttention { .. } => Action::Finish,
        }
    }

    /// Where the operation is after `event`.
    pub fn apply(self, event: Event) -> Result<Self, IllegalEvent> {
        match (self, event) {
            (Self::Forward { kind, done: 0 }, Event::Begun { kind: begun }) if begun == kind => {
                Ok(Self::new(kind))
            }
            (Self::Forward { kind, done }, Event::StepDone { step })
                if kind.steps().get(done) == Some(&step) =>
            {
                let done = done + 1;
                Ok(if done == kind.steps().len() {
                    Self::Succeeded { kind }
                } else {
                    Self::Forward { kind, done }
                })
            }
            (Self::Forward { kind, done }, Event::StepFailed { step, failure })
                if kind.steps().get(done) == Some(&step) =>
            {
                Ok(match kind {
                    Kind::Provision { .. } => Self::Unwinding { kind, failure },
                    // A removal has no way back: what is gone is gone, and what is left is for a person.
                    Kind::Rollback => Self::NeedsAttention { kind, left: leftover(step).to_owned(), failure },
                })
            }
            (Self::Unwinding { kind, failure }, Event::Undone) => Ok(Self::RolledBack { kind, failure }),
            (Self::Unwinding { kind, failure }, Event::Stuck { left, failure: undo }) => {
                let message = format!("{}; then the undo failed: {}", failure.message, undo.message);
                Ok(Self::NeedsAttention { kind, failure: Failure { message, ..failure }, left })
            }
            (at, event) => Err(IllegalEvent { event: Box::new(event), at: Box::new(at) }),
        }
    }
}

/// What a removal that stopped at `step` has not removed.
const fn leftover(step: Step) -> &'static str {
    match step {
        Step::CloseLogins => "everything: its logins may still be open",
        Step::EndSessions | Step::DropObjects => "its data and roles; its logins are closed",
        Step::DropRoles => "its roles; its data is gone",
        _ => "something that the last check found",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn run(kind: Kind, events: impl IntoIterator<Item = Event>) -> Result<Progress, IllegalEvent> {
        events.into_iter().try_fold(Progress::new(kind), Progress::apply)
    }

    fn done(kind: Kind, count: usize) -> Vec<Event> {
        kind.steps()[..count].iter().map(|step| Event::StepDone { step: *step }).collect()
    }

    const KINDS: [Kind; 3] =
        [Kind::Provision { seed: Seeding::Without }, Kind::Provision { seed: Seeding::With }, Kind::Rollback];

    #[test]
    fn every_step_done_in_order_succeeds() {
        for kind in KINDS {
            assert_eq!(run(kind, done(kind, kind.steps().len())), Ok(Progress::Succeeded { kind }));
        }
    }

    #[test]
    fn a_provision_that_fails_anywhere_unwinds_to_rolled_back() {
        let kind = KINDS[1];
        let failure = Failure { message: "no".into(), ..Failure::default() };
        for (at, step) in kind.steps().iter().enumerate() {
            let mut events = done(kind, at);
            events.push(Event::StepFailed { step: *step, failure: failure.clone() });
            assert_eq!(run(kind, events.clone()).unwrap().action(), Action::Undo);
            events.push(Event::Undone);
            assert_eq!(run(kind, events), Ok(Progress::RolledBack { kind, failure: failure.clone() }));
        }
    }

    #[test]
    fn an_undo_that_gives_up_needs_a_person_who_is_told_both_failures() {
        let kind = KINDS[0];
        let failed = |message: &str| Failure { message: message.into(), ..Failure::default() };
        let mut events = done(kind, 2);
        events.push(Event::StepFailed { step: kind.steps()[2], failure: failed("no table") });
        events.push(Event::Stuck { failure: failed("no server"), left: "roles".into() });
        let progress = run(kind, events).unwrap();
        assert_eq!(progress.action(), Action::Finish);
        let Progress::NeedsAttention { failure, left, .. } = progress else { panic!("{progress:?}") };
        assert!(failure.message.contains("no table") && failure.message.contains("no server"), "{failure:?}");
        assert_eq!(left, "roles");
    }

    #[test]
    fn a_removal_that_stops_has_no_way_back_and_says_what_is_left() {
        let kind = Kind::Rollback;
        let left: Vec<String> = kind
            .steps()
            .iter()
            .enumerate()
            .map(|(at, step)| {
                let mut events = done(kind, at);
                events.push(Event::StepFailed { step: *step, failure: Failure::default() });
                match run(kind, events).unwrap() {
                    Progress::NeedsAttention { left, .. } => left,
                    other => panic!("{step:?} leads to {other:?}"),
                }
            })
            .collect();
        assert!(left[0].contains("logins may still be open"), "{left:?}");
        assert!(left[2].contains("data and roles") && left[3].contains("its data is gone"), "{left:?}");
    }

    #[test]
    fn steps_out_of_order_are_refused() {
        for kind in KINDS {
            assert!(run(kind, [Event::StepDone { step: kind.steps()[1] }]).is_err());
            assert!(run(kind, [Event::Undone]).is_err());
            let mut events = done(kind, kind.steps().len());
            events.push(Event::Undone);
            assert!(run(kind, events).is_err());
        }
    }

    #[test]
    fn journaled_events_keep_their_form() {
        let event = Event::StepDone { step: Step::Commit };
        assert_eq!(serde_json::to_string(&event).unwrap(), r#"{"event":"step_done","step":"commit"}"#);
        let begun = Event::Begun { kind: Kind::Provision { seed: Seeding::With } };
        let text = serde_json::to_string(&begun).unwrap();
        assert_eq!(text, r#"{"event":"begun","kind":{"provision":{"seed":"with"}}}"#);
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), begun);
    }
}
