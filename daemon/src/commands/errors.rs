//! Turns the errors of the layers into answers: a stable code and a sentence. Details that only the developers can use go
//! to the log.

use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::name::TargetName;

use crate::postgres::Error;

/// An error of the control database.
pub(super) fn control(error: Error) -> ApiError {
    match error {
        Error::Unreachable { .. } => ApiError::new(
            ErrorCode::Unavailable,
            format!("{}; the daemon tries again by itself: see `tenantry status`", error.explain()),
        ),
        Error::Fenced => ApiError::new(
            ErrorCode::Unavailable,
            "this daemon stands by for another one, which holds the control database: ask that one, or stop it and \
             this one takes over; `tenantry status` names it",
        ),
        Error::LeaseLapsed => ApiError::new(
            ErrorCode::Unavailable,
            "the control database was out of reach for too long; the daemon tries again by itself: see `tenantry status`",
        ),
        Error::Busy => ApiError::new(
            ErrorCode::Conflict,
            "another operation on this tenant is running: `tenantry operation list`",
        ),
        Error::SlugTaken => {
            ApiError::new(ErrorCode::Conflict, "a living tenant has this name").on_field("slug")
        }
        Error::Refused(message) => ApiError::new(ErrorCode::Precondition, message),
        Error::Distrusted(message) => {
            ApiError::new(ErrorCode::Precondition, format!("nothing can be changed: {message}"))
        }
        Error::Unanchored(_) => ApiError::new(
            ErrorCode::Unavailable,
            format!("{error}; the daemon tries again by itself: make room, or see to the rights of the file"),
        ),
        other => unexpected(&other),
    }
}

/// An error of a target.
pub(super) fn target(name: &TargetName, error: Error) -> ApiError {
    match error {
        Error::Unreachable { .. } => ApiError::new(
            ErrorCode::Unavailable,
            format!(
                "target {name} does not answer ({}): start it, then run `tenantry target check {name}`",
                error.explain()
            ),
        )
        .on_field("target"),
        Error::Refused(message) => {
            ApiError::new(ErrorCode::Precondition, format!("target {name} cannot be used: {message}"))
                .on_field("target")
        }
        // Usually a wrong password or a missing database; the server's own message describes it best.
        Error::Query { .. } if error.server().is_some() => ApiError::new(
            ErrorCode::Unavailable,
            format!("target {name} refused: {}: check its url in the configuration", error.explain()),
        )
        .on_field("target"),
        other => unexpected(&other),
    }
}

/// An error that was not foreseen: the caller gets no details, the log gets all of them.
fn unexpected(error: &Error) -> ApiError {
    tracing::error!(error = %error.explain(), "an unexpected error");
    internal()
}

pub(super) fn internal() -> ApiError {
    let message = "something unexpected went wrong: the daemon's log says what; please report it";
    ApiError::new(ErrorCode::Internal, message)
}
