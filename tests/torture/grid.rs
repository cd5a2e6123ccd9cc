//! The grid: each place that a scenario passes, broken in every way, on the way forward, on the way back, and in recovery.
//!
//! The places are not listed. Each path is run once with nothing but its prelude, and what it then passes is broken, so
//! that a step has its cells as soon as an operation has the step.

use Fault::{Go, Kill, Lost, Refuse};
use Moment::{After, Before};
use Scenario::{
    DowngradeFleet, Finish, Issue, Provision, ProvisionDatabase, ProvisionOutside, ProvisionShared, Purge,
    Resume, Retire, RetireArchived, Rollback, RollbackArchived, RollbackDatabase, RollbackInUse,
    RollbackShared, Rotate, Suspend, Update, Upgrade, UpgradeDatabase, UpgradeFleet, UpgradeOutside,
};
use tenantry_harness::torture::arena::{Arena, Trial};
use tenantry_harness::torture::request::Scenario;
use tenantry_harness::torture::script::{Fault, Moment, Rule, places_passed};

use crate::random::Dice;
use crate::work::Job;

/// What strikes before the places of a path are passed.
type Prelude = &'static [(&'static str, Moment, Fault)];

const FAULTS: [(&str, Fault); 9] = [
    ("error", Lost),
    ("refusal", Refuse),
    ("panic", Fault::Panic),
    ("kill", Kill),
    ("cut", Fault::Cut),
    ("terminate", Fault::Terminate),
    ("restart", Fault::Restart),
    ("cancel", Fault::Cancel),
    ("stop", Fault::Stop),
];

/// Every cell of the paths that `can_run` admits, shuffled, so that a part of the grid is already a sample of all of it.
pub(crate) async fn cells(seed: u64, mut arena: Arena, can_run: impl Fn(Scenario) -> bool) -> Vec<Job> {
    let mut dice = Dice::of(seed, 0);
    let mut cells: Vec<(u64, Job)> = Vec::new();
    for &(scenario, path, prelude) in PATHS.iter().filter(|(scenario, _, _)| can_run(*scenario)) {
        let prelude: Vec<Rule> =
            prelude.iter().map(|&(place, moment, fault)| at(place, moment, fault)).collect();
        let places = places(&mut arena, scenario, &prelude).await;
        println!("grid: {scenario:?}/{path} passes {}", places.join(" "));
        for place in places {
            for (fault_name, fault) in FAULTS {
                for (moment, broken) in moments(&place, fault) {
                    let rules = prelude.iter().cloned().chain(broken).collect();
                    // A stop is more than a pause only if another daemon can take over.
                    let daemons = if fault == Fault::Stop { 2 } else { 1 };
                    let name = format!("{scenario:?}/{path} {place} {moment} {fault_name}");
                    cells.push((
                        dice.roll(),
                        Job { name, trial: Trial { scenario, rules, daemons, company: 0 } },
                    ));
                }
            }
        }
    }
    cells.sort_by_key(|(at, _)| *at);
    cells.into_iter().map(|(_, job)| job).collect()
}

/// The places that a scenario passes once its prelude has struck.
async fn places(arena: &mut Arena, scenario: Scenario, prelude: &[Rule]) -> Vec<String> {
    let trial = Trial { scenario, rules: prelude.to_vec(), daemons: 1, company: 0 };
    let verdict = arena.run(&trial).await;
    assert!(verdict.violations.is_empty(), "{trial:?}: {verdict:#?}");
    assert_eq!(verdict.struck, prelude.len(), "the prelude leads there: {trial:?}: {verdict:#?}");
    places_passed(&verdict.trace)
}

/// Before the effect, after it, and after it with its answer lost; then the fault strikes at the next point.
fn moments(place: &str, fault: Fault) -> Vec<(&'static str, Vec<Rule>)> {
    let lost = at(place, After, Lost);
    let mut moments = vec![("before", vec![at(place, Before, fault)])];
    if fault == Lost {
        // After the effect, an error means a lost answer.
        moments.push(("unacknowledged", vec![lost]));
    } else {
        moments.push(("after", vec![at(place, After, fault)]));
        moments.push(("unacknowledged", vec![lost, Rule::At { place: None, moment: None, skip: 0, fault }]));
    }
    moments
}

fn at(place: &str, moment: Moment, fault: Fault) -> Rule {
    Rule::At { place: Some(place.to_owned()), moment: Some(moment), skip: 0, fault }
}

/// The server's own work in the removal of a database.
const DROP: &str = "drop_objects.database";
/// The server's own work when one is made.
const MADE: &str = "create_database.made";

