//! `tenant`: one tenant with its history and its newest isolation report.

use std::sync::Arc;

use tenantry_protocol::brief::{self, PAGE_BYTES};
use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::id::TenantId;
use tenantry_protocol::name::Slug;
use tenantry_protocol::tenant::{Tenant, TenantDetail, TenantRequest};
use uuid::Uuid;

use crate::postgres::control::operations::{self, OperationFilter};
use crate::postgres::control::{archives, reports, tenants};

use crate::commands::{App, Caller, errors};

const OPERATIONS: i64 = 50;

pub async fn tenant(app: &Arc<App>, _: &Caller, request: TenantRequest) -> Result<TenantDetail, ApiError> {
    let tenant = app.find_tenant(&request.slug).await?;
    let filter = OperationFilter { tenant: Some(tenant.id), ..OperationFilter::default() };
    let pool = app.control.pool();
    let stored = operations::page(pool, &filter, OPERATIONS).await.map_err(errors::control)?;
    let isolation = reports::newest(pool, tenant.id).await.map_err(errors::control)?;
    let archives = archives::of_tenant(pool, tenant.id).await.map_err(errors::control)?;
    // Only the newest; `operations` pages through all.
    let mut operations = app.with_live(stored);
    brief::fit(&mut operations, PAGE_BYTES);
    Ok(TenantDetail { tenant, operations, isolation, archives })
}

impl App {
    /// A tenant by slug (the living one of that name, else the newest) or by id.
    pub(in crate::commands) async fn find_tenant(&self, slug_or_id: &str) -> Result<Tenant, ApiError> {
        let pool = self.control.pool();
        let found = match Uuid::parse_str(slug_or_id) {
            Ok(id) => tenants::by_id(pool, TenantId::from_uuid(id)).await,
            // A text that is not a valid name never belonged to a tenant, and the database would refuse some of these
            // texts.
            Err(_) => match Slug::parse(slug_or_id) {
                Ok(slug) => tenants::by_slug(pool, slug.as_str()).await,
                Err(_) => Ok(None),
            },
        };
        found.map_err(errors::control)?.ok_or_else(|| {
            let message = format!(
                "there is no tenant '{}': `tenantry tenant list` shows them",
                slug_or_id.escape_debug()
            );
            ApiError::new(ErrorCode::NotFound, message).on_field("slug")
        })
    }
}
