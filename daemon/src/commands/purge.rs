//! The daemon's own operation: a retired tenant is removed when its grace is over.
//!
//! Runs only in the daemon that holds the control database, from its registry alone, so that a restart forgets nothing.
//! It sleeps until the next grace ends or another tenant is retired.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tenantry_protocol::error::ApiError;
use tenantry_protocol::id::TenantId;
use tenantry_protocol::tenant::TenantState;
use tenantry_protocol::watch::EventBody;
use time::OffsetDateTime;

use crate::model::operation::Kind;
use crate::pipeline::{Actor, Arguments};
use crate::postgres::tenants;

use super::{App, change, errors};

/// The longest sleep: somebody may set the clock meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(3_600);
/// Until a tenant is tried again whose purge could not begin, or was cancelled: its operator may want it back.
const PAUSE: Duration = Duration::from_secs(60);

/// Begins purges as they come due; never ends by itself.
pub async fn purge_when_due(app: &Arc<App>) {
    let mut cursor = app.events.after(None, Duration::ZERO, |_| true).await.cursor;
    let mut tried = HashMap::new();
    while !app.events.is_closed() {
        let sleep = match begin_due(app, &mut tried).await {
            Ok(sleep) => sleep,
            Err(error) => {
                tracing::warn!(%error, "retired tenants cannot be looked for");
                PAUSE
            }
        };
        cursor = app.events.after(Some(cursor), sleep, is_retired).await.cursor;
    }
    // The daemon stops: what comes due now is for the next one.
    std::future::pending().await
}

/// Begins what is due; gives how long nothing else will be.
async fn begin_due(app: &Arc<App>, tried: &mut HashMap<TenantId, Instant>) -> Result<Duration, ApiError> {
    tried.retain(|_, at| at.elapsed() < PAUSE);
    let now = OffsetDateTime::now_utc();
    for (id, purge_after) in tenants::to_purge(app.control.pool()).await.map_err(errors::control)? {
        // In the order in which they come due.
        if purge_after > now {
            let sleep = Duration::try_from(purge_after - now).unwrap_or_default();
            return Ok(if tried.is_empty() { sleep.min(LONGEST_SLEEP) } else { sleep.min(PAUSE) });
        }
        if tried.contains_key(&id) {
            continue;
        }
        tried.insert(id, Instant::now());
        if let Err(error) = begin(app, id).await {
            tracing::warn!(tenant = %id, %error, "a purge that is due cannot begin yet");
        }
    }
    Ok(if tried.is_empty() { LONGEST_SLEEP } else { PAUSE })
}

async fn begin(app: &Arc<App>, id: TenantId) -> Result<(), ApiError> {
    let tenant = app.find_tenant(&id.to_string()).await?;
    let actor = Actor { uid: app.own_uid, name: "tenantryd".to_owned() };
    let task = Arc::clone(app);
    let start =
        async move { change::start(&task, actor, tenant, Kind::Purge, Arguments::default(), None).await };
    app.detached(start).await.map(|_| ())
}

fn is_retired(body: &EventBody) -> bool {
    matches!(body, EventBody::Tenant { tenant }
        if matches!(tenant.state, TenantState::Retiring { purge_after: Some(_) }))
}
