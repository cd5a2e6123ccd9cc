//! The errors that a request can be refused with: a stable code, a sentence that says what to do, and the field concerned.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The stable part of an error; scripts branch on it, and the client's exit status follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request itself is wrong; `field` says where.
    InvalidArgument,
    /// Nothing by that name.
    NotFound,
    /// Something by that name exists, or the same idempotency key came with another request.
    Conflict,
    /// The request is right, but not in this state.
    Precondition,
    /// The caller's role does not allow it.
    Denied,
    /// A database, or the daemon itself, cannot serve this now; trying again later can help.
    Unavailable,
    /// An operation stopped where a person has to look.
    NeedsAttention,
    /// A bug, or an unforeseen error; details are in the daemon's log.
    Internal,
    /// A code that this build does not know.
    #[serde(other)]
    Other,
}

impl ErrorCode {
    /// The exit status of `tenantry` for this code.
    pub const fn exit_status(self) -> u8 {
        match self {
            Self::InvalidArgument => 2,
            Self::Unavailable => 3,
            Self::Denied => 4,
            Self::Conflict | Self::Precondition => 5,
            Self::NeedsAttention => 6,
            Self::NotFound => 7,
            Self::Internal | Self::Other => 70,
        }
    }
}

/// The error of every RPC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    pub code: ErrorCode,
    /// A sentence or two for the operator: what is wrong, and what to do next. Never holds a secret.
    pub message: String,
    /// The request's field that is at fault, as a path: `slug`, `settings.connection_limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl ApiError {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: None }
    }

    /// An `invalid_argument` about one field of the request.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: ErrorCode::InvalidArgument, message: message.into(), field: Some(field.into()) }
    }

    #[must_use]
    pub fn on_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
}
