//! The grid: every step, at every moment, broken in every way, on the way forward, on the way back, and in recovery.

use tenantry_harness::torture::arena::Trial;
use tenantry_harness::torture::request::Scenario;
use tenantry_harness::torture::script::{Fault, Moment, Rule};

use crate::random::Dice;
use crate::work::Job;

/// A way through a scenario, and the points it passes.
#[derive(Clone)]
struct Path {
    scenario: Scenario,
    name: &'static str,
    /// The rules that lead there.
    prelude: Vec<Rule>,
    places: &'static [&'static str],
}

const FAULTS: [(&str, Fault); 9] = [
    ("error", Fault::Lost),
    ("refusal", Fault::Refuse),
    ("panic", Fault::Panic),
    ("kill", Fault::Kill),
    ("cut", Fault::Cut),
    ("terminate", Fault::Terminate),
    ("restart", Fault::Restart),
    ("cancel", Fault::Cancel),
    ("stop", Fault::Stop),
];

/// The server's own work in the removal of a database.
const DROP: &str = "drop_objects.database";
const CHANGE: [&str; 3] = ["unwinding", "undo.restore", "outcome"];

/// Every cell, shuffled, so that a part of the grid is already a sample of all of it.
pub(crate) fn cells(seed: u64) -> Vec<Job> {
    let mut dice = Dice::of(seed, 0);
    let mut cells: Vec<(u64, Job)> = Vec::new();
    for path in paths() {
        for place in path.places {
            for (fault_name, fault) in FAULTS {
                for (moment, broken) in moments(place, fault) {
                    let rules = path.prelude.iter().cloned().chain(broken).collect();
                    // A stop is more than a pause only if another daemon can take over.
                    let daemons = if fault == Fault::Stop { 2 } else { 1 };
                    let name = format!("{:?}/{} {place} {moment} {fault_name}", path.scenario, path.name);
                    cells.push((
                        dice.roll(),
                        Job { name, trial: Trial { scenario: path.scenario, rules, daemons, company: 0 } },
                    ));
                }
            }
        }
    }
    cells.sort_by_key(|(at, _)| *at);
    cells.into_iter().map(|(_, job)| job).collect()
}

/// Before the effect, after it, and after it with its answer lost; then the fault strikes at the next point.
fn moments(place: &'static str, fault: Fault) -> Vec<(&'static str, Vec<Rule>)> {
    let lost = at(place, Moment::After, Fault::Lost);
    let mut moments = vec![("before", vec![at(place, Moment::Before, fault)])];
    if fault == Fault::Lost {
        // After the effect, an error means a lost answer.
        moments.push(("unacknowledged", vec![lost]));
    } else {
        moments.push(("after", vec![at(place, Moment::After, fault)]));
        moments.push(("unacknowledged", vec![lost, Rule::At { place: None, moment: None, skip: 0, fault }]));
    }
    moments
}

fn at(place: &'static str, moment: Moment, fault: Fault) -> Rule {
    Rule::At { place: Some(place), moment: Some(moment), skip: 0, fault }
}

fn paths() -> Vec<Path> {
    use Fault::{Kill, Refuse};
    use Moment::{After, Before};
    use Scenario::{Resume, Retire, Rollback, Suspend, Update};
    let path = |scenario, name, prelude: Vec<Rule>, places| Path { scenario, name, prelude, places };
    let mut paths =
        [provisions(), provisions_outside(), of_shared_tables(), databases(), databases_dropped()].concat();
    paths.extend([
        path(
            Rollback,
            "forward",
            vec![],
            &[
                "intent",
                "close_logins",
                "end_sessions",
                "drop_objects",
                "drop_roles",
                "confirm_absence",
                "outcome",
            ],
        ),
        path(Rollback, "undo", vec![at("end_sessions", Before, Refuse)], &CHANGE),
        path(
            Rollback,
            "recovery",
            vec![at("drop_objects", Before, Kill)],
            &[
                "journal",
                "close_logins",
                "end_sessions",
                "drop_objects",
                "drop_roles",
                "confirm_absence",
                "outcome",
            ],
        ),
        path(Resume, "forward", vec![], &["intent", "open_logins", "outcome"]),
        path(Resume, "undo", vec![at("open_logins", After, Refuse)], &CHANGE),
        path(
            Resume,
            "recovery",
            vec![at("open_logins", After, Kill)],
            &["journal", "open_logins", "outcome"],
        ),
        path(Update, "forward", vec![], &["intent", "apply_settings", "outcome"]),
        path(Update, "undo", vec![at("apply_settings", After, Refuse)], &CHANGE),
        path(
            Update,
            "recovery",
            vec![at("apply_settings", After, Kill)],
            &["journal", "apply_settings", "outcome"],
        ),
    ]);
    paths.extend(secrets());
    paths.extend(archives());
    for scenario in [Suspend, Retire] {
        paths.extend([
            path(scenario, "forward", vec![], &["intent", "close_logins", "end_sessions", "outcome"]),
            path(scenario, "undo", vec![at("end_sessions", Before, Refuse)], &CHANGE),
            path(
                scenario,
                "recovery",
                vec![at("close_logins", After, Kill)],
                &["journal", "close_logins", "end_sessions", "outcome"],
            ),
        ]);
    }
    paths
}

