//! Where tenants and operations are. The name has a column of its own; what belongs to the state is in another, without it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tenantry_protocol::operation::{Failure, OperationState};
use tenantry_protocol::tenant::TenantState;
use time::OffsetDateTime;

/// `tenant.state` with `tenant.state_detail`; `operation.state_before` has both in one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoredTenantState(#[serde(with = "TenantStateShape")] pub TenantState);

#[derive(Serialize, Deserialize)]
#[serde(remote = "TenantState", tag = "name", rename_all = "snake_case")]
enum TenantStateShape {
    Provisioning,
    Active,
    Suspended,
    RollingBack,
    RolledBack {
        reason: String,
    },
    Retiring {
        #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
        purge_after: Option<OffsetDateTime>,
    },
    Retired,
    NeedsAttention {
        reason: String,
        next_command: String,
    },
    #[serde(other)]
    Other,
}

/// `operation.state` with `operation.state_detail`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoredOperationState(#[serde(with = "OperationStateShape")] pub OperationState);

#[derive(Serialize, Deserialize)]
#[serde(remote = "OperationState", tag = "name", rename_all = "snake_case")]
enum OperationStateShape {
    Queued,
    Running,
    Succeeded,
    Unwinding {
        #[serde(with = "FailureShape")]
        failure: Failure,
    },
    RolledBack {
        #[serde(with = "FailureShape")]
        failure: Failure,
    },
    NeedsAttention {
        #[serde(with = "FailureShape")]
        failure: Failure,
        left: String,
        next_command: String,
    },
    Cancelled,
    #[serde(other)]
    Other,
}

/// In the states of operations and in their journals.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Failure")]
pub(in crate::model) struct FailureShape {
    step: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    statement: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sqlstate: Option<String>,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl StoredTenantState {
    /// What belongs to the state, without its name.
    pub fn detail(state: &TenantState) -> Value {
        without_name(Self(state.clone()))
    }

    /// The state of these two columns.
    pub fn read(name: String, detail: Value) -> serde_json::Result<TenantState> {
        let Self(state) = with_name(name, detail)?;
        Ok(state)
    }
}

impl StoredOperationState {
    /// What belongs to the state, without its name.
    pub fn detail(state: &OperationState) -> Value {
        without_name(Self(state.clone()))
    }

    /// The state of these two columns.
    pub fn read(name: String, detail: Value) -> serde_json::Result<OperationState> {
        let Self(state) = with_name(name, detail)?;
        Ok(state)
    }
}

fn without_name(state: impl Serialize) -> Value {
    let mut value = serde_json::to_value(state).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.remove("name");
    }
    value
}

fn with_name<T: DeserializeOwned>(name: String, mut detail: Value) -> serde_json::Result<T> {
    if let Some(object) = detail.as_object_mut() {
        object.insert("name".to_owned(), name.into());
    }
    serde_json::from_value(detail)
}
