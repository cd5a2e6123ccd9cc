//! The transitions, one by one: every order of steps, every failure, every end.

#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;

fn run(kind: Kind, events: impl IntoIterator<Item = Event>) -> Result<Progress, IllegalEvent> {
    events.into_iter().try_fold(Progress::new(kind), Progress::apply)
}

fn done(kind: Kind, count: usize) -> Vec<Event> {
    kind.steps()[..count].iter().map(|step| Event::StepDone { step: *step }).collect()
}

fn failure(message: &str) -> Failure {
    Failure { message: message.into(), ..Failure::default() }
}

const SEEDED: Kind =
    Kind::Provision { seed: Seeding::With, outside: Outside::Without, tenancy: Tenancy::Schema };
const KINDS: [Kind; 21] = [
    Kind::Provision { seed: Seeding::Without, outside: Outside::Without, tenancy: Tenancy::Shared },
    Kind::Provision { seed: Seeding::With, outside: Outside::Without, tenancy: Tenancy::Shared },
    Kind::Provision { seed: Seeding::Without, outside: Outside::Without, tenancy: Tenancy::Schema },
    Kind::Provision { seed: Seeding::With, outside: Outside::With, tenancy: Tenancy::Schema },
    SEEDED,
    Kind::Provision { seed: Seeding::Without, outside: Outside::Without, tenancy: Tenancy::Database },
    Kind::Provision { seed: Seeding::With, outside: Outside::Without, tenancy: Tenancy::Database },
    Kind::Provision { seed: Seeding::With, outside: Outside::With, tenancy: Tenancy::Database },
    Kind::Rollback { archive: Archiving::With },
    Kind::Rollback { archive: Archiving::Without },
    Kind::Suspend,
    Kind::Resume,
    Kind::Update,
    Kind::Retire { archive: Archiving::With },
    Kind::Retire { archive: Archiving::Without },
    Kind::Purge,
    Kind::IssueCredentials,
    Kind::RotateCredentials,
    Kind::FinishRotation,
    Kind::Verify,
    Kind::Upgrade,
];

#[test]
fn a_journal_of_before_there_were_files_outside_reads_as_it_was_written() {
    let written = r#"{"event":"begun","kind":{"provision":{"seed":"with"}}}"#;
    let event: Event = serde_json::from_str(written).unwrap();
    assert_eq!(event, Event::Begun { kind: SEEDED });
    assert_eq!(serde_json::to_string(&event).unwrap(), written);
    let outside = Kind::Provision { seed: Seeding::With, outside: Outside::With, tenancy: Tenancy::Schema };
    let text = serde_json::to_string(&Event::Begun { kind: outside }).unwrap();
    assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), Event::Begun { kind: outside });
}

#[test]
fn an_undo_that_finds_everything_done_ends_an_upgrade_well_and_nothing_else() {
    let failure = Failure { step: "upgrade".to_owned(), ..Failure::default() };
    for kind in KINDS {
        let unwinding = Progress::Unwinding { kind, failure: failure.clone() };
        let found = unwinding.apply(Event::FoundDone);
        assert_eq!(found.is_ok(), kind == Kind::Upgrade, "{kind:?}: {found:?}");
        assert_eq!(found.ok(), (kind == Kind::Upgrade).then_some(Progress::Succeeded { kind }));
    }
}

#[test]
fn every_step_done_in_order_succeeds() {
    for kind in KINDS {
        assert_eq!(run(kind, done(kind, kind.steps().len())), Ok(Progress::Succeeded { kind }));
    }
}