fn secrets() -> Vec<Path> {
    use Scenario::{Finish, Issue, Rotate};
    let path = |scenario, name, prelude: Vec<Rule>, places| Path { scenario, name, prelude, places };
    let mut paths = Vec::new();
    for scenario in [Issue, Rotate] {
        paths.extend([
            path(scenario, "forward", vec![], &["intent", "set_secret", "outcome"] as &[_]),
            path(scenario, "undo", vec![at("set_secret", Moment::After, Fault::Refuse)], &CHANGE),
            path(
                scenario,
                "recovery",
                vec![at("set_secret", Moment::After, Fault::Kill)],
                &["settle", "journal", "unwinding", "undo.restore", "outcome"],
            ),
        ]);
    }
    paths.push(path(Finish, "forward", vec![], &["intent", "close_old_login", "outcome"]));
    let killed = vec![at("close_old_login", Moment::After, Fault::Kill)];
    paths.push(path(Finish, "recovery", killed, &["journal", "close_old_login", "outcome"]));
    paths
}

/// Scenarios that make an archive, the purge after a grace period, and a removal during the tenant's own sessions.
fn archives() -> Vec<Path> {
    use Scenario::{Purge, RetireArchived, RollbackArchived, RollbackInUse};
    let path = |scenario, name, prelude: Vec<Rule>, places| Path { scenario, name, prelude, places };
    let mut paths = Vec::new();
    for scenario in [RollbackArchived, RetireArchived] {
        paths.extend([
            path(scenario, "forward", vec![], &["archive"] as &[_]),
            path(scenario, "undo", vec![at("archive", Moment::After, Fault::Refuse)], &CHANGE),
            path(
                scenario,
                "recovery",
                vec![at("archive", Moment::After, Fault::Kill)],
                &["journal", "close_logins", "end_sessions", "archive", "outcome"],
            ),
        ]);
    }
    const DROPS: [&str; 4] = ["drop_objects", "drop_roles", "confirm_absence", "outcome"];
    paths.push(path(Purge, "forward", vec![at("outcome", Moment::After, Fault::Go)], &DROPS));
    let killed = vec![at("drop_objects", Moment::After, Fault::Kill)];
    paths.push(path(Purge, "recovery", killed, &["journal", "drop_objects", "drop_roles", "outcome"]));
    paths.push(path(
        RollbackInUse,
        "forward",
        vec![],
        &["close_logins", "end_sessions", "drop_objects", "drop_roles", "outcome"],
    ));
    paths
}

fn provisions() -> Vec<Path> {
    use Fault::{Kill, Refuse};
    use Moment::{After, Before};
    const UNDO: [&str; 8] = [
        "unwinding",
        "undo.settle",
        "undo.close_logins",
        "undo.end_sessions",
        "undo.drop_objects",
        "undo.drop_roles",
        "undo.confirm_absence",
        "outcome",
    ];
    let path = |name, prelude, places| Path { scenario: Scenario::Provision, name, prelude, places };
    vec![
        path(
            "forward",
            vec![],
            &["intent", "roles", "schema", "migrations", "seed", "commit", "verify", "activate", "outcome"],
        ),
        path("undo", vec![at("verify", Before, Refuse)], &UNDO),
        path(
            "undo of a void build",
            vec![at("seed", After, Refuse)],
            &["undo.settle", "undo.confirm_absence"],
        ),
        path(
            "rebuild",
            vec![at("migrations", Before, Fault::Lost)],
            &["settle", "journal", "roles", "commit"],
        ),
        path(
            "recovery",
            vec![at("verify", After, Kill)],
            &["settle", "journal", "verify", "activate", "outcome"],
        ),
        path(
            "recovery of a void build",
            vec![at("migrations", After, Kill)],
            &["settle", "journal", "roles", "schema", "migrations", "seed", "commit"],
        ),
        path(
            "recovery of an undo",
            vec![at("verify", Before, Refuse), at("undo.drop_objects", Before, Kill)],
            &[
                "journal",
                "undo.settle",
                "undo.close_logins",
                "undo.end_sessions",
                "undo.drop_objects",
                "undo.drop_roles",
                "undo.confirm_absence",
                "outcome",
            ],
        ),
    ]
}

