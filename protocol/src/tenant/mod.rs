//! Tenants: the data of a tenant, and the requests that change it.

pub mod drift;
pub mod state;

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::archive::Archive;
use crate::blueprint::Tenancy;
use crate::id::{OperationId, TenantId};
use crate::isolation::{IsolationBadge, IsolationReport};
use crate::name::{BlueprintName, BlueprintVersion, PlacementName, Slug, TargetName};
use crate::operation::Operation;

pub use state::TenantState;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tenant {
    pub id: TenantId,
    pub slug: Slug,
    pub display_name: String,
    pub labels: BTreeMap<String, String>,
    pub blueprint: BlueprintName,
    pub version: BlueprintVersion,
    /// How it is kept apart from others, as its blueprint says.
    #[serde(default)]
    pub tenancy: Tenancy,
    pub target: TargetName,
    pub placement: PlacementName,
    pub settings: BTreeMap<String, i64>,
    pub state: TenantState,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub updated_at: OffsetDateTime,
    /// When a secret was last issued, and for which login role; absent if never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<CredentialsIssued>,
    /// Its newest isolation verdict, in short; absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<IsolationBadge>,
    /// The newest operation on this tenant, without its steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_operation: Option<LastOperation>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastOperation {
    pub id: OperationId,
    pub kind: String,
    pub state: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub requested_at: OffsetDateTime,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CredentialsIssued {
    /// The login role on the target.
    pub role: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub issued_at: OffsetDateTime,
    /// During a rotation: the login role that still works beside it, until the rotation is finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_role: Option<String>,
}

/// Asks for a new tenant. The same fields make a plan and a provision, so that what is approved is what runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ProvisionRequest {
    pub slug: String,
    /// Defaults to the slug.
    #[serde(default)]
    pub display_name: Option<String>,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    pub blueprint: String,
    /// Defaults to the newest version.
    #[serde(default)]
    pub version: Option<String>,
    /// May be left out where there is only one target.
    #[serde(default)]
    pub target: Option<String>,
    /// Values for the blueprint's settings; the others take their defaults.
    #[serde(default)]
    pub settings: BTreeMap<String, i64>,
    /// Run the blueprint's seed files too.
    #[serde(default)]
    pub seed: bool,
    /// Run only if the plan still has this hash (64 hexadecimal digits, or a prefix of at least 12).
    #[serde(default)]
    pub approve: Option<String>,
    /// The same key, from the same actor, gives the same operation; with another request it is a conflict.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// An operation was accepted; it goes on whether or not anybody watches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OperationStarted {
    pub operation: Operation,
    /// The idempotency key had been used for this operation before; nothing new was started.
    pub replayed: bool,
}

/// Undoes a tenant completely.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct RollbackRequest {
    pub slug: String,
    /// The slug again, typed by the operator.
    pub confirm: String,
    /// Remove without making an archive first.
    #[serde(default)]
    pub discard_data: bool,
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// Names a tenant for `suspend` and `resume`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct TenantChangeRequest {
    pub slug: String,
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// Changes what is set here, and leaves the rest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct UpdateTenantRequest {
    pub slug: String,
    #[serde(default)]
    pub display_name: Option<String>,
    /// A value sets the label, null removes it.
    #[serde(default)]
    pub labels: BTreeMap<String, Option<String>>,
    #[serde(default)]
    pub settings: BTreeMap<String, i64>,
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// Brings a tenant to a later version of its blueprint. At the version that it has, it makes good what the tenant lacks of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct UpgradeTenantRequest {
    pub slug: String,
    /// Defaults to the newest version.
    #[serde(default)]
    pub version: Option<String>,
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// Ends a tenant as planned: logins closed, archive made, and after the grace removed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct RetireRequest {
    pub slug: String,
    /// The slug again, typed by the operator.
    pub confirm: String,
    /// In seconds; the configuration's `limits.retire_grace_s` if absent. 0 removes at once.
    #[serde(default)]
    pub grace_s: Option<u64>,
    /// Remove without making an archive first.
    #[serde(default)]
    pub discard_data: bool,
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct RotateCredentialsRequest {
    pub slug: String,
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct FinishRotationRequest {
    pub slug: String,
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// A rotation's old login is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RotationFinished {
    pub slug: Slug,
    /// The login role that stays.
    pub role: String,
    /// The login role that was closed.
    pub closed: String,
    /// Sessions of the closed role that were ended.
    pub sessions_ended: u64,
}

/// Asks what a rollback would remove.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct RollbackPreviewRequest {
    /// A slug (the living tenant of that name), or a tenant's id.
    pub slug: String,
}

