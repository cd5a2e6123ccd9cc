//! Watches how many of its server's locks a build really takes: what its files will do is not known from their text.
//!
//! Invariants: a build that holds more than it reserved reserves more, or is ended before others run out of locks; it is asked
//! nothing itself, and one that is over in a moment is never looked at.

use std::time::Duration;

use tenantry_protocol::operation::Failure;
use tokio::time::Instant;

use crate::postgres::target::Target;
use crate::postgres::target::lookout::BuildSession;

use super::admission::{Fit, ReservedLocks};

/// Between two looks, at most.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// And at least: each look copies the server's table of locks.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
/// A build whose locks nobody could count for so long is given up: it could have taken thousands by now.
const BLIND: Duration = Duration::from_secs(2);
/// Locks that a build takes in a millisecond, at most: three times what a loop that creates tables takes where nothing else
/// runs.
const LOCKS_PER_MS: u32 = 30;

/// What an operation's builds have of their server's locks, and when to look at them.
#[derive(Debug)]
pub(super) struct Warden {
    pub(super) room: ReservedLocks,
    next_look: Option<Instant>,
    /// What it held when it was last counted.
    held: u32,
    /// From when on it could not be counted.
    blind_since: Option<Instant>,
}

/// A build that holds more locks than there are for it, and was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Crossed {
    pub(super) held: u32,
    /// None where nobody could look.
    fit: Option<Fit>,
    /// What operations may take together.
    all: u32,
    /// What the server has.
    server: i64,
}

impl Crossed {
    /// There is enough once others are done, or it is within bounds and nobody could see that.
    pub(super) fn is_passing(self) -> bool {
        self.fit != Some(Fit::TooMany)
    }

    /// The operator's account of it; `base` has the message.
    pub(super) fn failure(self, file: &str, base: Failure) -> Failure {
        let hint = match self.fit {
            None => {
                "see with `tenantry target check` who takes the server's connections, and provision again"
            }
            Some(Fit::TooMany) => {
                "raise the server's max_locks_per_transaction, or let a version of the blueprint make fewer tables, indexes \
                 and sequences"
            }
            Some(_) => {
                "provision again when fewer operations run, or raise the server's max_locks_per_transaction"
            }
        };
        Failure { file: Some(file.to_owned()), hint: Some(hint.to_owned()), ..base }
    }
}

impl std::fmt::Display for Crossed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { held, fit, all, server } = self;
        match fit {
            None => write!(
                f,
                "the build's locks, {held} when they were last counted, could not be counted for {} s: the server let nobody \
                 look",
                BLIND.as_secs()
            ),
            Some(Fit::TooMany) => write!(
                f,
                "the build holds {held} locks, more than the {all} of the server's {server} that operations may take together"
            ),
            Some(_) => write!(
                f,
                "the build holds {held} locks, and other operations have the rest of the {all} of the server's {server} that \
                 operations may take together"
            ),
        }
    }
}

impl Warden {
    pub(super) const fn new(room: ReservedLocks) -> Self {
        Self { room, next_look: None, held: 0, blind_since: None }
    }

    /// Does `work`, which the build does in `session`, with an eye on its locks. Gives the work up, and ends the session, once
    /// there are too many.
    pub(super) async fn watch<T>(
        &mut self,
        target: &Target,
        session: &BuildSession,
        work: impl Future<Output = T>,
    ) -> Result<T, Crossed> {
        let crossed = tokio::select! {
            biased;
            done = work => return Ok(done),
            crossed = self.look(target, session) => crossed,
        };
        if let Err(error) = target.lookout().end(session).await {
            // Whoever gives the build up tries the same again.
            tracing::warn!(error = %error.explain(), "a build with too many locks could not be ended");
        }
        Err(crossed)
    }

    /// Looks until the build holds too much.
    async fn look(&mut self, target: &Target, session: &BuildSession) -> Crossed {
        // A time that is long over was another build's.
        if self.next_look.is_some_and(|at| at + LONGEST_PAUSE < Instant::now()) {
            (self.next_look, self.held, self.blind_since) = (None, 0, None);
        }
        loop {
            let at = *self.next_look.get_or_insert_with(|| Instant::now() + pause(self.room.left(0)));
            tokio::time::sleep_until(at).await;
            match target.lookout().locks(session).await {
                Ok(held) => (self.held, self.blind_since) = (held, None),
                Err(error) => {
                    // A server that is away ends the build by itself. One that has no connection left does not.
                    tracing::debug!(error = %error.explain(), "the build's locks could not be counted");
                    if self.blind_since.get_or_insert(at).elapsed() >= BLIND {
                        return self.crossed(None);
                    }
                    self.next_look = Some(Instant::now() + SHORTEST_PAUSE);
                    continue;
                }
            }
            let fit = self.room.fit(self.held);
            if fit != Fit::Reserved {
                return self.crossed(Some(fit));
            }
            self.next_look = Some(Instant::now() + pause(self.room.left(self.held)));
        }
    }

    const fn crossed(&self, fit: Option<Fit>) -> Crossed {
        let ReservedLocks { all, server, .. } = self.room;
        Crossed { held: self.held, fit, all, server }
    }
}

/// How long a build cannot take `left` more locks.
fn pause(left: u32) -> Duration {
    Duration::from_millis(u64::from(left / LOCKS_PER_MS)).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
}
