//! Why a file could not be applied, and which of its statements the server refused: each is sent with its number before it.

use crate::model::blueprint::BuildFile;
use crate::postgres::error::{Error, ServerError};

/// Why a file could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The server refused a statement of the file. `statement` counts from 0. `position` counts characters from 1 within that
    /// statement, if the server gave a position.
    #[error("{}", server.message)]
    Statement { statement: Option<usize>, position: Option<usize>, server: ServerError },
    /// The file left something behind that would have run at COMMIT, outside its bounds.
    #[error("{0}")]
    Unsafe(String),
    #[error(transparent)]
    Database(#[from] Error),
}

impl FileError {
    /// The error with the number that the statement has in the file. A position in another text than the file's says nothing there.
    pub fn of(self, what: BuildFile<'_>) -> Self {
        match self {
            Self::Statement { statement: Some(number), position, server } => {
                let (number, is_as_written) = what.origin(number);
                Self::Statement {
                    statement: Some(number),
                    position: position.filter(|_| is_as_written),
                    server,
                }
            }
            error => error,
        }
    }
}

/// Why a build that writes to these is not committed.
pub(super) fn told_of_foreign(foreign: &[String]) -> String {
    format!(
        "a file writes to what belongs to somebody else ({}): a build writes to its own tables alone",
        foreign.join(", ")
    )
}

/// The statements as they are sent. The server repeats the number when it reports an error, and so identifies the statement.
pub(super) fn numbered(statements: &[String]) -> Vec<String> {
    statements.iter().enumerate().map(|(number, text)| format!("{}{text}", prefix(number))).collect()
}

fn prefix(number: usize) -> String {
    format!("/*{number}*/")
}

/// Finds the statement that failed. The server quotes it with the number that was put before it.
pub(super) fn file_error(error: Error) -> FileError {
    let Some(server) = error.server() else { return FileError::Database(error) };
    if error.is_unreachable() {
        return FileError::Database(error);
    }
    let statement = server.inner_query.as_deref().and_then(number_of).or_else(|| {
        // The outermost call comes last in the context, after what a trigger or function ran.
        let context = server.context.as_deref()?;
        number_of(&context[context.rfind("SQL statement \"/*")? + "SQL statement \"".len()..])
    });
    let in_statement = server.inner_query.as_deref().and_then(number_of).is_some();
    let position = match (statement, server.inner_position) {
        (Some(number), Some(position)) if in_statement => position.checked_sub(prefix(number).len()),
        _ => None,
    };
    FileError::Statement { statement, position, server }
}

fn number_of(text: &str) -> Option<usize> {
    text.strip_prefix("/*")?.split_once("*/")?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::number_of;

    #[test]
    fn a_statement_is_known_by_its_number() {
        assert_eq!(number_of("/*17*/create table a ()"), Some(17));
        assert_eq!(number_of("create table a ()"), None);
        assert_eq!(number_of("/*x*/"), None);
    }
}
