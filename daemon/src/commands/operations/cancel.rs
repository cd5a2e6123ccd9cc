//! `cancel`: asks a running operation to end and to undo what it did; answers at once.

use std::sync::Arc;

use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::operation::{CancelRequest, Operation};

use crate::model::audit_chain::Entry;
use crate::pipeline::{Actor, Cancelling};

use crate::commands::idempotency::Ask;
use crate::commands::{App, Caller, errors};

pub async fn cancel(app: &Arc<App>, caller: &Caller, request: CancelRequest) -> Result<Operation, ApiError> {
    let ask = Ask::new(caller, "cancel", None, &request)?;
    let id = super::show::parse_id("operation", &request.operation)?;
    let operation = app.find_operation(id).await?;
    let refuse = |message: String| Err(ApiError::new(ErrorCode::Precondition, message));
    let answer = match app.engine.can_cancel(id) {
        Cancelling::Asked => {
            let (task, actor, ask, about) = (Arc::clone(app), app.actor(caller), ask, operation.clone());
            app.detached(async move { record_and_cancel(&task, actor, &ask, &about).await }).await?
        }
        refused => refused,
    };
    match answer {
        Cancelling::Asked => app.find_operation(id).await,
        Cancelling::TooLate => refuse(format!(
            "the {} of {} is past the point of return: what it removes nobody can bring back",
            operation.kind.name(),
            operation.slug
        )),
        Cancelling::NotRunning if operation.state.is_final() => refuse(format!(
            "the {} of {} has already ended: its state is {}",
            operation.kind.name(),
            operation.slug,
            operation.state.name()
        )),
        Cancelling::NotRunning => {
            refuse("another daemon runs this operation: ask that one, see `tenantry status`".to_owned())
        }
    }
}

/// The request is on record before it has an effect. The operation's own end shows whether it succeeded.
async fn record_and_cancel(
    app: &App,
    actor: Actor,
    ask: &Ask,
    operation: &Operation,
) -> Result<Cancelling, ApiError> {
    let entry = Entry {
        tenant_id: Some(operation.tenant_id.as_uuid()),
        slug: Some(operation.slug.to_string()),
        operation_id: Some(operation.id.as_uuid()),
        request: ask.lend().request,
        ..Entry::new("operation.cancel", actor.clone())
    };
    let entry = entry.fact("kind", operation.kind.name()).fact("target", &operation.target);
    app.record_alone(&entry).await.map_err(errors::control)?;
    Ok(app.engine.cancel(operation.id, &actor))
}
