//! Repeats a statement outside the transaction until it changes no row, each time in a transaction of its own.
//!
//! What a batch committed stays, and the statement itself finds what is left. So an attempt after a crash knows nothing of those
//! before it, and simply goes on. A batch that meets a lock, or rows that somebody changes meanwhile, is tried again; one that others wait
//! for is ended. This module must not judge the statement, which the lints did.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tenantry_protocol::name::PlacementName;

use crate::fault;
use crate::model::blueprint::{Batched, Migration, Statement};
use crate::model::operation::Step;
use crate::pipeline::backoff::Patience;
use crate::pipeline::step_error::{StepError, Tally};
use crate::pipeline::steps::file_account;
use crate::pipeline::steps::make_way::until_it_holds_up;
use crate::pipeline::tracker::Tracker;
use crate::postgres::build::file_error::FileError;
use crate::postgres::build::owner_login::{self, Blocker, OwnerSession};
use crate::postgres::target::Ready;
use crate::postgres::target::location::Site;
use crate::postgres::target::marker::{Mark, Use};

/// Shorter than the server's `deadlock_timeout`: of two that wait for each other, it is the batch that begins again.
const LOCK_TIMEOUT: Duration = Duration::from_millis(200);
/// How often a batch is tried before the whole step begins again, with a new login.
const MOST_TRIES: u32 = 12;
/// The live state changes at most this often, and the log has its first line after this time.
const TELL_EVERY: Duration = Duration::from_secs(1);
const FIRST_LINE: Duration = Duration::from_secs(5);

/// A statement of a tenant's that runs in batches.
pub(super) struct BatchRun<'a> {
    pub(super) site: Site<'a>,
    pub(super) ready: &'a Ready,
    pub(super) mark: Mark,
    pub(super) placement: &'a PlacementName,
    pub(super) in_use: Use,
    pub(super) deadline: Instant,
    pub(super) file: &'a Migration,
    /// Of the statement in the file, from 0.
    pub(super) number: usize,
    pub(super) statement: &'a Statement,
    pub(super) tracker: &'a Tracker,
    pub(super) step: Step,
}

impl BatchRun<'_> {
    pub(super) async fn run(&self, session: &mut OwnerSession, batched: Batched) -> Result<(), StepError> {
        let mut tally = Tally::default();
        let mut account = Account::begin(self);
        for _ in 0..batched.at_most {
            let rows = self.batch(session, tally).await?;
            if rows == 0 {
                account.end(tally);
                return Ok(());
            }
            tally.add(rows);
            account.tell(tally);
            if self.in_use == Use::InUse {
                tokio::time::sleep(batched.pause).await;
            }
        }
        let (file, line) = (self.file.path.clone(), self.statement.line);
        Err(StepError::Endless { file, line, tally })
    }

    /// One batch, tried until nothing is in its way. Returns how many rows it changed.
    async fn batch(&self, session: &mut OwnerSession, before: Tally) -> Result<u64, StepError> {
        let mut patience = Patience::lasting(self.left());
        let waited_for: Mutex<Option<Blocker>> = Mutex::default();
        let mut tries = 0;
        loop {
            tries += 1;
            if self.left().is_zero() {
                return Err(self.out_of_time(before, waited_for));
            }
            let error = match fault::around("outside.batch", self.attempt(session, &waited_for)).await {
                Ok(rows) => return Ok(rows),
                Err(error) => error,
            };
            let StepError::Migration { file, line, statement, server } = error else { return Err(error) };
            if server.is_any(&["40001", "40P01", "55P03"]) {
                if tries < MOST_TRIES && patience.pause().await {
                    continue;
                }
                let blocker = waited_for.into_inner().unwrap_or_else(PoisonError::into_inner);
                return Err(StepError::LockedOut { file, blocker });
            }
            // Only the deadline cancels a batch.
            if server.is("57014") && self.left() < TELL_EVERY {
                return Err(self.out_of_time(before, waited_for));
            }
            return Err(if before.batches == 0 {
                StepError::Migration { file, line, statement, server }
            } else {
                StepError::BatchRefused { file, line, statement, server, tally: before }
            });
        }
    }

    /// Runs the statement once. Where the tenant is in use, it is watched, and ended if others wait for it.
    async fn attempt(
        &self,
        session: &mut OwnerSession,
        waited_for: &Mutex<Option<Blocker>>,
    ) -> Result<u64, StepError> {
        let backend = session.backend;
        let watch = async {
            match self.in_use {
                Use::InUse => until_it_holds_up(self.site.target, backend, waited_for).await,
                Use::Unused => std::future::pending().await,
            }
        };
        let ran = tokio::select! {
            biased;
            ran = session.batch(&self.statement.text, self.left(), LOCK_TIMEOUT) => ran,
            () = watch => {
                // With its login, which the next attempt opens again.
                owner_login::close(self.site, self.ready, self.mark, self.placement).await?;
                return Err(StepError::HeldUp { file: self.file.path.clone(), line: self.statement.line });
            }
        };
        ran.map_err(|error| match error.server() {
            Some(server) if !error.is_unreachable() => {
                let (statement, position) = (Some(self.number), server.position);
                file_account::step_error(self.file, FileError::Statement { statement, position, server })
            }
            _ => error.into(),
        })
    }

    fn out_of_time(&self, tally: Tally, waited_for: Mutex<Option<Blocker>>) -> StepError {
        let (file, line) = (self.file.path.clone(), self.statement.line);
        if tally.batches == 0 {
            let waited_for = waited_for.into_inner().unwrap_or_else(PoisonError::into_inner);
            return StepError::OutOfTime { file, line, waited_for };
        }
        StepError::BatchesLeft { file, line, tally }
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// What is told of the batches meanwhile: the live state once a second, and a line of the log after ever longer times.
struct Account<'a> {
    tracker: &'a Tracker,
    step: Step,
    place: String,
    begin: Instant,
    told: Instant,
    next_line: Duration,
}

impl<'a> Account<'a> {
    fn begin(run: &BatchRun<'a>) -> Self {
        let now = Instant::now();
        let place = format!("{}:{}", run.file.path, run.statement.line);
        Self { tracker: run.tracker, step: run.step, place, begin: now, told: now, next_line: FIRST_LINE }
    }

    fn tell(&mut self, tally: Tally) {
        if tally.batches > 1 && self.told.elapsed() < TELL_EVERY {
            return;
        }
        self.told = Instant::now();
        let note = format!("batch {tally}");
        if self.begin.elapsed() >= self.next_line {
            self.next_line *= 2;
            self.tracker.log(format!("{}: {note}", self.place));
        }
        self.tracker.noted(self.step, Some(note));
    }

    fn end(&self, tally: Tally) {
        self.tracker.noted(self.step, None);
        if tally.batches > 0 {
            self.tracker.log(format!("{}: nothing is left after batch {tally}", self.place));
        }
    }
}