/// For a tenant of shared tables: what differs from other tenants.
fn of_shared_tables() -> Vec<Path> {
    use Fault::{Kill, Refuse};
    use Moment::{After, Before};
    use Scenario::{ProvisionShared, RollbackShared};
    const STEPS: [&str; 6] = ["pool", "roles", "join", "seed", "commit", "verify"];
    const REMOVAL: [&str; 5] =
        ["close_logins", "end_sessions", "drop_objects", "drop_roles", "confirm_absence"];
    let path = |scenario, name, prelude: Vec<Rule>, places| Path { scenario, name, prelude, places };
    vec![
        path(ProvisionShared, "forward", vec![], &STEPS as &[_]),
        path(ProvisionShared, "recovery of a void build", vec![at("join", After, Kill)], &STEPS),
        path(
            ProvisionShared,
            "undo",
            vec![at("verify", Before, Refuse)],
            &["undo.close_logins", "undo.end_sessions", "undo.drop_objects", "undo.drop_roles", "outcome"],
        ),
        path(RollbackShared, "forward", vec![], &REMOVAL),
        path(RollbackShared, "undo", vec![at("end_sessions", Before, Refuse)], &CHANGE),
        path(RollbackShared, "recovery", vec![at("drop_objects", Before, Kill)], &REMOVAL),
    ]
}

/// For a tenant with a database of its own: what differs from other provisions.
fn databases() -> Vec<Path> {
    use Fault::{Kill, Lost, Refuse};
    use Moment::{After, Before};
    use Scenario::ProvisionDatabase;
    const MADE: &str = "create_database.made";
    const UNDO: [&str; 6] = [
        "undo.settle",
        "undo.close_logins",
        "undo.drop_objects",
        DROP,
        "undo.drop_roles",
        "undo.confirm_absence",
    ];
    const MAKE: [&str; 5] = ["reserve", "create_database", MADE, "roles", "commit"];
    const MAKE_AGAIN: [&str; 6] = ["settle", "journal", "reserve", "create_database", "roles", "commit"];
    let path = |scenario, name, prelude: Vec<Rule>, places| Path { scenario, name, prelude, places };
    vec![
        path(ProvisionDatabase, "forward", vec![], &MAKE as &[_]),
        path(ProvisionDatabase, "verify", vec![], &["verify", "activate", "outcome"]),
        path(ProvisionDatabase, "undo", vec![at("verify", Before, Refuse)], &UNDO),
        path(ProvisionDatabase, "undo of a database", vec![at(MADE, After, Refuse)], &UNDO),
        path(
            ProvisionDatabase,
            "undo of a reservation",
            vec![at("reserve", After, Refuse)],
            &["undo.settle", "undo.drop_objects", "undo.drop_roles"],
        ),
        path(ProvisionDatabase, "rebuild", vec![at("migrations", Before, Lost)], &MAKE_AGAIN),
        path(ProvisionDatabase, "recovery of a void build", vec![at("migrations", After, Kill)], &MAKE_AGAIN),
        path(ProvisionDatabase, "recovery before", vec![at(MADE, Before, Kill)], &["settle", MADE, "roles"]),
        path(
            ProvisionDatabase,
            "recovery after",
            vec![at(MADE, After, Kill)],
            &["settle", "create_database", "roles"],
        ),
        path(
            ProvisionDatabase,
            "recovery",
            vec![at("verify", After, Kill)],
            &["settle", "journal", "verify"],
        ),
        path(
            ProvisionDatabase,
            "recovery of an undo",
            vec![at("verify", Before, Refuse), at(DROP, Before, Kill)],
            &UNDO,
        ),
    ]
}

/// What differs from other removals.
fn databases_dropped() -> Vec<Path> {
    let path = |name, prelude: Vec<Rule>, places| Path {
        scenario: Scenario::RollbackDatabase,
        name,
        prelude,
        places,
    };
    vec![
        path(
            "forward",
            vec![],
            &[
                "close_logins",
                "end_sessions",
                "drop_objects",
                DROP,
                "drop_roles",
                "confirm_absence",
                "outcome",
            ],
        ),
        path(
            "recovery",
            vec![at(DROP, Moment::After, Fault::Kill)],
            &["journal", "close_logins", "drop_objects", "drop_roles", "confirm_absence"],
        ),
        path("undo", vec![at("end_sessions", Moment::Before, Fault::Refuse)], &CHANGE),
    ]
}

/// For a tenant with a file outside the transaction: what differs from other provisions.
fn provisions_outside() -> Vec<Path> {
    use Fault::{Kill, Refuse};
    use Moment::{After, Before};
    const STEP: [&str; 6] =
        ["outside", "outside.login", "outside.statement", "outside.history", "outside.file", "verify"];
    let path = |name, prelude, places| Path { scenario: Scenario::ProvisionOutside, name, prelude, places };
    vec![
        path("forward", vec![], &STEP),
        path(
            "undo",
            vec![at("outside.statement", After, Refuse)],
            &[
                "unwinding",
                "undo.settle",
                "undo.close_logins",
                "undo.end_sessions",
                "undo.drop_roles",
                "outcome",
            ],
        ),
        path("recovery", vec![at("outside.statement", Before, Kill)], &STEP),
        path(
            "recovery of a whole file",
            vec![at("outside.history", After, Kill)],
            &["outside", "outside.file", "verify"],
        ),
    ]
}
