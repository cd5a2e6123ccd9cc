//! `cancel`: asks a running operation to end and to undo what it did; answers at once.

use std::sync::Arc;

use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::operation::{CancelRequest, Operation};
use tenantry_protocol::session::Role;

use crate::pipeline::Cancelling;

use super::{App, Caller};

pub async fn cancel(app: &Arc<App>, caller: &Caller, request: CancelRequest) -> Result<Operation, ApiError> {
    app.authorise(caller, Role::Operator, "cancel").await?;
    let id = super::operation::parse_id("operation", &request.operation)?;
    let operation = app.find_operation(id).await?;
    let refuse = |message: String| Err(ApiError::new(ErrorCode::Precondition, message));
    match app.engine.cancel(id, &app.actor(caller)) {
        Cancelling::Asked => app.find_operation(id).await,
        Cancelling::TooLate => refuse(format!(
            "the {} of {} is past the point of return: what it removes nobody can bring back",
            operation.kind.name(),
            operation.slug
        )),
        Cancelling::NotRunning if operation.state.is_final() => refuse(format!(
            "the {} of {} has ended already: it is {}",
            operation.kind.name(),
            operation.slug,
            operation.state.name()
        )),
        Cancelling::NotRunning => {
            refuse("another daemon runs this operation: ask that one, see `tenantry status`".to_owned())
        }
    }
}
