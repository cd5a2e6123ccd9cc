//! Watches how many entries of the server's lock table a build really takes, because the text of its files does not tell.
//!
//! Invariant: if a build is seen to hold more than was reserved for it, the warden reserves more or ends the build, before other
//! sessions run out of locks. It counts from another connection. A build that ends before the first count is not watched.

use std::time::Duration;

use tenantry_protocol::operation::Failure;
use tokio::time::Instant;

use crate::postgres::target::Target;
use crate::postgres::target::lookout::BuildSession;

use super::admission::{Fit, ReservedLocks};

/// The longest pause between two counts.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// The shortest pause: each count copies the server's lock table.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
/// A build whose locks could not be counted for this long is ended: it could have taken thousands by now.
const BLIND: Duration = Duration::from_secs(2);
/// The most locks that a build takes in a millisecond: three times the rate of a loop that creates tables on an otherwise
/// idle server.
const LOCKS_PER_MS: u32 = 30;

/// The server's locks that an operation's builds hold, and when to count them next.
#[derive(Debug)]
pub(super) struct Warden {
    pub(super) room: ReservedLocks,
    next_look: Option<Instant>,
    /// The number of locks held at the last count.
    held: u32,
    /// Since when the locks could not be counted.
    blind_since: Option<Instant>,
}

/// A build that held more locks than it may, and was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Crossed {
    pub(super) held: u32,
    /// `None` if the locks could not be counted.
    fit: Option<Fit>,
    /// The number of locks that all operations may take together.
    all: u32,
    /// The number of locks that the server has.
    server: i64,
}

impl Crossed {
    /// Whether a retry can help: other operations will release their locks, or the build was within bounds but could not
    /// be counted.
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

    /// Runs `work`, which the build does in `session`, while its locks are watched. Cancels the work and ends the session
    /// once there are too many.
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
            // The code that abandons the build tries the same again.
            tracing::warn!(error = %error.explain(), "a build with too many locks could not be ended");
        }
        Err(crossed)
    }

    /// Counts until the build holds too much.
    async fn look(&mut self, target: &Target, session: &BuildSession) -> Crossed {
        // A time in the distant past belongs to an earlier build.
        if self.next_look.is_some_and(|at| at + LONGEST_PAUSE < Instant::now()) {
            (self.next_look, self.held, self.blind_since) = (None, 0, None);
        }
        loop {
            self.room.server_has(target.locks());
            let at = *self.next_look.get_or_insert_with(|| Instant::now() + pause(self.room.left(0)));
            tokio::time::sleep_until(at).await;
            match target.lookout().locks(session).await {
                Ok(held) => (self.held, self.blind_since) = (held, None),
                Err(error) => {
                    // If the server is away, the build ends anyway. If it only has no connection left, the build goes on.
                    tracing::debug!(error = %error.explain(), "the build's locks could not be counted");
                    if self.blind_since.get_or_insert(at).elapsed() >= BLIND {
                        return self.crossed(None);
                    }
                    self.next_look = Some(Instant::now() + SHORTEST_PAUSE);
                    continue;
                }
            }
            self.room.server_has(target.locks());
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

/// The time within which a build cannot take `left` more locks.
fn pause(left: u32) -> Duration {
    Duration::from_millis(u64::from(left / LOCKS_PER_MS)).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
}
