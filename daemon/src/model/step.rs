//! The units of an operation: their stable names, their titles, and what may be done with each. The implementations of
//! the steps are in `pipeline/steps`, one file each.

use serde::de::IntoDeserializer as _;
use serde::de::value::Error as Unknown;
use serde::{Deserialize, Serialize};

/// A unit of an operation. The order within an operation is [`super::operation::Kind::steps`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Reserves the placement on the target, for a tenant that gets a database of its own.
    Reserve,
    /// Creates the database from the template, outside any transaction.
    CreateDatabase,
    /// Makes sure that the tables that tenants share exist. The first tenant builds them, in a transaction of their own.
    Pool,
    /// Creates the marker and then the roles. Opens the one transaction on the target.
    Roles,
    Schema,
    /// From here on the tenant's roles stand for it in the shared tables.
    Join,
    Migrations,
    Seed,
    /// Closes the transaction: from here on the whole tenant exists.
    Commit,
    /// Runs the files that cannot run in a transaction, and those that follow them.
    Outside,
    Verify,
    Activate,
    /// Prevents new sessions of the tenant.
    CloseLogins,
    /// Ends its existing sessions.
    EndSessions,
    /// Writes the tenant's data into a file and reads it back.
    Archive,
    DropObjects,
    DropRoles,
    /// Reads the catalog to confirm that nothing of the tenant is left.
    ConfirmAbsence,
    /// Opens the tenant's issued logins.
    OpenLogins,
    /// Applies the tenant's settings to its roles.
    ApplySettings,
    /// Runs the files that a version of the blueprint has and the tenant has not, and commits them.
    Upgrade,
    /// Gives a login role a new secret.
    SetSecret,
    /// Closes the login that preceded the current one, and ends its sessions.
    CloseOldLogin,
    /// Closes the probe's login, which was opened for an attack.
    CloseProbe,
}

/// What may be done with a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    /// The step can be repeated by itself.
    Repeatable,
    /// The step is part of the one transaction that makes a tenant appear completely or not at all. An error ends that
    /// transaction, so its steps are repeated together, as another build.
    Atomic,
    /// From here on something is lost for good: the tenant's data, or a login's secret. `left` says what still exists if
    /// the operation stops at this step.
    Final { left: &'static str },
}

struct Facts {
    name: &'static str,
    title: &'static str,
    nature: Nature,
}

const fn repeatable(name: &'static str, title: &'static str) -> Facts {
    Facts { name, title, nature: Nature::Repeatable }
}

const fn atomic(name: &'static str, title: &'static str) -> Facts {
    Facts { name, title, nature: Nature::Atomic }
}

const fn last(name: &'static str, title: &'static str, left: &'static str) -> Facts {
    Facts { name, title, nature: Nature::Final { left } }
}

impl Step {
    const fn facts(self) -> Facts {
        match self {
            Self::Reserve => repeatable("reserve", "reserve the placement"),
            Self::CreateDatabase => {
                repeatable("create_database", "create the tenant's database from the template")
            }
            Self::Pool => repeatable("pool", "find the shared tables, or build them for the first tenant"),
            Self::Roles => atomic("roles", "create the marker and the tenant's roles"),
            Self::Schema => atomic("schema", "create the schema and its default privileges"),
            Self::Join => atomic("join", "make the roles the tenant's in the shared tables"),
            Self::Migrations => atomic("migrations", "apply the blueprint's migrations"),
            Self::Seed => atomic("seed", "load the seed data"),
            Self::Commit => atomic("commit", "commit: everything appears at once"),
            Self::Outside => {
                repeatable("outside", "run what cannot be in a transaction, and what follows it")
            }
            Self::Verify => repeatable("verify", "attack the isolation as the tenant"),
            Self::Activate => repeatable("activate", "activate, and close the probe's login"),
            Self::CloseLogins => repeatable("close_logins", "close the tenant's logins"),
            Self::EndSessions => repeatable("end_sessions", "end the tenant's sessions"),
            Self::Archive => repeatable("archive", "archive the tenant's data, and read the archive back"),
            Self::DropObjects => last(
                "drop_objects",
                "remove what the tenant has, in lock-bounded batches",
                "its data and roles; its logins are closed",
            ),
            Self::DropRoles => last("drop_roles", "drop the roles", "its roles; its data is gone"),
            Self::ConfirmAbsence => {
                last("confirm_absence", "check that nothing is left", "something that the last check found")
            }
            Self::OpenLogins => repeatable("open_logins", "open the tenant's logins"),
            Self::ApplySettings => repeatable("apply_settings", "apply the settings to the tenant's roles"),
            Self::Upgrade => repeatable("upgrade", "apply the files of the new version"),
            Self::SetSecret => repeatable("set_secret", "set a new secret, and open its login"),
            Self::CloseOldLogin => last(
                "close_old_login",
                "close the login before, and end its sessions",
                "the login from before the rotation, which may still be open",
            ),
            Self::CloseProbe => repeatable("close_probe", "close the probe's login again"),
        }
    }

    /// The step with this stable name.
    pub fn named(name: &str) -> Option<Self> {
        let name: serde::de::value::StrDeserializer<'_, Unknown> = name.into_deserializer();
        Self::deserialize(name).ok()
    }

    /// Stable name, in plans, progress and the journal.
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// One line for the reader.
    pub const fn title(self) -> &'static str {
        self.facts().title
    }

    /// Whether the step can be repeated by itself.
    pub const fn is_repeatable(self) -> bool {
        !self.is_atomic()
    }

    /// Whether the step is part of the one transaction that makes a tenant appear completely or not at all.
    pub const fn is_atomic(self) -> bool {
        matches!(self.facts().nature, Nature::Atomic)
    }

    /// Whether the step removes something for good.
    pub const fn is_final(self) -> bool {
        self.left().is_some()
    }

    /// What still exists if an operation stops at this step; `None` for a step that can be undone.
    pub const fn left(self) -> Option<&'static str> {
        match self.facts().nature {
            Nature::Final { left } => Some(left),
            Nature::Repeatable | Nature::Atomic => None,
        }
    }
}