/// Each path: its scenario, its name, and what strikes on the way there.
const PATHS: &[(Scenario, &str, Prelude)] = &[
    (Provision, "forward", &[]),
    (Provision, "undo", &[("verify", Before, Refuse)]),
    (Provision, "undo of a void build", &[("seed", After, Refuse)]),
    (Provision, "rebuild", &[("migrations", Before, Lost)]),
    (Provision, "recovery", &[("verify", After, Kill)]),
    (Provision, "recovery of a void build", &[("migrations", After, Kill)]),
    (Provision, "recovery of an undo", &[("verify", Before, Refuse), ("undo.drop_objects", Before, Kill)]),
    (ProvisionOutside, "forward", &[]),
    (ProvisionOutside, "undo", &[("outside.statement", After, Refuse)]),
    (ProvisionOutside, "recovery", &[("outside.statement", Before, Kill)]),
    (ProvisionOutside, "recovery of a whole file", &[("outside.history", After, Kill)]),
    (ProvisionShared, "forward", &[]),
    (ProvisionShared, "undo", &[("verify", Before, Refuse)]),
    (ProvisionShared, "recovery of a void build", &[("join", After, Kill)]),
    (RollbackShared, "forward", &[]),
    (RollbackShared, "undo", &[("end_sessions", Before, Refuse)]),
    (RollbackShared, "recovery", &[("drop_objects", Before, Kill)]),
    (ProvisionDatabase, "forward", &[]),
    (ProvisionDatabase, "undo", &[("verify", Before, Refuse)]),
    (ProvisionDatabase, "undo of a database", &[(MADE, After, Refuse)]),
    (ProvisionDatabase, "undo of a reservation", &[("reserve", After, Refuse)]),
    (ProvisionDatabase, "rebuild", &[("migrations", Before, Lost)]),
    (ProvisionDatabase, "recovery of a void build", &[("migrations", After, Kill)]),
    (ProvisionDatabase, "recovery before", &[(MADE, Before, Kill)]),
    (ProvisionDatabase, "recovery after", &[(MADE, After, Kill)]),
    (ProvisionDatabase, "recovery", &[("verify", After, Kill)]),
    (ProvisionDatabase, "recovery of an undo", &[("verify", Before, Refuse), (DROP, Before, Kill)]),
    (RollbackDatabase, "forward", &[]),
    (RollbackDatabase, "undo", &[("end_sessions", Before, Refuse)]),
    (RollbackDatabase, "recovery", &[(DROP, After, Kill)]),
    (Rollback, "forward", &[]),
    (Rollback, "undo", &[("end_sessions", Before, Refuse)]),
    (Rollback, "recovery", &[("drop_objects", Before, Kill)]),
    (RollbackInUse, "forward", &[]),
    (RollbackArchived, "forward", &[]),
    (RollbackArchived, "undo", &[("archive", After, Refuse)]),
    (RollbackArchived, "recovery", &[("archive", After, Kill)]),
    (Retire, "forward", &[]),
    (Retire, "undo", &[("end_sessions", Before, Refuse)]),
    (Retire, "recovery", &[("close_logins", After, Kill)]),
    (RetireArchived, "forward", &[]),
    (RetireArchived, "undo", &[("archive", After, Refuse)]),
    (RetireArchived, "recovery", &[("archive", After, Kill)]),
    // The purge follows the outcome of the retirement.
    (Purge, "forward", &[("outcome", After, Go)]),
    (Purge, "recovery", &[("drop_objects", After, Kill)]),
    (Suspend, "forward", &[]),
    (Suspend, "undo", &[("end_sessions", Before, Refuse)]),
    (Suspend, "recovery", &[("close_logins", After, Kill)]),
    (Resume, "forward", &[]),
    (Resume, "undo", &[("open_logins", After, Refuse)]),
    (Resume, "recovery", &[("open_logins", After, Kill)]),
    (Update, "forward", &[]),
    (Update, "undo", &[("apply_settings", After, Refuse)]),
    (Update, "recovery", &[("apply_settings", After, Kill)]),
    (Issue, "forward", &[]),
    (Issue, "undo", &[("set_secret", After, Refuse)]),
    (Issue, "recovery", &[("set_secret", After, Kill)]),
    (Rotate, "forward", &[]),
    (Rotate, "undo", &[("set_secret", After, Refuse)]),
    (Rotate, "recovery", &[("set_secret", After, Kill)]),
    (Finish, "forward", &[]),
    (Upgrade, "forward", &[]),
    (Upgrade, "undo", &[("upgrade.file", After, Refuse)]),
    (Upgrade, "undo of a commit", &[("upgrade.commit", After, Refuse)]),
    (Upgrade, "recovery", &[("upgrade.file", After, Kill)]),
    (Upgrade, "recovery of a commit", &[("upgrade.commit", After, Kill)]),
    (UpgradeOutside, "forward", &[]),
    (UpgradeOutside, "undo", &[("upgrade.file", After, Refuse)]),
    (UpgradeOutside, "recovery", &[("outside.statement", Before, Kill)]),
    (UpgradeOutside, "recovery between two batches", &[("outside.batch", After, Kill)]),
    (UpgradeOutside, "recovery of a whole file", &[("outside.history", After, Kill)]),
    (UpgradeFleet, "forward", &[]),
    (UpgradeFleet, "recovery", &[("upgrade.wave", After, Kill)]),
    (DowngradeFleet, "forward", &[]),
    (UpgradeDatabase, "forward", &[]),
    (UpgradeDatabase, "recovery", &[("upgrade.file", After, Kill)]),
    (Finish, "recovery", &[("close_old_login", After, Kill)]),
];
