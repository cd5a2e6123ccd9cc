//! Retries: jittered, growing pauses until a deadline.

use std::time::{Duration, Instant};

use crate::postgres::{Error, Result};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How much longer to try.
#[derive(Debug)]
pub(super) struct Patience {
    /// `None` means without a limit.
    deadline: Option<Instant>,
    pause: Duration,
}

impl Patience {
    pub(super) fn lasting(time: Duration) -> Self {
        Self { deadline: Some(Instant::now() + time), pause: FIRST_PAUSE }
    }

    pub(super) const fn endless() -> Self {
        Self { deadline: None, pause: FIRST_PAUSE }
    }

    /// Waits before the next attempt. Returns false at once when the time is over.
    pub(super) async fn pause(&mut self) -> bool {
        let pause = self.pause.mul_f64(rand::random_range(0.5..1.5));
        if self.deadline.is_some_and(|deadline| Instant::now() + pause >= deadline) {
            return false;
        }
        tokio::time::sleep(pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        true
    }

    /// Waits if the database did not answer and there is time left. Otherwise returns the error.
    pub(super) async fn outlast(&mut self, error: Error) -> Result<()> {
        if error.is_unreachable() && self.pause().await { Ok(()) } else { Err(error) }
    }
}
