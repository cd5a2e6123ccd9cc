//! What a tenant costs among many: the same upgrade with some tenants and with ten times as many, and the daemon's memory.

use std::fs;

use tenantry_harness::bars::Bar;

use crate::fleet::Fleet;

/// Few, since it is about tenants.
const TABLES: usize = 4;
const ROUNDS: usize = 3;
/// The most that a tenant may cost among ten times as many.
const DEARER: f64 = 1.15;
/// MiB that the daemon may grow by with 10,000 tenants in an upgrade.
const MEMORY_MIB: f64 = 20.0;

pub(crate) async fn bars(most: usize) -> Vec<Bar> {
    let some = most / 10;
    let mut fleet = Fleet::with_tables(TABLES).await;
    fleet.grow(some).await;
    let at_some = fleet.of_one_step(ROUNDS).await * 1_000.0 / some as f64;
    fleet.grow(most).await;
    let before = peak_mib(&fleet, true);
    let at_most = fleet.of_one_step(ROUNDS).await * 1_000.0 / most as f64;
    let grown = peak_mib(&fleet, false) - before;
    println!(
        "{at_some:.2} ms a tenant of {some}, {at_most:.2} ms of {most}; the daemon grew by {grown:.1} MiB over {before:.1}"
    );
    vec![
        Bar::at_most("cost_among_ten_times_as_many", at_most / at_some, DEARER),
        Bar::at_most("memory_of_10000_units_mib", grown * 10_000.0 / most as f64, MEMORY_MIB),
    ]
}

/// The most memory that the daemon has had, in MiB; from now on if it is to begin anew.
fn peak_mib(fleet: &Fleet, begin_anew: bool) -> f64 {
    let pid = fleet.env.daemon().pid();
    if begin_anew {
        fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
    }
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1_024.0
}
