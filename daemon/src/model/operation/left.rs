//! What an undo that gave up may have left on its target: the words for whoever has to see to it.

use super::Kind;

/// What an undo that came to nothing may have left as the operation made it.
pub const fn of_undo(kind: Kind) -> &'static str {
    match kind {
        Kind::Provision { .. } => "roles and objects of the placement may be left on the target",
        Kind::Rollback { .. } | Kind::Retire { .. } | Kind::Suspend => {
            "its logins, which may be closed; nothing was dropped by this operation"
        }
        Kind::Resume => "its logins, which may be open",
        Kind::Update => "its roles, which may have the new settings",
        Kind::IssueCredentials | Kind::RotateCredentials => {
            "a login that may be open, with a secret that nobody was given"
        }
        Kind::Verify => "the login of the probe, which may be open",
        // They have no way back.
        Kind::Purge | Kind::FinishRotation => "whatever the operation came to",
    }
}
