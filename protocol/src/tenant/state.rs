//! The states in a tenant's life.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Where a tenant is in its life, with what belongs to that state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum TenantState {
    Provisioning,
    Active,
    Suspended,
    RollingBack,
    /// Nothing of it is left on its target. `reason` says what failed, or who asked.
    RolledBack {
        reason: String,
    },
    /// Its logins are closed and it is archived; `resume` can restore it until `purge_after`. Without the date, the
    /// retirement itself is still running.
    Retiring {
        #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
        #[schemars(with = "Option<String>", extend("format" = "date-time"))]
        purge_after: Option<OffsetDateTime>,
    },
    /// Nothing of it is left on its target.
    Retired,
    /// An unwinding could not finish: what is left, and the exact next command.
    NeedsAttention {
        reason: String,
        next_command: String,
    },
    /// A state that this build does not know.
    #[serde(other)]
    Other,
}

impl TenantState {
    /// The state's stable name, as in JSON.
    pub const fn name(&self) -> &'static str {
        self.stage().name()
    }

    /// The state without its details.
    pub const fn stage(&self) -> TenantStage {
        match self {
            Self::Provisioning => TenantStage::Provisioning,
            Self::Active => TenantStage::Active,
            Self::Suspended => TenantStage::Suspended,
            Self::RollingBack => TenantStage::RollingBack,
            Self::RolledBack { .. } => TenantStage::RolledBack,
            Self::Retiring { .. } => TenantStage::Retiring,
            Self::Retired => TenantStage::Retired,
            Self::NeedsAttention { .. } => TenantStage::NeedsAttention,
            Self::Other => TenantStage::Other,
        }
    }
}

/// A [`TenantState`] without its details: for lists, filters and transitions.
///
/// ```
/// use tenantry_protocol::tenant::state::TenantStage;
///
/// assert_eq!(TenantStage::parse("suspended"), Some(TenantStage::Suspended));
/// assert!(TenantStage::Retired.is_over() && !TenantStage::Retiring.is_over());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantStage {
    Provisioning,
    Active,
    Suspended,
    RollingBack,
    RolledBack,
    Retiring,
    Retired,
    NeedsAttention,
    /// A state that this build does not know.
    Other,
}

impl TenantStage {
    /// The states that tenants can be listed by, in the order of a tenant's life.
    pub const ALL: [Self; 8] = [
        Self::Provisioning,
        Self::Active,
        Self::Suspended,
        Self::RollingBack,
        Self::RolledBack,
        Self::Retiring,
        Self::Retired,
        Self::NeedsAttention,
    ];

    /// The stable name, as in JSON and in the registry.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::RollingBack => "rolling_back",
            Self::RolledBack => "rolled_back",
            Self::Retiring => "retiring",
            Self::Retired => "retired",
            Self::NeedsAttention => "needs_attention",
            Self::Other => "other",
        }
    }

    /// The names of [`Self::ALL`].
    pub fn names() -> [&'static str; 8] {
        Self::ALL.map(Self::name)
    }

    /// The state with this name; `None` if there is no such state.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }

    /// Whether nothing of the tenant is left on its target, and its name is free.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::RolledBack | Self::Retired)
    }

    /// Whether the tenant has objects on its target that nobody is changing, so that there is something to verify.
    pub const fn stands(self) -> bool {
        matches!(self, Self::Active | Self::Suspended)
    }
}
