//! `watch`: waits for events of the ring.

use std::sync::Arc;
use std::time::Duration;

use tenantry_protocol::error::ApiError;
use tenantry_protocol::watch::{EventBody, WatchRequest, WatchResponse};

use crate::commands::operations::show::parse_id;
use crate::commands::{App, Caller};

const LONGEST_WAIT: Duration = Duration::from_secs(30);

pub async fn watch(app: &Arc<App>, _: &Caller, request: WatchRequest) -> Result<WatchResponse, ApiError> {
    let wanted = request.operation.as_deref().map(|id| parse_id("operation", id)).transpose()?;
    let wait = Duration::from_millis(request.wait_ms).min(LONGEST_WAIT);
    let accept = |body: &EventBody| match (wanted, body) {
        (None, _) => true,
        (Some(id), EventBody::Operation { operation }) => operation.id == id,
        (Some(id), EventBody::Log { operation_id, .. }) => *operation_id == id,
        (Some(_), _) => false,
    };
    Ok(app.events.after(request.cursor, wait, accept).await)
}
