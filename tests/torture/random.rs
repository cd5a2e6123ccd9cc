//! Two or three faults at once, anywhere, and cut commits: drawn from a seed, so that each repetition is the same.

use tenantry_harness::torture::arena::Trial;
use tenantry_harness::torture::request::Scenario;
use tenantry_harness::torture::script::{Cut, Fault, Rule};

use crate::work::Job;

/// SplitMix64: the same numbers for a seed on every machine and in every version.
#[derive(Debug)]
pub(crate) struct Dice(u64);

const FAULTS: [Fault; 9] = [
    Fault::Lost,
    Fault::Refuse,
    Fault::Panic,
    Fault::Kill,
    Fault::Cut,
    Fault::Terminate,
    Fault::Restart,
    Fault::Cancel,
    Fault::Stop,
];
const CUTS: [Cut; 4] = [Cut::Before, Cut::After, Cut::Answer, Cut::Late];
/// How many points an operation passes: the next fault is at most this many points away.
const POINTS: u64 = 14;
/// The commits of an operation, including intent and outcome.
const COMMITS: u64 = 5;

impl Dice {
    /// The dice of one run, independent of earlier runs, so that any run can be repeated alone.
    pub(crate) fn of(seed: u64, run: u64) -> Self {
        let mut dice = Self(seed ^ run.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        dice.roll();
        dice
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }
}

/// A run with two or three faults, which may be cut commits; in every third run a second daemon stands by.
pub(crate) fn faults(seed: u64, run: u64) -> Job {
    let mut dice = Dice::of(seed, run);
    // Half of them are provisions, which pass the most points.
    let scenario = if dice.below(2) == 0 {
        dice.one_of(&[Scenario::Provision, Scenario::ProvisionDatabase])
    } else {
        dice.one_of(&Scenario::ALL)
    };
    let daemons = if dice.below(3) == 0 { 2 } else { 1 };
    let rules = (0..2 + dice.below(2))
        .map(|_| {
            if dice.below(5) == 0 {
                return Rule::Commit { skip: skip(&mut dice, COMMITS), cut: dice.one_of(&CUTS) };
            }
            // A stop is more than a pause only if another daemon can take over.
            let kinds = if daemons == 2 { FAULTS.len() } else { FAULTS.len() - 1 };
            let fault = match dice.one_of(&FAULTS[..kinds]) {
                // A purge that was cancelled in the queue comes back by itself, a minute later.
                Fault::Cancel if scenario == Scenario::Purge => Fault::Lost,
                fault => fault,
            };
            Rule::At { place: None, moment: None, skip: skip(&mut dice, POINTS), fault }
        })
        .collect();
    // In every second run, other tenants are served meanwhile, and broken as well.
    let company = if dice.below(2) == 0 { 0 } else { 1 + dice.below(3) };
    let company = usize::try_from(company).unwrap();
    Job { name: format!("random {run}"), trial: Trial { scenario, rules, daemons, company } }
}

/// A run in which one or more commits are cut.
pub(crate) fn commits(seed: u64, run: u64) -> Job {
    let mut dice = Dice::of(seed ^ 0xC0_4417, run);
    let scenario = if dice.below(2) == 0 { Scenario::Provision } else { dice.one_of(&Scenario::ALL) };
    let mut rules = vec![Rule::Commit { skip: skip(&mut dice, COMMITS - 1), cut: dice.one_of(&CUTS) }];
    while dice.below(2) == 0 && rules.len() < 3 {
        rules.push(Rule::Commit { skip: skip(&mut dice, 2), cut: dice.one_of(&CUTS) });
    }
    Job { name: format!("commits {run}"), trial: Trial { scenario, rules, daemons: 1, company: 0 } }
}

/// One to three things break on the way, within as many points as this many operations pass; in every third run a second daemon
/// stands by.
fn on_the_way(dice: &mut Dice, scenario: Scenario, operations: u64) -> Trial {
    let daemons = if dice.below(3) == 0 { 2 } else { 1 };
    let rules = (0..1 + dice.below(3))
        .map(|_| {
            if dice.below(3) == 0 {
                return Rule::Commit { skip: skip(dice, operations * COMMITS), cut: dice.one_of(&CUTS) };
            }
            // A stop is more than a pause only if another daemon can take over.
            let kinds = if daemons == 2 { FAULTS.len() } else { FAULTS.len() - 1 };
            let fault = dice.one_of(&FAULTS[..kinds]);
            Rule::At { place: None, moment: None, skip: skip(dice, operations * POINTS), fault }
        })
        .collect();
    Trial { scenario, rules, daemons, company: 0 }
}

/// A run in which one to three things break on the way of an upgrade, cut commits among them.
pub(crate) fn upgrades(seed: u64, run: u64) -> Job {
    let mut dice = Dice::of(seed ^ 0x06_9ADE, run);
    let scenario = dice.one_of(&Scenario::UPGRADES);
    Job { name: format!("upgrades {run}"), trial: on_the_way(&mut dice, scenario, 1) }
}

/// A run in which one to three things break on the way of an upgrade of several tenants.
pub(crate) fn fleets(seed: u64, run: u64) -> Job {
    let mut dice = Dice::of(seed ^ 0xF1_EE75, run);
    // Most of what a file outside the transaction adds is tried with a single tenant.
    let scenario = match dice.below(8) {
        0 | 1 => Scenario::UpgradeFleetOutside,
        2 | 3 => Scenario::DowngradeFleet,
        _ => Scenario::UpgradeFleet,
    };
    Job { name: format!("fleets {run}"), trial: on_the_way(&mut dice, scenario, 4) }
}

/// A run in which one to three things break while shared tables are brought to another version.
pub(crate) fn pools(seed: u64, run: u64) -> Job {
    let mut dice = Dice::of(seed ^ 0x9001_5EED, run);
    let scenario = dice.one_of(&Scenario::POOLS);
    Job { name: format!("pools {run}"), trial: on_the_way(&mut dice, scenario, 2) }
}

/// A run in which a commit of a change of secrets is cut, or something else breaks once or twice on its way.
pub(crate) fn secrets(seed: u64, run: u64) -> Job {
    let mut dice = Dice::of(seed ^ 0x5EC2E7, run);
    let scenario = dice.one_of(&Scenario::SECRETS);
    let rules = if dice.below(2) == 0 {
        // The commits of intent, effect and outcome.
        vec![Rule::Commit { skip: skip(&mut dice, 3), cut: dice.one_of(&CUTS) }]
    } else {
        let kinds = &FAULTS[..FAULTS.len() - 1];
        // The points of intent, step and outcome, before and after each.
        let mut strike = |limit| {
            let (skip, fault) = (skip(&mut dice, limit), dice.one_of(kinds));
            Rule::At { place: None, moment: None, skip, fault }
        };
        vec![strike(6), strike(4)]
    };
    Job { name: format!("secrets {run}"), trial: Trial { scenario, rules, daemons: 1, company: 0 } }
}

fn skip(dice: &mut Dice, limit: u64) -> u32 {
    u32::try_from(dice.below(limit)).unwrap()
}
