//! `operation`: one operation; shown live while it runs.

use std::sync::Arc;

use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::id::OperationId;
use tenantry_protocol::operation::{Operation, OperationRequest};

use crate::postgres::control::operations;

use crate::commands::{App, Caller, errors};

pub async fn operation(app: &Arc<App>, _: &Caller, request: OperationRequest) -> Result<Operation, ApiError> {
    app.find_operation(parse_id("id", &request.id)?).await
}

/// An operation's id, as it is written in a request.
pub(in crate::commands) fn parse_id(field: &str, text: &str) -> Result<OperationId, ApiError> {
    text.parse().map_err(|_| {
        let message =
            format!("'{}' is no operation's id: `tenantry operation list` shows them", text.escape_debug());
        ApiError::invalid(field, message)
    })
}

impl App {
    pub(in crate::commands) async fn find_operation(&self, id: OperationId) -> Result<Operation, ApiError> {
        if let Some(live) = self.engine.live(id) {
            return Ok(live);
        }
        let stored = operations::by_id(self.control.pool(), id).await.map_err(errors::control)?;
        stored.ok_or_else(|| {
            let message = format!("there is no operation {id}: `tenantry operation list` shows them");
            ApiError::new(ErrorCode::NotFound, message).on_field("id")
        })
    }
}
