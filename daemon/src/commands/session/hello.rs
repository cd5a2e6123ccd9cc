//! `hello`: opens a connection: versions, identity, role.

use std::sync::Arc;

use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::service::{HELLO, PROTOCOL_VERSION};
use tenantry_protocol::session::{HelloRequest, HelloResponse};

use crate::commands::{App, Caller};

pub async fn hello(
    app: &Arc<App>,
    caller: &Caller,
    request: HelloRequest,
) -> Result<HelloResponse, ApiError> {
    if request.protocol_version != PROTOCOL_VERSION {
        let (older, theirs) = (request.protocol_version < PROTOCOL_VERSION, request.protocol_version);
        let which = if older { "the client" } else { "the daemon" };
        let message = format!(
            "this daemon speaks protocol version {PROTOCOL_VERSION} and the client speaks {theirs}: upgrade {which}"
        );
        return Err(ApiError::new(ErrorCode::Precondition, message).on_field("protocol_version"));
    }
    let role = app.authorise(caller, HELLO).await?;
    Ok(HelloResponse {
        protocol_version: PROTOCOL_VERSION,
        server_version: env!("CARGO_PKG_VERSION").to_owned(),
        label: app.settings().label.clone(),
        actor: caller.display(),
        role,
        mode: app.mode,
    })
}
