//! Runs jobs on several installations at once, each with a server of its own, and counts the results.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tenantry_harness::torture::arena::{Arena, Trial, Verdict};
use tenantry_harness::{Cluster, Version};

/// A trial with a name by which it can be found again.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) name: String,
    pub(crate) trial: Trial,
}

/// The results of a part.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) runs: usize,
    /// How many faults struck.
    pub(crate) struck: usize,
    /// The number of runs, by their end.
    pub(crate) ends: BTreeMap<String, usize>,
    /// Jobs whose last fault never reached its point.
    pub(crate) missed: Vec<String>,
    pub(crate) violations: Vec<String>,
}

/// How jobs are run.
#[derive(Debug, Clone)]
pub(crate) struct Yard {
    pub(crate) workers: usize,
    pub(crate) version: Version,
    /// Where progress and the traces of violations are stored.
    pub(crate) dir: PathBuf,
    /// Whether to skip what was done before.
    pub(crate) resume: bool,
}

struct Shared {
    jobs: Mutex<VecDeque<Job>>,
    tally: Mutex<Tally>,
    done: Mutex<std::fs::File>,
    total: usize,
    begin: Instant,
    yard: Yard,
}

impl Yard {
    /// Runs all jobs.
    pub(crate) async fn run(&self, part: &str, jobs: Vec<Job>) -> Tally {
        std::fs::create_dir_all(&self.dir).unwrap();
        let file = self.dir.join(format!("{part}.done"));
        if !self.resume {
            let _ = std::fs::remove_file(&file);
        }
        let (done, tally) = earlier(&file);
        let total = jobs.len();
        let left: VecDeque<Job> = jobs.into_iter().filter(|job| !done.contains(&job.name)).collect();
        println!("{part}: {} of {total} runs to do, {} workers", left.len(), self.workers);
        let done = std::fs::OpenOptions::new().create(true).append(true).open(&file).unwrap();
        let shared = Arc::new(Shared {
            jobs: Mutex::new(left),
            tally: Mutex::new(tally),
            done: Mutex::new(done),
            total,
            begin: Instant::now(),
            yard: self.clone(),
        });
        let workers: Vec<_> = (0..self.workers).map(|_| tokio::spawn(work(Arc::clone(&shared)))).collect();
        for worker in workers {
            worker.await.unwrap();
        }
        std::mem::take(&mut *shared.tally.lock().unwrap())
    }
}

/// What an interrupted run has done already; only runs without a violation count.
fn earlier(file: &Path) -> (BTreeSet<String>, Tally) {
    let mut tally = Tally::default();
    let mut done = BTreeSet::new();
    for line in std::fs::read_to_string(file).unwrap_or_default().lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        if let [name, end, struck, missed, "0"] = fields[..] {
            tally.runs += 1;
            tally.struck += struck.parse::<usize>().unwrap_or_default();
            *tally.ends.entry(end.to_owned()).or_default() += 1;
            if missed != "0" {
                tally.missed.push(name.to_owned());
            }
            done.insert(name.to_owned());
        }
    }
    (done, tally)
}

async fn work(shared: Arc<Shared>) {
    let mut arena = None;
    loop {
        let Some(job) = shared.jobs.lock().unwrap().pop_front() else { return };
        let current = match arena.take() {
            Some(arena) => arena,
            None => Arena::open(Cluster::private(shared.yard.version)).await,
        };
        let (trial, dir) = (job.trial.clone(), shared.yard.dir.join(job.name.replace(['/', ' '], "-")));
        // In a task of its own: a harness that stops trying panics, and that is a result too.
        let ran = tokio::spawn(async move {
            let mut current = current;
            let verdict = current.run(&trial).await;
            if !verdict.violations.is_empty() {
                current.save_logs(&dir);
            }
            (current, verdict)
        });
        let verdict = match ran.await {
            Ok((current, verdict)) => {
                // The remains of a violation would be found again in every later run.
                arena = verdict.violations.is_empty().then_some(current);
                verdict
            }
            Err(error) => {
                Verdict { violations: vec![format!("the run gave up: {error}")], ..Verdict::default() }
            }
        };
        shared.note(&job, verdict);
    }
}

impl Shared {
    fn note(&self, job: &Job, verdict: Verdict) {
        let missed = job.trial.rules.len() - verdict.struck.min(job.trial.rules.len());
        let violations = verdict.violations.len();
        let line = format!("{}\t{}\t{}\t{missed}\t{violations}", job.name, verdict.end, verdict.struck);
        writeln!(self.done.lock().unwrap(), "{line}").unwrap();
        let mut tally = self.tally.lock().unwrap();
        tally.runs += 1;
        tally.struck += verdict.struck;
        *tally.ends.entry(verdict.end.clone()).or_default() += 1;
        if missed > 0 {
            tally.missed.push(job.name.clone());
        }
        if violations > 0 {
            let mut text = format!("{}: {:?}\n", job.name, job.trial);
            verdict.violations.iter().for_each(|violation| _ = writeln!(text, "    {violation}"));
            println!("VIOLATION {text}");
            let trace = verdict.trace.join("\n");
            let file = self.yard.dir.join(format!("{}.violation", job.name.replace(['/', ' '], "-")));
            std::fs::write(file, format!("{text}{}\n{trace}\n", verdict.end)).unwrap();
            tally.violations.push(text);
        }
        if tally.runs.is_multiple_of(50) || tally.runs == self.total {
            println!(
                "  {} of {} after {:.0} s, {} faults struck, {} violations, ends {:?}",
                tally.runs,
                self.total,
                self.begin.elapsed().as_secs_f64(),
                tally.struck,
                tally.violations.len(),
                tally.ends
            );
        }
    }
}
