//! Verifying a long trail in a running daemon: how fast it is, and how much memory it takes.

use std::time::Instant;

use tenantry_harness::Env;
use tenantry_harness::bars::Bar;
use tenantry_harness::trail::generate;
use tenantry_harness::trail::verdict;

use crate::LEAST_RATE;

/// The most that the daemon's memory may grow while it reads a trail of any length, in MiB.
const GROWTH_MIB: f64 = 16.0;
/// The quickest round counts: other work on the machine only ever adds time.
const ROUNDS: usize = 7;

pub(crate) async fn at_length(events: i64) -> Vec<Bar> {
    let mut env = Env::new().await;
    let begin = Instant::now();
    generate::append_signed(&mut env, events, 0).await;
    println!("{events} events made, and a start on them, in {:.0} s", begin.elapsed().as_secs_f64());
    let pid = env.daemon().pid().as_raw();
    let before = peak_mib(pid);
    let (mut wall, mut cpu): (f64, f64) = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        let busy = cpu_seconds(pid);
        let found = verdict(&env, Vec::new()).await;
        assert_eq!(found.broken, None);
        wall = wall.min(found.duration_ms / 1_000.0);
        cpu = cpu.min(cpu_seconds(pid) - busy);
    }
    // Meanwhile the server reads its tables on other cores, if any are free.
    println!("{events} events verified in {wall:.2} s, of which {cpu:.2} s are the daemon's on a core");
    vec![
        Bar::at_least("verified_events_per_s_of_a_core", (events as f64 / cpu).round(), LEAST_RATE),
        Bar::at_most("verify_rss_growth_mib", peak_mib(pid) - before, GROWTH_MIB),
    ]
}

/// The peak memory of a process, in MiB.
pub(crate) fn peak_mib(pid: i32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap() / 1_024.0
}

/// The CPU time of a process, in seconds.
fn cpu_seconds(pid: i32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).unwrap().unwrap();
    ticks / per_second as f64
}
