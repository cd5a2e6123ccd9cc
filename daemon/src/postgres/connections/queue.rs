//! A queue for something scarce: a place in it is given up when the queue stands still, not when it is long.
//!
//! A pool's own limit can't tell a server that does not answer from one that is busy with a crowd.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Whoever waits as long as this would have to ask again in any case: no client waits for its answer longer.
pub(in crate::postgres) const LONGEST: Duration = Duration::from_secs(20);

/// Counts those who got what they waited for.
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
    /// Waits for `turn`, at most [`LONGEST`], and gives up once nobody in this queue was served for the time of `standstill`.
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

    /// Served after so many milliseconds.
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
