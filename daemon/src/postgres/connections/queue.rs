//! A queue for a scarce resource. A caller leaves it when the queue stands still, not when it is long.
//!
//! A pool's own limit cannot distinguish a server that does not answer from one that is busy with many callers.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The longest wait. No client waits longer for its answer, so a caller would have to ask again in any case.
pub(in crate::postgres) const LONGEST: Duration = Duration::from_secs(20);

/// Counts the callers that got what they waited for.
#[derive(Debug)]
pub(in crate::postgres) struct Queue {
    served: AtomicU64,
    longest: Duration,
}

impl Default for Queue {
    fn default() -> Self {
        Self { served: AtomicU64::default(), longest: LONGEST }
    }
}

impl Queue {
    /// Waits for `turn`, at most [`LONGEST`], and stops once no caller in this queue was served for the time of `standstill`.
    pub(in crate::postgres) async fn wait<T>(
        &self,
        standstill: Duration,
        turn: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        let begin = Instant::now();
        let mut turn = Box::pin(turn);
        loop {
            let served = self.served.load(Ordering::Relaxed);
            tokio::select! {
                biased;
                result = &mut turn => {
                    if result.is_ok() {
                        self.served.fetch_add(1, Ordering::Relaxed);
                    }
                    return result;
                }
                () = sleep(standstill) => {
                    if served == self.served.load(Ordering::Relaxed) || begin.elapsed() >= self.longest {
                        return Err(sqlx::Error::PoolTimedOut);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    const STANDSTILL: Duration = Duration::from_millis(500);

    /// A turn that comes after this many milliseconds.
    async fn turn(after: u64) -> Result<(), sqlx::Error> {
        sleep(Duration::from_millis(after)).await;
        Ok(())
    }

    #[tokio::test]
    async fn a_queue_that_stands_still_is_left() {
        let queue = Queue::default();
        let standstill = Duration::from_millis(20);
        let (one, other) = tokio::join!(
            queue.wait(standstill, pending::<Result<(), _>>()),
            queue.wait(standstill, turn(60_000))
        );
        assert!(matches!((one, other), (Err(sqlx::Error::PoolTimedOut), Err(sqlx::Error::PoolTimedOut))));
    }

    #[tokio::test]
    async fn the_last_of_a_queue_that_moves_is_served() {
        let queue = Queue::default();
        let wait = |after| queue.wait(STANDSTILL, turn(after));
        let all = tokio::join!(wait(200), wait(600), wait(1_000));
        assert!(matches!(all, (Ok(()), Ok(()), Ok(()))));
    }

    #[tokio::test]
    async fn nobody_waits_for_ever_though_the_queue_moves() {
        let queue = Queue { longest: Duration::from_millis(100), ..Queue::default() };
        let others = async {
            loop {
                assert!(queue.wait(STANDSTILL, turn(5)).await.is_ok());
            }
        };
        tokio::select! {
            result = queue.wait(Duration::from_millis(50), pending::<Result<(), _>>()) => assert!(result.is_err()),
            () = others => unreachable!(),
        }
    }
}
