//! Random histories of operations: steps that fail, cancels, lost commits, crashes at any moment.
//!
//! The code here does what the engine does, with a target reduced to one value: whether anything of the build exists.

#![allow(clippy::expect_used, clippy::panic, reason = "a test says what went wrong by panicking")]

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::operation::Failure;

use super::operation::{Action, Archiving, Event, Kind, Outside, Progress, Seeding, Step};

/// What may happen next. An event that cannot happen at that point is read as another one.
#[derive(Debug, Clone, Copy)]
enum Luck {
    Done,
    Failed,
    /// A temporary error; for a commit, the field says whether it happened.
    Passing {
        committed: bool,
    },
    Cancelled,
    /// The daemon dies: before the effect, or after it.
    Crash {
        after: bool,
    },
}

/// What the operation did to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effects {
    None,
    /// Something may exist on the target.
    Some,
}

/// An operation with its journal and its target.
#[derive(Debug)]
struct World {
    progress: Progress,
    /// The events that survive a crash.
    journal: Vec<Event>,
    /// The events that a crash loses.
    pending: Vec<Event>,
    effects: Effects,
    is_committed: bool,
    /// Some of the tenant's data may be gone, as the marker says.
    is_going: bool,
    ends: usize,
}

impl World {
    fn new(kind: Kind) -> Self {
        Self {
            progress: Progress::new(kind),
            journal: vec![Event::Begun { kind }],
            pending: Vec::new(),
            effects: Effects::None,
            is_committed: false,
            is_going: false,
            ends: 0,
        }
    }

    fn apply(&mut self, event: Event) {
        self.pending.push(event.clone());
        let next = self.progress.clone().apply(event);
        self.progress = next.expect("the engine applies only what fits");
        let is_unwinding = matches!(self.progress, Progress::Unwinding { .. });
        assert!(!(self.is_going && is_unwinding), "what is gone cannot be taken back");
        let all: Vec<Event> = self.journal.iter().chain(&self.pending).cloned().collect();
        assert_eq!(Progress::of_journal(&all), Ok(Some(self.progress.clone())), "the journal says the same");
        if is_end(&self.progress) {
            self.ends += 1;
        }
        // The events that the engine records at once.
        let is_recorded = matches!(self.progress, Progress::Unwinding { .. }) || is_end(&self.progress);
        if is_recorded || matches!(self.pending.last(), Some(Event::Rebuilt | Event::TakenUp { .. })) {
            self.journal.append(&mut self.pending);
        }
    }

    /// Another daemon begins where the journal ends, and asks the marker.
    fn crash(&mut self) {
        self.pending.clear();
        self.progress = Progress::of_journal(&self.journal).expect("it folds").expect("it has begun");
        if is_end(&self.progress) {
            return;
        }
        let is_build = matches!(self.progress.kind(), Kind::Provision { .. });
        if !is_build || matches!(self.progress, Progress::Unwinding { .. }) {
            self.apply(Event::TakenUp { committed: self.is_going });
        } else if self.is_committed {
            self.apply(Event::TakenUp { committed: true });
        } else {
            self.forget_build();
            self.apply(Event::TakenUp { committed: false });
            self.apply(Event::Rebuilt);
        }
    }

    fn run(&mut self, step: Step, luck: Luck, is_first: bool) {
        match luck {
            Luck::Cancelled if is_first => return self.apply(Event::Cancelled),
            Luck::Cancelled if self.progress.has_way_back() => {
                return self.apply(Event::Interrupted { failure: Failure::default() });
            }
            Luck::Crash { after: false } => return self.crash(),
            _ => {}
        }
        self.effects = Effects::Some;
        self.is_going |= step == Step::DropObjects;
        match luck {
            Luck::Passing { committed } if step.is_atomic() => {
                self.is_committed = committed && step == Step::Commit;
                if self.is_committed {
                    self.apply(Event::TakenUp { committed: true });
                } else {
                    self.forget_build();
                    self.apply(Event::Rebuilt);
                }
            }
            Luck::Failed => self.apply(Event::StepFailed { step, failure: Failure::default() }),
            Luck::Crash { .. } => {
                self.is_committed |= step == Step::Commit;
                self.crash();
            }
            // A repeatable step is repeated until it is done.
            Luck::Done | Luck::Passing { .. } | Luck::Cancelled => {
                self.is_committed |= step == Step::Commit;
                self.apply(Event::StepDone { step });
            }
        }
    }

    /// A void build left nothing, but what was made before the build still exists.
    fn forget_build(&mut self) {
        let first = self.progress.kind().steps().first().copied();
        if first.is_some_and(|step| step.is_atomic()) {
            self.effects = Effects::None;
        }
    }

    fn undo(&mut self, luck: Luck) {
        match luck {
            Luck::Crash { after: false } => self.crash(),
            Luck::Crash { after: true } => {
                self.effects = Effects::None;
                self.crash();
            }
            Luck::Failed => {
                self.apply(Event::Stuck { failure: Failure::default(), left: "something".to_owned() });
            }
            _ => {
                self.effects = Effects::None;
                self.apply(Event::Undone);
            }
        }
    }
}

