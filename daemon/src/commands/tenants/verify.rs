//! `verify_isolation`: runs the whole battery against an existing tenant, as an operation; also the daemon's own round
//! over all tenants.
//!
//! The round is paced: it begins one verification at a time, spread over the time in which each tenant is to be verified
//! once, so that it never delays an operator. It uses only the registry, so that a restart forgets nothing.

use std::sync::Arc;
use std::time::Duration;

use tenantry_protocol::error::ApiError;
use tenantry_protocol::id::TenantId;
use tenantry_protocol::isolation::VerifyIsolationRequest;
use tenantry_protocol::operation::OperationKind;
use tenantry_protocol::tenant::OperationStarted;
use time::OffsetDateTime;

use crate::model::operation::Kind;
use crate::pipeline::{Actor, OperationArguments};
use crate::postgres::control::operations::{self, OperationFilter};
use crate::postgres::control::tenants;

use super::change::{self, TenantChange, change};
use crate::commands::idempotency::Ask;
use crate::commands::{App, Caller, errors};

/// The longest pause: tenants come and go in the meantime.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The pause before the settings are read again, if verification is off.
const UNWANTED: Duration = Duration::from_secs(3_600);
/// The shortest pause: about the time that a verification takes.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);

/// How long a change waits for a running verification.
const COURTESY: Duration = Duration::from_secs(10);

pub async fn verify_isolation(
    app: &Arc<App>,
    caller: &Caller,
    request: VerifyIsolationRequest,
) -> Result<OperationStarted, ApiError> {
    let same = VerifyIsolationRequest { idempotency_key: None, ..request.clone() };
    let asked = TenantChange {
        method: "verify_isolation",
        slug: &request.slug,
        key: request.idempotency_key.as_deref(),
        same: &same,
    };
    change(app, caller, asked, |_| Ok((Kind::Verify, OperationArguments::default()))).await
}

/// Verifies every tenant once in the configured time; never returns by itself.
pub async fn verify_in_turn(app: &Arc<App>) {
    // A daemon that is starting has other things to do first.
    let mut wait = app.settings().verify_every.map_or(UNWANTED, |every| pause(every, 1));
    while !app.events.is_closed() {
        app.sleep_unless_changed(wait).await;
        let every = app.settings().verify_every;
        wait = match every {
            None => UNWANTED,
            Some(every) => next(app, every).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "tenants cannot be verified in their turn");
                LONGEST_PAUSE
            }),
        };
    }
    // The daemon is stopping.
    std::future::pending().await
}

impl App {
    /// Waits for a running verification of the tenant. It is over in a moment, and a caller who requests a change does
    /// not need to know about the daemon's rounds.
    /// Returns whether there was one.
    pub(in crate::commands) async fn let_verification_end(&self, id: TenantId) -> bool {
        let filter = OperationFilter { tenant: Some(id), unfinished: true, ..OperationFilter::default() };
        let running = operations::page(self.control.pool(), &filter, 1).await.unwrap_or_default();
        let running = running.first().filter(|operation| operation.kind == OperationKind::Verify);
        if let Some(operation) = running {
            let _ = tokio::time::timeout(COURTESY, self.engine.end_of(operation.id)).await;
        }
        running.is_some()
    }
}

/// Begins the verification that is due, if there is one, and returns how long to wait before the next.
async fn next(app: &Arc<App>, every: Duration) -> Result<Duration, ApiError> {
    let before = OffsetDateTime::now_utc() - every;
    let (due, tenants) = tenants::to_verify(app.control.pool(), before).await.map_err(errors::control)?;
    if let Some(id) = due
        && let Err(error) = begin(app, id).await
    {
        tracing::warn!(tenant = %id, %error, "a verification that is due cannot begin");
        return Ok(LONGEST_PAUSE);
    }
    Ok(pause(every, tenants))
}

/// The pause after which all tenants are verified within the time, with some time to spare.
fn pause(every: Duration, tenants: u64) -> Duration {
    let share = every / 2 / u32::try_from(tenants.max(1)).unwrap_or(u32::MAX);
    share.clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
}

async fn begin(app: &Arc<App>, id: TenantId) -> Result<(), ApiError> {
    let tenant = app.find_tenant(&id.to_string()).await?;
    let actor = Actor::daemon(app.own_uid);
    let task = Arc::clone(app);
    let start = async move {
        change::start(&task, actor, tenant, Kind::Verify, OperationArguments::default(), Ask::default()).await
    };
    app.detached(start).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_over_all_tenants_fits_its_time() {
        let day = Duration::from_secs(86_400);
        assert_eq!(pause(day, 0), LONGEST_PAUSE);
        assert_eq!(pause(day, 10_000), Duration::from_millis(4_320));
        assert_eq!(pause(day, 1_000_000), SHORTEST_PAUSE);
    }
}
