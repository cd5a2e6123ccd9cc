//! Watches how many of its server's locks a build really takes: what its files will do is not known from their text.
//!
//! Invariants: a build that holds more than it reserved reserves more, or is ended before others run out of locks; it is asked
//! nothing itself, and one that is over in a moment is never looked at.

use std::time::Duration;

use tenantry_protocol::operation::Failure;
use tokio::time::Instant;

use crate::postgres;
use crate::postgres::lookout::{Lookout, Session};
use crate::postgres::target::Target;

use super::places::{Fit, Room};

/// Between two looks, at most.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// And at least: each look copies the server's table of locks.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
/// Locks that a build takes in a millisecond, at most: three times what a loop that creates tables takes where nothing else
/// runs.
const LOCKS_PER_MS: u32 = 30;

/// What an operation's builds have of their server's locks, and when to look at them.
#[derive(Debug)]
pub(super) struct Warden {
    pub(super) room: Room,
    next_look: Option<Instant>,
    lookout: Option<Lookout>,
}

/// A build that holds more locks than there are for it, and was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Crossed {
    pub(super) held: u32,
    fit: Fit,
    /// What operations may take together.
    all: u32,
    /// What the server has.
    server: i64,
}

impl Crossed {
    /// There is enough once others are done.
    pub(super) fn is_passing(self) -> bool {
        self.fit == Fit::Crowded
    }

    /// The operator's account of it; `base` has the message.
    pub(super) fn failure(self, file: &str, base: Failure) -> Failure {
        let hint = if self.is_passing() {
            "provision again when fewer operations run, or raise the server's max_locks_per_transaction"
        } else {
            "raise the server's max_locks_per_transaction, or let a version of the blueprint make fewer tables, indexes and \
             sequences"
        };
        Failure { file: Some(file.to_owned()), hint: Some(hint.to_owned()), ..base }
    }
}

impl std::fmt::Display for Crossed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { held, fit, all, server } = self;
        match fit {
            Fit::Crowded => write!(
                f,
                "the build holds {held} locks, and other operations have the rest of the {all} of the server's {server} that \
                 operations may take together"
            ),
            _ => write!(
                f,
                "the build holds {held} locks and goes on, of the {all} of the server's {server} that operations may take \
                 together"
            ),
        }
    }
}

impl Warden {
    pub(super) const fn new(room: Room) -> Self {
        Self { room, next_look: None, lookout: None }
    }

    /// Does `work`, which the build does in `session`, with an eye on its locks. Gives the work up, and ends the session, once
    /// there are too many.
    pub(super) async fn watch<T>(
        &mut self,
        target: &Target,
        session: &Session,
        work: impl Future<Output = T>,
    ) -> Result<T, Crossed> {
        let crossed = tokio::select! {
            biased;
            done = work => return Ok(done),
            crossed = self.look(target, session) => crossed,
        };
        if let Some(mut lookout) = self.lookout.take()
            && let Err(error) = lookout.end(session).await
        {
            // Whoever gives the build up tries the same again.
            tracing::warn!(error = %error.explain(), "a build with too many locks could not be ended");
        }
        Err(crossed)
    }

    /// Looks until the build holds too much.
    async fn look(&mut self, target: &Target, session: &Session) -> Crossed {
        // A time that is long over was another build's.
        if self.next_look.is_some_and(|at| at + LONGEST_PAUSE < Instant::now()) {
            self.next_look = None;
        }
        loop {
            let at = *self.next_look.get_or_insert_with(|| Instant::now() + pause(self.room.left(0)));
            tokio::time::sleep_until(at).await;
            let held = match self.count(target, session).await {
                Ok(held) => held,
                Err(error) => {
                    // The server is away, which the build finds out by itself, or has no connection left.
                    tracing::debug!(error = %error.explain(), "the build's locks could not be counted");
                    self.next_look = Some(Instant::now() + LONGEST_PAUSE);
                    continue;
                }
            };
            let fit = self.room.fit(held);
            if fit != Fit::Reserved {
                let Room { all, server, .. } = self.room;
                return Crossed { held, fit, all, server };
            }
            self.next_look = Some(Instant::now() + pause(self.room.left(held)));
        }
    }

    async fn count(&mut self, target: &Target, session: &Session) -> postgres::Result<u32> {
        // Kept only if it answered: work that is done gives the look up in the middle.
        let mut lookout = match self.lookout.take() {
            Some(lookout) => lookout,
            None => Lookout::open(target).await?,
        };
        let held = lookout.locks(session).await?;
        self.lookout = Some(lookout);
        Ok(held)
    }
}

/// How long a build cannot take `left` more locks.
fn pause(left: u32) -> Duration {
    Duration::from_millis(u64::from(left / LOCKS_PER_MS)).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
}
