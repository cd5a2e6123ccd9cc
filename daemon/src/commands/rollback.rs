//! `rollback`: starts the complete removal of a tenant and answers at once.

use std::sync::Arc;

use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::session::Role;
use tenantry_protocol::tenant::{OperationStarted, RollbackRequest, Tenant};

use crate::pipeline::{Actor, RollbackJob};
use crate::postgres::{Error, operations};

use super::idempotency::Key;
use super::{App, Caller, errors};

pub async fn rollback(
    app: &Arc<App>,
    caller: &Caller,
    request: RollbackRequest,
) -> Result<OperationStarted, ApiError> {
    app.authorise(caller, Role::Operator, "rollback").await?;
    let same = RollbackRequest { idempotency_key: None, ..request.clone() };
    let key = Key::new(caller, "rollback", request.idempotency_key.as_deref(), &same)?;
    if let Some(started) = app.replayed(key.as_ref()).await? {
        return Ok(started);
    }
    let tenant = app.find_tenant(&request.slug).await?;
    if request.confirm != tenant.slug.as_str() {
        let message = format!("to remove {0}, repeat its name exactly: --confirm {0}", tenant.slug);
        return Err(ApiError::invalid("confirm", message));
    }
    if let Err(error) = check_state(&tenant) {
        // The same request, sent twice at once, may have found the tenant a moment earlier.
        return app.replayed(key.as_ref()).await?.ok_or(error);
    }
    if !request.discard_data {
        let message = format!(
            "{} would be removed without an archive, which this version cannot make: back it up, then say that its \
             data may go with --discard-data",
            tenant.slug
        );
        return Err(ApiError::new(ErrorCode::Precondition, message).on_field("discard_data"));
    }
    let (task, actor) = (Arc::clone(app), caller.actor());
    app.detached(async move { start(&task, actor, &tenant, key).await }).await
}

/// A rollback of it can be asked for now.
pub(super) fn check_state(tenant: &Tenant) -> Result<(), ApiError> {
    let next = match tenant.state.name() {
        "active" | "suspended" | "needs_attention" => return Ok(()),
        "provisioning" => "wait until its provisioning has ended: `tenantry operation list`",
        "rolling_back" => "it is being removed already: `tenantry operation list`",
        _ => "nothing of it is left to remove",
    };
    let message = format!("{} is {}: {next}", tenant.slug, tenant.state.name());
    Err(ApiError::new(ErrorCode::Precondition, message))
}

async fn start(
    app: &App,
    actor: Actor,
    tenant: &Tenant,
    key: Option<Key>,
) -> Result<OperationStarted, ApiError> {
    let provision = operations::provision_of(app.control.pool(), tenant.id).await.map_err(errors::control)?;
    let Some(provision) = provision else { return Err(errors::internal()) };
    let target = Arc::clone(app.target(tenant.target.as_str())?);
    let job = RollbackJob { actor, tenant, target, provision, key: key.as_ref().map(Key::lend) };
    match app.engine.rollback(job).await {
        Ok(Some(operation)) => Ok(OperationStarted { operation, replayed: false }),
        Ok(None) => {
            if let Some(started) = app.replayed(key.as_ref()).await? {
                return Ok(started);
            }
            let message = format!(
                "{} changed its state meanwhile: look at it with `tenantry tenant show {0}`",
                tenant.slug
            );
            Err(ApiError::new(ErrorCode::Precondition, message))
        }
        Err(Error::KeyTaken) => app.replayed(key.as_ref()).await?.ok_or_else(errors::internal),
        Err(error) => Err(errors::control(error)),
    }
}
