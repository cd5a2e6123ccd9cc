//! The arguments of an operation on an existing tenant, stored for a daemon that takes the operation over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tenantry_protocol::name::BlueprintVersion;
use tenantry_protocol::operation::VersionChange;
use tenantry_protocol::upgrade::Course;

/// Persisted with the operation: fields may be added, but never changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OperationArguments {
    /// The complete fields that the tenant has after an update.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update: Option<Update>,
    /// How long a retired tenant can be restored, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_s: Option<u64>,
    /// The login role that a change of secrets opens or closes. Its secret is never stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// The version of the blueprint that an upgrade brings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<BlueprintVersion>,
    /// The version that the tenant had before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<BlueprintVersion>,
}

impl OperationArguments {
    /// Whether an upgrade goes back to an earlier version.
    pub fn course(&self) -> Course {
        let is_back = self.versions().is_some_and(|versions| versions.to < versions.from);
        if is_back { Course::Back } else { Course::Forward }
    }

    /// The versions of an upgrade.
    pub fn versions(&self) -> Option<VersionChange> {
        Some(VersionChange { from: self.from?, to: self.version? })
    }
}

/// A tenant's own fields.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Update {
    pub display_name: String,
    pub labels: BTreeMap<String, String>,
    pub settings: BTreeMap<String, i64>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Frozen: `operation.arguments` as earlier builds stored it.
    #[test]
    fn arguments_of_earlier_builds_are_read() {
        let rows = [
            "{}",
            r#"{"grace_s":604800}"#,
            r#"{"login":"t_aaaaaaaaaaaaa_b"}"#,
            r#"{"version":"1.1"}"#,
            r#"{"update":{"display_name":"Acme","labels":{"tier":"gold"},"settings":{"connection_limit":20}}}"#,
        ];
        for row in rows {
            let stored: serde_json::Value = serde_json::from_str(row).unwrap();
            let read: OperationArguments = serde_json::from_value(stored.clone()).unwrap();
            assert_eq!(serde_json::to_value(read).unwrap(), stored);
        }
    }
}
