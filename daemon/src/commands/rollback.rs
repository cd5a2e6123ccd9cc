//! `rollback`: starts the complete removal of a tenant and answers at once.

use std::sync::Arc;

use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::tenant::{OperationStarted, RollbackRequest, Tenant};

use crate::model::operation::{Archiving, Kind};
use crate::pipeline::Arguments;

use super::change::{Asked, change, check_confirmed};
use super::{App, Caller};

pub async fn rollback(
    app: &Arc<App>,
    caller: &Caller,
    request: RollbackRequest,
) -> Result<OperationStarted, ApiError> {
    let same = RollbackRequest { idempotency_key: None, ..request.clone() };
    let key = request.idempotency_key.as_deref();
    let asked = Asked { method: "rollback", slug: &request.slug, key, same: &same };
    change(app, caller, asked, |tenant| {
        check_confirmed(tenant, &request.confirm, "remove")?;
        let archive = archiving(tenant, request.discard_data)?;
        Ok((Kind::Rollback { archive }, Arguments::default()))
    })
    .await
}

/// Whether an archive is made first.
pub(super) fn archiving(tenant: &Tenant, discard_data: bool) -> Result<Archiving, ApiError> {
    if discard_data {
        return Ok(Archiving::Without);
    }
    let message = format!(
        "{} would be removed without an archive, which this version cannot make: back it up, then say that its data \
         may go with --discard-data",
        tenant.slug
    );
    Err(ApiError::new(ErrorCode::Precondition, message).on_field("discard_data"))
}
