//! `audit`: a page of the audit trail, newest first.

use std::sync::Arc;

use tenantry_protocol::audit::{AuditRequest, AuditResponse};
use tenantry_protocol::error::ApiError;

use crate::postgres::audit::search;

use super::request_filter;
use crate::commands::paging::limit;
use crate::commands::{App, Caller, errors};

const DEFAULT_LIMIT: u32 = 50;
const MOST: u32 = 500;

pub async fn audit(app: &Arc<App>, _: &Caller, request: AuditRequest) -> Result<AuditResponse, ApiError> {
    let limit = limit(request.limit, DEFAULT_LIMIT, MOST)?;
    let filter = request_filter::parse(&request.filter)?;
    let before = match request.before {
        Some(before) if before < 1 => {
            return Err(ApiError::invalid("before", format!("before is {before}, and events begin at 1")));
        }
        before => before,
    };
    let limit = usize::try_from(limit).unwrap_or_default();
    let found = search::page(app.control.pool(), &filter, before, limit).await.map_err(errors::control)?;
    let trail = app.trail.status(found.head_seq);
    Ok(AuditResponse { events: found.events, searched_to: found.searched_to, trail })
}
