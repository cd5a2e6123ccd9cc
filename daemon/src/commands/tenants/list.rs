//! `tenants`: a page of tenants.

use std::sync::Arc;

use tenantry_protocol::brief::{self, PAGE_BYTES};
use tenantry_protocol::error::ApiError;
use tenantry_protocol::name::Slug;
use tenantry_protocol::tenant::state::TenantStage;
use tenantry_protocol::tenant::{TenantsRequest, TenantsResponse};
use uuid::Uuid;

use crate::postgres::control::tenants as stored_tenants;
use crate::postgres::control::tenants::{Cursor, TenantFilter};

use crate::commands::paging::limit;
use crate::commands::{App, Caller, errors};

const DEFAULT_LIMIT: u32 = 200;
const MOST: u32 = 1_000;

pub async fn tenants(
    app: &Arc<App>,
    _: &Caller,
    request: TenantsRequest,
) -> Result<TenantsResponse, ApiError> {
    let limit = limit(request.limit, DEFAULT_LIMIT, MOST)?;
    if let Some(unknown) = request.states.iter().find(|state| TenantStage::parse(state).is_none()) {
        let message = format!(
            "'{}' is no state of a tenant; there are: {}",
            unknown.escape_debug(),
            TenantStage::names().join(", ")
        );
        return Err(ApiError::invalid("states", message));
    }
    let filter = TenantFilter { states: request.states.clone(), all: request.all };
    let after = request.after.as_deref().map(parse_cursor).transpose()?;
    let mut tenants = stored_tenants::page(app.control.pool(), &filter, after.as_ref(), limit)
        .await
        .map_err(errors::control)?;
    let total = app.control.tenant_counts().await.map_err(errors::control)?.listed(&filter);
    let is_full = i64::try_from(tenants.len()).is_ok_and(|length| length == limit);
    let is_full = brief::fit(&mut tenants, PAGE_BYTES) || is_full;
    let next = tenants.last().filter(|_| is_full).map(|last| format!("{}/{}", last.slug, last.id));
    Ok(TenantsResponse { tenants, next, total })
}

fn parse_cursor(text: &str) -> Result<Cursor, ApiError> {
    let parts = text
        .split_once('/')
        .and_then(|(slug, id)| Some((Slug::parse(slug).ok()?.to_string(), Uuid::parse_str(id).ok()?)));
    parts.ok_or_else(|| ApiError::invalid("after", "after is not the 'next' of a page"))
}
