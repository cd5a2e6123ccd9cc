//! Nobody waits long behind what runs on a tenant in use: another connection looks who waits for whom.
//!
//! This module only looks. What runs is ended by the step that runs it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::postgres::build::owner_login::Blocker;
use crate::postgres::build::standoff;
use crate::postgres::target::Target;

/// How long others may wait for the locks of an attempt.
const ALLOWED_WAIT: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// An attempt that could not be looked at for this long is ended.
const BLIND: Duration = Duration::from_secs(2);

/// Looks until somebody has waited too long for the server process, or until nobody could look for some time. Meanwhile it notes what
/// the process itself waits for.
pub(in crate::pipeline) async fn until_it_holds_up(
    target: &Target,
    backend: i32,
    blocker: &Mutex<Option<Blocker>>,
) {
    let mut seen = Instant::now();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        match standoff::look(target, backend, ALLOWED_WAIT).await {
            Ok(now) => {
                seen = Instant::now();
                if now.blocker.is_some() {
                    *blocker.lock().unwrap_or_else(PoisonError::into_inner) = now.blocker;
                }
                if now.holds_up {
                    return;
                }
            }
            Err(_) if seen.elapsed() >= BLIND => return,
            Err(error) => tracing::debug!(error = %error.explain(), "an upgrade could not be looked at"),
        }
    }
}
