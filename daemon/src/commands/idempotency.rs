//! Idempotency keys: the same key, from the same actor, for the same method, leads to the same operation for ever.

use serde::Serialize;
use sha2::{Digest, Sha256};
use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::id::OperationId;

use crate::postgres::operations::{self, IdempotencyKey};

use super::{App, Caller, errors};

const LONGEST_KEY: usize = 200;

/// A key as it came with a request; [`Key::lend`] gives it to the registry.
#[derive(Debug, Clone)]
pub(super) struct Key {
    actor: String,
    method: &'static str,
    key: String,
    request_digest: [u8; 32],
}

impl Key {
    /// `request` is what must be the same when the key is used again.
    pub(super) fn new(
        caller: &Caller,
        method: &'static str,
        key: Option<&str>,
        request: &impl Serialize,
    ) -> Result<Option<Self>, ApiError> {
        let Some(key) = key else { return Ok(None) };
        if key.is_empty() || key.len() > LONGEST_KEY || !key.bytes().all(|b| b.is_ascii_graphic()) {
            let message =
                format!("an idempotency key has 1 to {LONGEST_KEY} visible ASCII characters and no space");
            return Err(ApiError::invalid("idempotency_key", message));
        }
        let body = serde_json::to_vec(request).map_err(|error| {
            tracing::error!(%error, "a request could not be digested");
            errors::internal()
        })?;
        let request_digest = Sha256::digest(body).into();
        Ok(Some(Self { actor: format!("uid {}", caller.uid), method, key: key.to_owned(), request_digest }))
    }

    pub(super) fn lend(&self) -> IdempotencyKey<'_> {
        IdempotencyKey {
            actor: &self.actor,
            method: self.method,
            key: &self.key,
            request_digest: &self.request_digest,
        }
    }
}

impl App {
    /// The operation that the key led to before.
    pub(super) async fn replay(&self, key: Option<&Key>) -> Result<Option<OperationId>, ApiError> {
        let Some(key) = key else { return Ok(None) };
        match operations::by_key(self.control.pool(), key.lend()).await.map_err(errors::control)? {
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
