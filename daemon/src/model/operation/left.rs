//! What an undo that failed for good may have left on its target, in words for the operator.

use super::Kind;

/// What a failed undo may have left of the operation's changes.
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
        Kind::Upgrade => {
            "a part of the new version's files may be applied, and the owner's login open; the tenant serves"
        }
        Kind::Verify => "the login of the probe, which may be open",
        // These kinds cannot be undone.
        Kind::Purge | Kind::FinishRotation => "whatever the operation came to",
    }
}
