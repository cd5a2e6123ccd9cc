//! `rollback`: starts the complete removal of a tenant and answers at once.

use std::sync::Arc;

use tenantry_protocol::error::ApiError;
use tenantry_protocol::tenant::{OperationStarted, RollbackRequest};

use crate::model::operation::{Archiving, Kind};
use crate::pipeline::OperationArguments;

use super::change::{TenantChange, change, check_confirmed};
use crate::commands::{App, Caller};

pub async fn rollback(
    app: &Arc<App>,
    caller: &Caller,
    request: RollbackRequest,
) -> Result<OperationStarted, ApiError> {
    let same = RollbackRequest { idempotency_key: None, ..request.clone() };
    let key = request.idempotency_key.as_deref();
    let asked = TenantChange { method: "rollback", slug: &request.slug, key, same: &same };
    change(app, caller, asked, |tenant| {
        check_confirmed(tenant, &request.confirm, "remove")?;
        let archive = archiving(request.discard_data);
        Ok((Kind::Rollback { archive }, OperationArguments::default()))
    })
    .await
}

/// An archive is made unless the request says that the data may go.
pub(super) const fn archiving(discard_data: bool) -> Archiving {
    if discard_data { Archiving::Without } else { Archiving::With }
}
