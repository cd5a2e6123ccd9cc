//! Why a command did not succeed: the sentence, the exit status, and the JSON document.
//!
//! Invariant: printed once, by `cli::run`, and nowhere else.

use std::io;
use std::path::PathBuf;

use tenantry_protocol::ErrorCode;
use tenantry_protocol::operation::{Operation, OperationKind, OperationState};

use crate::client::ClientError;
use crate::text;
use crate::ui::UiError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error("{0}")]
    Client(#[from] ClientError),

    #[error("{message}")]
    Invalid { field: Option<String>, message: String },

    #[error("{} {}: {}", doing, text::line(&path.to_string_lossy()), text::lines(problem))]
    File { doing: &'static str, path: PathBuf, problem: String },

    #[error("{}", failure_sentence(.0))]
    Failed(Box<Operation>),

    /// The report itself has been printed and says why.
    #[error("{0}")]
    Findings(String),

    /// The state that was asked for has been printed as a document, and it is not a good one.
    #[error("{0}")]
    Unhealthy(String),

    /// Like [`CliError::Findings`], but a person has to look.
    #[error("{0}")]
    Attention(String),

    #[error("{0}")]
    Interrupted(String),

    #[error("{0}")]
    Demo(String),

    #[error("the terminal cannot be used: {0}")]
    Console(#[from] UiError),

    /// The reader of our output has what they wanted.
    #[error("the reader of the output is gone")]
    ReaderGone,

    #[error("the output cannot be written: {0}")]
    Output(#[source] io::Error),

    #[error("this is a bug in tenantry: {0}")]
    Bug(String),
}

impl CliError {
    pub(crate) fn invalid(field: &str, message: impl Into<String>) -> Self {
        Self::Invalid { field: Some(field.to_owned()), message: message.into() }
    }

    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::Client(error) => error.exit_status(),
            Self::Invalid { .. } | Self::File { .. } => 2,
            Self::Failed(operation) => match operation.state {
                OperationState::NeedsAttention { .. } => ErrorCode::NeedsAttention.exit_status(),
                OperationState::Other => 70,
                _ => 1,
            },
            Self::Findings(_) => 1,
            Self::Attention(_) => 6,
            Self::Interrupted(_) => 130,
            Self::Demo(_) | Self::Unhealthy(_) => 3,
            Self::ReaderGone => 0,
            Self::Console(_) | Self::Output(_) | Self::Bug(_) => 70,
        }
    }
}

/// What failed, where, what was undone, and what to do next.
pub(crate) fn failure_sentence(operation: &Operation) -> String {
    let what = format!("{} of {}", operation.kind.name().replace('_', " "), operation.slug);
    let cause = operation.state.failure().map(|failure| {
        let statement = match failure.statement {
            Some(number) if failure.file.is_some() => format!(" [statement {number}]"),
            _ => String::new(),
        };
        format!("in step {}: {}{statement}", failure.step, failure.summary())
    });
    let hint = operation.state.failure().and_then(|failure| failure.hint.clone());
    let mut lines = vec![format!("{what} failed {}", cause.unwrap_or_else(|| "before it began".to_owned()))];
    match &operation.state {
        OperationState::RolledBack { .. } => {
            lines.push(undone(operation));
        }
        OperationState::NeedsAttention { left, next_command, .. } => {
            lines.push(format!("what is left: {left}"));
            lines.push(format!("next: {next_command}"));
        }
        OperationState::Cancelled => lines[0] = format!("{what} was cancelled; nothing had begun"),
        OperationState::Other => {
            lines[0] =
                format!("{what} ended in a state that this release does not know; use a newer tenantry");
        }
        _ => {}
    }
    match hint {
        Some(hint) => lines.push(format!("next: {hint}")),
        None if matches!(operation.state, OperationState::RolledBack { .. }) => {
            lines.push(format!(
                "next: fix the cause, then run the same command again, or `tenantry operation retry {}`",
                operation.id
            ));
        }
        None => {}
    }
    // Each is one line of ours, whatever the error of a migration contains.
    lines.iter().map(|line| text::line(line)).collect::<Vec<_>>().join("\n  ")
}

/// What an operation that was undone left behind.
pub(crate) fn undone(operation: &Operation) -> String {
    match operation.kind {
        OperationKind::Provision => format!("undone: nothing is left on {}", operation.target),
        _ => format!("undone: {} is as it was before", operation.slug),
    }
}
