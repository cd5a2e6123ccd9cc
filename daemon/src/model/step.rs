//! The units of an operation: their stable names, what people read, and what may be done with each.

use serde::{Deserialize, Serialize};

/// A unit of an operation. The order within an operation is [`super::operation::Kind::steps`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The placement on the target, of a tenant that gets a database of its own.
    Reserve,
    /// From the template; in no transaction.
    CreateDatabase,
    /// Roles, with the marker before them. Opens the one transaction on the target.
    Roles,
    Schema,
    Migrations,
    Seed,
    /// Closes the transaction: from here on the tenant is there, whole.
    Commit,
    /// What cannot be in a transaction, and the files behind it.
    Outside,
    Verify,
    Activate,
    /// No new sessions of the tenant.
    CloseLogins,
    /// No old ones either.
    EndSessions,
    /// The tenant's data into a file, read back.
    Archive,
    DropObjects,
    DropRoles,
    /// Reads the catalog: nothing of the tenant is left.
    ConfirmAbsence,
    /// The tenant's issued logins work again.
    OpenLogins,
    /// What the tenant's settings say, on its roles.
    ApplySettings,
    /// A login role works with a new secret.
    SetSecret,
    /// The login before the current one works no more, and its sessions are over.
    CloseOldLogin,
    /// The probe's login, which was opened for an attack, is closed again.
    CloseProbe,
}

impl Step {
    /// Stable name, in plans and progress.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reserve => "reserve",
            Self::CreateDatabase => "create_database",
            Self::Roles => "roles",
            Self::Schema => "schema",
            Self::Migrations => "migrations",
            Self::Seed => "seed",
            Self::Commit => "commit",
            Self::Outside => "outside",
            Self::Verify => "verify",
            Self::Activate => "activate",
            Self::CloseLogins => "close_logins",
            Self::EndSessions => "end_sessions",
            Self::Archive => "archive",
            Self::DropObjects => "drop_objects",
            Self::DropRoles => "drop_roles",
            Self::ConfirmAbsence => "confirm_absence",
            Self::OpenLogins => "open_logins",
            Self::ApplySettings => "apply_settings",
            Self::SetSecret => "set_secret",
            Self::CloseOldLogin => "close_old_login",
            Self::CloseProbe => "close_probe",
        }
    }

    /// One line for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Reserve => "reserve the placement",
            Self::CreateDatabase => "create the tenant's database from the template",
            Self::Roles => "create the marker and the tenant's roles",
            Self::Schema => "create the schema and its default privileges",
            Self::Migrations => "apply the blueprint's migrations",
            Self::Seed => "load the seed data",
            Self::Commit => "commit: everything appears at once",
            Self::Outside => "run what cannot be in a transaction, and what follows it",
            Self::Verify => "attack the isolation as the tenant",
            Self::Activate => "activate, and close the probe's login",
            Self::CloseLogins => "close the tenant's logins",
            Self::EndSessions => "end the tenant's sessions",
            Self::Archive => "archive the tenant's data, and read the archive back",
            Self::DropObjects => "drop what the tenant has, in lock-bounded batches",
            Self::DropRoles => "drop the roles",
            Self::ConfirmAbsence => "check that nothing is left",
            Self::OpenLogins => "open the tenant's logins",
            Self::ApplySettings => "apply the settings to the tenant's roles",
            Self::SetSecret => "set a new secret, and open its login",
            Self::CloseOldLogin => "close the login before, and end its sessions",
            Self::CloseProbe => "close the probe's login again",
        }
    }

    /// Can be done again by itself. The steps of a build share a transaction that an error ends: they are repeated
    /// together, as another build.
    pub const fn is_repeatable(self) -> bool {
        !self.is_atomic()
    }

    /// Part of the one transaction that makes a tenant appear at once or not at all.
    pub const fn is_atomic(self) -> bool {
        matches!(self, Self::Roles | Self::Schema | Self::Migrations | Self::Seed | Self::Commit)
    }

    /// From here on something goes that nothing brings back: the tenant's data, or a login's secret.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::DropObjects | Self::DropRoles | Self::ConfirmAbsence | Self::CloseOldLogin)
    }
}
