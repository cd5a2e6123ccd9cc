//! `retire`: the planned end of a tenant. Its logins are closed and it is archived; after a grace it is removed.

use std::sync::Arc;

use tenantry_protocol::error::ApiError;
use tenantry_protocol::tenant::{OperationStarted, RetireRequest};

use crate::model::operation::Kind;
use crate::pipeline::Arguments;

use super::change::{Asked, change, check_confirmed};
use super::rollback::archiving;
use super::{App, Caller};

/// Where the request says nothing: long enough to be noticed and taken back.
const GRACE_S: u64 = 30 * 24 * 3_600;
/// A hundred years: beyond it a date cannot be written.
const LONGEST_GRACE_S: u64 = 100 * 365 * 24 * 3_600;

pub async fn retire(
    app: &Arc<App>,
    caller: &Caller,
    request: RetireRequest,
) -> Result<OperationStarted, ApiError> {
    let same = RetireRequest { idempotency_key: None, ..request.clone() };
    let key = request.idempotency_key.as_deref();
    let asked = Asked { method: "retire", slug: &request.slug, key, same: &same };
    change(app, caller, asked, |tenant| {
        check_confirmed(tenant, &request.confirm, "retire")?;
        let grace = request.grace_s.unwrap_or(GRACE_S);
        if grace > LONGEST_GRACE_S {
            return Err(ApiError::invalid("grace_s", "a grace is at most 100 years".to_owned()));
        }
        let archive = archiving(tenant, request.discard_data)?;
        Ok((Kind::Retire { archive }, Arguments { grace_s: Some(grace), ..Arguments::default() }))
    })
    .await
}
