//! `rollback_preview`: what a rollback would remove now, for an operator who is about to confirm one.
//!
//! Invariant: it refuses what `rollback` would refuse in the tenant's state, and changes nothing.

use std::sync::Arc;

use tenantry_protocol::error::ApiError;
use tenantry_protocol::tenant::{RollbackPreview, RollbackPreviewRequest};

use crate::model::operation::{Archiving, Kind};
use crate::postgres::preparation;
use crate::postgres::removal::preview;
use crate::postgres::target::location::Home;

use super::change::check_state;
use crate::commands::{App, Caller, errors};

pub async fn rollback_preview(
    app: &Arc<App>,
    _: &Caller,
    request: RollbackPreviewRequest,
) -> Result<RollbackPreview, ApiError> {
    let tenant = app.find_tenant(&request.slug).await?;
    check_state(Kind::Rollback { archive: Archiving::Without }, &tenant)?;
    let target = app.target(tenant.target.as_str())?;
    let of_target = |error| errors::target(&tenant.target, error);
    let ready = preparation::ready(target).await.map_err(of_target)?;
    let home = Home::new(target, tenant.tenancy, &tenant.placement, tenant.id);
    let found = preview::look(home.on(target), &ready, &tenant.placement).await.map_err(of_target)?;
    Ok(RollbackPreview {
        active_since: app.active_since(&tenant).await?,
        tenant,
        tables: found.tables,
        rows: found.rows,
        size_bytes: found.size_bytes,
        roles: found.roles,
        sessions: found.sessions,
        pool: found.pool,
    })
}
