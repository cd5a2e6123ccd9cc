//! What an operation on a tenant that stands was asked, as it is stored for a daemon that takes it up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Persisted with the operation: fields are added, never changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OperationArguments {
    /// What the tenant is to be like after an update, whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update: Option<Update>,
    /// How long a retired tenant can be taken back, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_s: Option<u64>,
    /// The login role that a change of secrets opens or closes. Never its secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
}

/// A tenant's own fields.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Update {
    pub display_name: String,
    pub labels: BTreeMap<String, String>,
    pub settings: BTreeMap<String, i64>,
}