/// What a rollback would remove, as the target showed it at this moment. Nothing was changed by looking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RollbackPreview {
    pub tenant: Tenant,
    /// Tables that would be dropped: those in the tenant's schema, a partitioned table counted once; none of a pool.
    pub tables: u64,
    pub rows: RowCount,
    /// Tables with their indexes and their out-of-line values; absent if a lock on one of them was not free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// The roles that would be dropped.
    pub roles: Vec<String>,
    /// Sessions of those roles, which would be cut.
    pub sessions: u64,
    /// The shared tables that its rows are in. They stay, for others and for the next tenant, even if this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<PlacementName>,
    /// When its provisioning succeeded; absent if it never did.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub active_since: Option<OffsetDateTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RowCount {
    /// Every row was counted.
    Exact { rows: u64 },
    /// Counting took too long or was refused: the server's own statistics.
    Estimated { rows: u64 },
    #[serde(other)]
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct IssueCredentialsRequest {
    pub slug: String,
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// A login for the tenant's application. The secret is in this answer and nowhere else.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Credentials {
    pub slug: Slug,
    pub role: String,
    /// Absent on an idempotent replay: the secret was given once, at `issued_at`; ask again for a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// A host name, or the directory of the server's Unix socket.
    pub host: String,
    pub port: u16,
    pub database: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub issued_at: OffsetDateTime,
}

/// The password stays out of logs and panics.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("slug", &self.slug)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct TenantsRequest {
    /// Only these states, by name; all if empty.
    #[serde(default)]
    pub states: Vec<String>,
    /// Include tenants that were rolled back or retired (they are left out unless a state asks for them).
    #[serde(default)]
    pub all: bool,
    /// Rows a page, 1 to 1,000; 200 if absent.
    #[serde(default)]
    pub limit: Option<u32>,
    /// `next` of the page before.
    #[serde(default)]
    pub after: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TenantsResponse {
    /// Ordered by slug, then newest first.
    pub tenants: Vec<Tenant>,
    /// Give it as `after` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many tenants match, over all pages.
    pub total: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct TenantRequest {
    /// A slug (the living tenant of that name, else the newest), or a tenant's id.
    pub slug: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TenantDetail {
    pub tenant: Tenant,
    /// Newest first, at most 50.
    pub operations: Vec<Operation>,
    /// The newest report; absent if the tenant was never verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<IsolationReport>,
    /// What was archived of it, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub archives: Vec<Archive>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_debug_form_of_credentials_has_no_password() {
        let credentials = Credentials {
            slug: Slug::parse("acme").unwrap(),
            role: "t_abc_a".to_owned(),
            password: Some("a-secret-word".to_owned()),
            host: "db.example".to_owned(),
            port: 5432,
            database: "app".to_owned(),
            issued_at: OffsetDateTime::UNIX_EPOCH,
        };
        let shown = format!("{credentials:?}");
        assert!(shown.contains("acme") && !shown.contains("a-secret-word"), "{shown}");
    }

    #[test]
    fn the_name_of_a_state_is_the_one_on_the_wire() {
        let reason = || "a reason".to_owned();
        let states = [
            TenantState::Provisioning,
            TenantState::Active,
            TenantState::Suspended,
            TenantState::RollingBack,
            TenantState::RolledBack { reason: reason() },
            TenantState::Retiring { purge_after: None },
            TenantState::Retired,
            TenantState::NeedsAttention { reason: reason(), next_command: "tenantry".to_owned() },
        ];
        for state in states {
            assert_eq!(serde_json::to_value(&state).unwrap()["name"], state.name());
        }
        let newer: TenantState =
            serde_json::from_str(r#"{"name": "hibernating", "until": "spring"}"#).unwrap();
        assert_eq!(newer, TenantState::Other);
    }
}
