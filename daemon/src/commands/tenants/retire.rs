//! `retire`: the planned end of a tenant. Its logins are closed and its data is archived; it is removed after a grace
//! period.

use std::sync::Arc;

use tenantry_protocol::error::ApiError;
use tenantry_protocol::tenant::{OperationStarted, RetireRequest};

use crate::config::LONGEST_GRACE_S;
use crate::model::operation::Kind;
use crate::pipeline::OperationArguments;

use super::change::{TenantChange, change, check_confirmed};
use super::rollback::archiving;
use crate::commands::{App, Caller};

pub async fn retire(
    app: &Arc<App>,
    caller: &Caller,
    request: RetireRequest,
) -> Result<OperationStarted, ApiError> {
    let same = RetireRequest { idempotency_key: None, ..request.clone() };
    let key = request.idempotency_key.as_deref();
    let asked = TenantChange { method: "retire", slug: &request.slug, key, same: &same };
    change(app, caller, asked, |tenant| {
        check_confirmed(tenant, &request.confirm, "retire")?;
        let grace = request.grace_s.unwrap_or(app.settings().retire_grace.as_secs());
        if grace > LONGEST_GRACE_S {
            return Err(ApiError::invalid("grace_s", "a grace is at most 100 years".to_owned()));
        }
        let archive = archiving(request.discard_data);
        Ok((
            Kind::Retire { archive },
            OperationArguments { grace_s: Some(grace), ..OperationArguments::default() },
        ))
    })
    .await
}
