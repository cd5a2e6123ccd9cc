//! Any call, as data: for `rpc`, which knows methods only by their names.
//!
//! Invariant: what passes through here is a request of the protocol like any other; nothing is sent that its types refuse.

use serde_json::Value;
use tenantry_protocol::{ApiError, ErrorCode, TenantryRequest, TenantryResponse};

use super::{Client, ClientError, LONG_CALL, settle, within};

impl Client {
    /// The answer in its wire format. `method` is for messages.
    pub(crate) async fn call(
        &self,
        method: &'static str,
        request: TenantryRequest,
    ) -> Result<Value, ClientError> {
        let answer = self.channel.call(within(LONG_CALL), request).await;
        settle(method, LONG_CALL, answer.map(|response| opened(&response)))
    }
}

/// `{"Tenants": {"Ok": …}}` without its two outer layers.
fn opened(response: &TenantryResponse) -> Result<Value, ApiError> {
    let shell = serde_json::to_value(response).ok();
    let inner = shell.as_ref().and_then(Value::as_object).and_then(|shell| shell.values().next());
    match inner.map(|inner| (inner.get("Ok"), inner.get("Err"))) {
        Some((Some(answer), _)) => Ok(answer.clone()),
        Some((None, Some(error))) => Err(serde_json::from_value(error.clone()).unwrap_or_else(|_| strange())),
        _ => Err(strange()),
    }
}

fn strange() -> ApiError {
    ApiError::new(ErrorCode::Internal, "the answer cannot be written as JSON; this is a bug in tenantry")
}
