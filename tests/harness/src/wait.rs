//! Waiting for a condition, with a deadline that names what did not happen.

use std::time::{Duration, Instant};

/// How long anything may take before the test fails: far more than it needs, so that a busy machine does not fail it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again and again until there is an answer; panics with `what` after [`PATIENCE`].
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {} s in vain: {what}", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Fails the test, with `what`, if the future is not done in time.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("not done after {} s: {what}", PATIENCE.as_secs()),
    }
}
