//! Idempotency keys: the same key, from the same actor, for the same method, always leads to the same operation.

use serde::Serialize;
use sha2::{Digest, Sha256};
use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::id::OperationId;

use crate::pipeline::Asked;
use crate::postgres::control::operations::{self, IdempotencyKey};

use crate::commands::{App, Caller, errors};

const LONGEST_KEY: usize = 200;

/// A request with its key, if it has one; [`Ask::lend`] gives it to the registry and the trail.
#[derive(Debug, Clone, Default)]
pub(in crate::commands) struct Ask {
    key: Option<RequestKey>,
    /// `None` for requests of the daemon itself.
    request_digest: Option<[u8; 32]>,
    retry_of: Option<OperationId>,
}

#[derive(Debug, Clone)]
struct RequestKey {
    actor: String,
    method: &'static str,
    key: String,
}

/// Whether the key is one.
pub(in crate::commands) fn check_key(key: Option<&str>) -> Result<(), ApiError> {
    let is_key =
        |key: &str| (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    if key.is_none_or(is_key) {
        return Ok(());
    }
    let message = format!("an idempotency key has 1 to {LONGEST_KEY} visible ASCII characters and no space");
    Err(ApiError::invalid("idempotency_key", message))
}

impl Ask {
    /// `request` is the part that must be the same when the key is used again.
    pub(in crate::commands) fn new(
        caller: &Caller,
        method: &'static str,
        key: Option<&str>,
        request: &impl Serialize,
    ) -> Result<Self, ApiError> {
        check_key(key)?;
        let body = serde_json::to_vec(request).map_err(|error| {
            tracing::error!(%error, "a request could not be digested");
            errors::internal()
        })?;
        let key =
            key.map(|key| RequestKey { actor: format!("uid {}", caller.uid), method, key: key.to_owned() });
        Ok(Self { key, request_digest: Some(Sha256::digest(body).into()), retry_of: None })
    }

    /// The same request, as another attempt at the work of `earlier`.
    pub(super) fn again(self, earlier: OperationId) -> Self {
        Self { retry_of: Some(earlier), ..self }
    }

    pub(in crate::commands) fn lend(&self) -> Asked<'_> {
        Asked { key: self.key(), request: self.request_digest, retry_of: self.retry_of, upgrade: None }
    }

    fn key(&self) -> Option<IdempotencyKey<'_>> {
        let (key, request_digest) = (self.key.as_ref()?, self.request_digest.as_ref()?);
        Some(IdempotencyKey { actor: &key.actor, method: key.method, key: &key.key, request_digest })
    }
}

impl App {
    /// The operation that the key led to earlier.
    pub(in crate::commands) async fn replay(&self, ask: &Ask) -> Result<Option<OperationId>, ApiError> {
        let Some(key) = ask.key() else { return Ok(None) };
        match operations::by_key(self.control.pool(), key).await.map_err(errors::control)? {
            None => Ok(None),
            Some((operation, true)) => Ok(Some(operation)),
            Some((operation, false)) => {
                let message = format!(
                    "the idempotency key '{}' was used for another request (operation {operation}): choose a new key",
                    key.key
                );
                Err(ApiError::new(ErrorCode::Conflict, message).on_field("idempotency_key"))
            }
        }
    }
}