#[test]
fn what_fails_before_data_is_dropped_unwinds_and_after_is_left_for_a_person() {
    for kind in KINDS {
        for (at, step) in kind.steps().iter().enumerate() {
            let mut events = done(kind, at);
            events.push(Event::StepFailed { step: *step, failure: failure("no") });
            let reached = run(kind, events.clone()).unwrap();
            if step.is_final() {
                assert!(matches!(reached, Progress::NeedsAttention { .. }), "{kind:?} {step:?}");
                continue;
            }
            assert_eq!(reached.action(), Action::Undo);
            events.push(Event::Undone);
            assert_eq!(run(kind, events), Ok(Progress::RolledBack { kind, failure: failure("no") }));
        }
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
fn a_removal_whose_data_goes_has_no_way_back_and_says_what_is_left() {
    let kind = Kind::Rollback { archive: Archiving::Without };
    let left = |at: usize| {
        let mut events = done(kind, at);
        events.push(Event::StepFailed { step: kind.steps()[at], failure: Failure::default() });
        match run(kind, events).unwrap() {
            Progress::NeedsAttention { left, .. } => left,
            other => panic!("step {at} leads to {other:?}"),
        }
    };
    assert!(left(2).contains("data and roles"), "{}", left(2));
    assert!(left(3).contains("its data is gone"), "{}", left(3));
}

#[test]
fn steps_out_of_order_are_refused() {
    for kind in KINDS {
        assert!(run(kind, [Event::Undone]).is_err());
        if let Some(second) = kind.steps().get(1) {
            assert!(run(kind, [Event::StepDone { step: *second }]).is_err());
        }
        let mut events = done(kind, kind.steps().len());
        events.push(Event::Undone);
        assert!(run(kind, events).is_err());
    }
}

#[test]
fn a_provision_taken_up_goes_on_behind_its_commit_or_from_the_beginning() {
    let committed = run(SEEDED, [Event::TakenUp { committed: true }]).unwrap();
    assert_eq!(committed.action(), Action::Run(Step::Verify));
    let void = run(SEEDED, [Event::TakenUp { committed: false }, Event::Rebuilt]).unwrap();
    assert_eq!(void, Progress::new(SEEDED));
    let unwinding = [
        Event::StepFailed { step: Step::Roles, failure: failure("no") },
        Event::TakenUp { committed: false },
    ];
    assert_eq!(run(SEEDED, unwinding).unwrap().action(), Action::Undo);
}

#[test]
fn a_removal_that_has_begun_is_taken_up_where_it_has_no_way_back() {
    for kind in KINDS.into_iter().filter(|kind| kind.removes()) {
        let taken_up = run(kind, [Event::TakenUp { committed: true }]).unwrap();
        assert_eq!(taken_up.action(), Action::Run(Step::DropObjects), "{kind:?}");
        assert!(!taken_up.has_way_back(), "{kind:?}");
        assert_eq!(run(kind, [Event::TakenUp { committed: false }]), Ok(Progress::new(kind)));
    }
    assert_eq!(run(Kind::Suspend, [Event::TakenUp { committed: true }]), Ok(Progress::new(Kind::Suspend)));
}

#[test]
fn a_build_that_came_to_nothing_begins_before_its_database_which_is_there_already() {
    let kind = Kind::Provision { seed: Seeding::With, outside: Outside::Without, tenancy: Tenancy::Database };
    let mut events = done(kind, 4);
    events.extend([Event::TakenUp { committed: false }, Event::Rebuilt]);
    assert_eq!(run(kind, events).unwrap().action(), Action::Run(Step::Reserve));
    assert_eq!(run(kind, [Event::TakenUp { committed: true }]).unwrap().action(), Action::Run(Step::Verify));
}

#[test]
fn a_cancelled_operation_unwinds_unless_its_data_is_going() {
    for kind in KINDS {
        assert_eq!(run(kind, [Event::Cancelled]), Ok(Progress::Cancelled { kind }));
        for (at, step) in kind.steps().iter().enumerate() {
            let mut events = done(kind, at);
            events.push(Event::Interrupted { failure: failure("stop") });
            assert_eq!(run(kind, events).is_err(), step.is_final(), "{kind:?} {step:?}");
        }
    }
}

#[test]
fn a_build_that_is_committed_is_not_built_again() {
    let mut events = done(SEEDED, SEEDED.built());
    events.push(Event::Rebuilt);
    assert!(run(SEEDED, events).is_err());
}

#[test]
fn journaled_events_keep_their_form() {
    let event = Event::StepDone { step: Step::Commit };
    assert_eq!(serde_json::to_string(&event).unwrap(), r#"{"event":"step_done","step":"commit"}"#);
    let begun = Event::Begun { kind: SEEDED };
    let text = serde_json::to_string(&begun).unwrap();
    assert_eq!(text, r#"{"event":"begun","kind":{"provision":{"seed":"with"}}}"#);
    assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), begun);
    let shared = Event::StepDone { step: Step::Pool };
    assert_eq!(serde_json::to_string(&shared).unwrap(), r#"{"event":"step_done","step":"pool"}"#);
    let archived = serde_json::to_string(&Kind::Rollback { archive: Archiving::With }).unwrap();
    assert_eq!(archived, r#"{"rollback":{"archive":"with"}}"#);
    assert_eq!(serde_json::to_string(&Kind::Purge).unwrap(), r#""purge""#);
}

#[test]
fn the_journal_gives_the_position_again() {
    let mut events = vec![Event::Begun { kind: SEEDED }];
    events.extend(done(SEEDED, 3));
    assert_eq!(Progress::of_journal(&events).unwrap(), Some(Progress::Forward { kind: SEEDED, done: 3 }));
    assert_eq!(Progress::of_journal(&[]).unwrap(), None);
}