const fn is_end(progress: &Progress) -> bool {
    !matches!(progress, Progress::Forward { .. } | Progress::Unwinding { .. })
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        4 => (seedings(), tenancies())
            .prop_map(|(seed, tenancy)| Kind::Provision { seed, outside: Outside::Without, tenancy }),
        2 => tenancies()
            .prop_map(|tenancy| Kind::Provision { seed: Seeding::With, outside: Outside::With, tenancy }),
        2 => seedings()
            .prop_map(|seed| Kind::Provision { seed, outside: Outside::Without, tenancy: Tenancy::Shared }),
        2 => archivings().prop_map(|archive| Kind::Rollback { archive }),
        1 => archivings().prop_map(|archive| Kind::Retire { archive }),
        1 => prop_oneof![Just(Kind::Suspend), Just(Kind::Resume), Just(Kind::Update), Just(Kind::Purge)],
        1 => prop_oneof![
            Just(Kind::IssueCredentials),
            Just(Kind::RotateCredentials),
            Just(Kind::FinishRotation),
            Just(Kind::Verify),
            Just(Kind::Upgrade),
        ],
    ]
}

fn seedings() -> impl Strategy<Value = Seeding> {
    prop_oneof![Just(Seeding::With), Just(Seeding::Without)]
}

fn tenancies() -> impl Strategy<Value = Tenancy> {
    prop_oneof![Just(Tenancy::Schema), Just(Tenancy::Database)]
}

fn archivings() -> impl Strategy<Value = Archiving> {
    prop_oneof![Just(Archiving::With), Just(Archiving::Without)]
}

fn lucks() -> impl Strategy<Value = Vec<Luck>> {
    let luck = prop_oneof![
        6 => Just(Luck::Done),
        1 => Just(Luck::Failed),
        2 => any::<bool>().prop_map(|committed| Luck::Passing { committed }),
        1 => Just(Luck::Cancelled),
        3 => any::<bool>().prop_map(|after| Luck::Crash { after }),
    ];
    prop::collection::vec(luck, 0..40)
}

fn events() -> impl Strategy<Value = Event> {
    let steps = || kinds().prop_flat_map(|kind| prop::sample::select(kind.steps()));
    prop_oneof![
        4 => steps().prop_map(|step| Event::StepDone { step }),
        1 => steps().prop_map(|step| Event::StepFailed { step, failure: Failure::default() }),
        1 => Just(Event::Interrupted { failure: Failure::default() }),
        1 => Just(Event::Cancelled),
        1 => Just(Event::Rebuilt),
        1 => any::<bool>().prop_map(|committed| Event::TakenUp { committed }),
        1 => Just(Event::Undone),
        1 => Just(Event::FoundDone),
        1 => Just(Event::Stuck { failure: Failure::default(), left: "something".to_owned() }),
        1 => kinds().prop_map(|kind| Event::Begun { kind }),
    ]
}

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

/// `make torture` counts the histories; `PROPTEST_CASES` sets their number.
#[test]
#[expect(clippy::print_stdout, reason = "says how many histories there were")]
fn whatever_happens_an_operation_has_one_end_and_leaves_nothing_that_it_did_not_finish() {
    let histories = Cell::new(0_u64);
    let result = TestRunner::new(config()).run(&(kinds(), lucks()), |(kind, lucks)| {
        histories.set(histories.get() + 1);
        judge(kind, lucks)
    });
    println!("histories {}", histories.get());
    if let Err(error) = result {
        panic!("{error}");
    }
}

fn judge(kind: Kind, lucks: Vec<Luck>) -> Result<(), TestCaseError> {
    let mut world = World::new(kind);
    let mut is_first = true;
    // After the generated events, everything succeeds.
    for luck in lucks.into_iter().chain(std::iter::repeat_n(Luck::Done, 20)) {
        match world.progress.action() {
            Action::Run(step) => world.run(step, luck, is_first),
            Action::Undo => world.undo(luck),
            Action::Finish => break,
        }
        is_first = false;
        prop_assert_eq!(world.progress.action() == Action::Finish, is_end(&world.progress));
    }
    prop_assert!(is_end(&world.progress), "{:?}", world);
    prop_assert_eq!(world.ends, 1);
    let is_as_before = matches!(world.progress, Progress::RolledBack { .. } | Progress::Cancelled { .. });
    prop_assert!(!is_as_before || world.effects == Effects::None, "an undo was skipped: {:?}", world);
    prop_assert!(!is_as_before || !world.is_going, "what is gone was said to be there: {:?}", world);
    let is_built = matches!((&world.progress, kind), (Progress::Succeeded { .. }, Kind::Provision { .. }));
    prop_assert!(!is_built || world.is_committed, "{:?}", world);
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn nothing_follows_an_end_and_every_other_position_has_something_to_do(
        kind in kinds(),
        events in prop::collection::vec(events(), 0..30),
    ) {
        let mut progress = Progress::new(kind);
        for event in events {
            let was_end = is_end(&progress);
            match progress.clone().apply(event) {
                Ok(next) => {
                    prop_assert!(!was_end, "{:?} came after {:?}", next, progress);
                    prop_assert_eq!(next.kind(), kind);
                    progress = next;
                }
                // An event that does not fit changes nothing.
                Err(_) => continue,
            }
            prop_assert_eq!(progress.action() == Action::Finish, is_end(&progress));
        }
    }
}
