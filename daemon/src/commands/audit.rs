//! `audit`: a page of the audit trail, newest first.

use tenantry_protocol::audit::{AuditRequest, AuditResponse};
use tenantry_protocol::error::ApiError;
use tenantry_protocol::session::Role;

use crate::postgres::audit_rows;

use super::operations::{limit, parse_slug};
use super::{App, Caller, errors};

const DEFAULT_LIMIT: u32 = 50;
const MOST: u32 = 500;

pub async fn audit(app: &App, caller: &Caller, request: &AuditRequest) -> Result<AuditResponse, ApiError> {
    app.authorise(caller, Role::Viewer, "audit").await?;
    let limit = limit(request.limit, DEFAULT_LIMIT, MOST)?;
    let slug = request.filter.slug.as_deref().map(parse_slug).transpose()?;
    let events = audit_rows::page(app.control.pool(), slug.as_deref(), request.before, limit)
        .await
        .map_err(errors::control)?;
    let head = audit_rows::head_seq(app.control.pool()).await.map_err(errors::control)?;
    Ok(AuditResponse { events, searched_to: None, trail: app.trail.status(head) })
}
