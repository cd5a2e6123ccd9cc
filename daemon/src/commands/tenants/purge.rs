//! The daemon's own operation: removes a retired tenant when its grace period is over.
//!
//! Runs only in the daemon that holds the control database, and only from its registry, so that a restart forgets
//! nothing. It sleeps until the next grace period ends or another tenant is retired.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::id::TenantId;
use tenantry_protocol::tenant::TenantState;
use tenantry_protocol::watch::EventBody;
use time::OffsetDateTime;

use crate::model::operation::Kind;
use crate::pipeline::{Actor, OperationArguments};
use crate::postgres::control::tenants;

use super::change;
use crate::commands::idempotency::Ask;
use crate::commands::{App, errors};

/// The longest sleep: somebody may set the clock in the meantime, and a task that ends between the COMMIT of a retirement and its
/// announcement announces nothing.
const LONGEST_SLEEP: Duration = Duration::from_secs(20);
/// The pause after a purge that could not begin or was cancelled: the operator may want the tenant back.
const PAUSE: Duration = Duration::from_secs(60);

/// The pause when a database did not answer: that is over sooner than an operator changes their mind.
const UNAVAILABLE_PAUSE: Duration = Duration::from_secs(1);

/// Begins purges as they come due; never returns by itself.
pub async fn purge_when_due(app: &Arc<App>) {
    let mut cursor = app.events.after(None, Duration::ZERO, |_| true).await.cursor;
    let mut tried = HashMap::new();
    while !app.events.is_closed() {
        let sleep = match begin_due(app, &mut tried).await {
            Ok(sleep) => sleep,
            Err(error) => {
                tracing::warn!(%error, "retired tenants cannot be looked for");
                UNAVAILABLE_PAUSE
            }
        };
        cursor = app.events.after(Some(cursor), sleep, is_retired).await.cursor;
    }
    // The daemon is stopping: purges that come due now are left to the next one.
    std::future::pending().await
}

/// Begins the purges that are due, and returns the time until the next.
async fn begin_due(app: &Arc<App>, tried: &mut HashMap<TenantId, Instant>) -> Result<Duration, ApiError> {
    tried.retain(|_, at| at.elapsed() < PAUSE);
    let now = OffsetDateTime::now_utc();
    let mut sleep = LONGEST_SLEEP;
    for (id, purge_after) in tenants::to_purge(app.control.pool()).await.map_err(errors::control)? {
        // They are in the order in which they come due.
        if purge_after > now {
            sleep = sleep.min(Duration::try_from(purge_after - now).unwrap_or_default());
            break;
        }
        if tried.contains_key(&id) {
            continue;
        }
        match begin(app, id).await {
            // The control database is unavailable, which all the others need as well: every purge begins there, on any
            // target.
            Err(error) if error.code == ErrorCode::Unavailable => {
                tracing::warn!(tenant = %id, %error, "a purge that is due cannot begin yet");
                return Ok(UNAVAILABLE_PAUSE);
            }
            Err(error) => tracing::warn!(tenant = %id, %error, "a purge that is due cannot begin"),
            Ok(()) => {}
        }
        tried.insert(id, Instant::now());
    }
    Ok(if tried.is_empty() { sleep } else { sleep.min(PAUSE) })
}

async fn begin(app: &Arc<App>, id: TenantId) -> Result<(), ApiError> {
    let tenant = app.find_tenant(&id.to_string()).await?;
    let actor = Actor::daemon(app.own_uid);
    let task = Arc::clone(app);
    let start = async move {
        change::start(&task, actor, tenant, Kind::Purge, OperationArguments::default(), Ask::default()).await
    };
    app.detached(start).await.map(|_| ())
}

fn is_retired(body: &EventBody) -> bool {
    matches!(body, EventBody::Tenant { tenant }
        if matches!(tenant.state, TenantState::Retiring { purge_after: Some(_) }))
}
