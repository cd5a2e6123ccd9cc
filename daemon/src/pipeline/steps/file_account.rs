//! What is said of a file: that it was applied, or why it was not, with the place in the file.

use std::time::Duration;

use crate::model::blueprint::Migration;
use crate::pipeline::step_error::StepError;
use crate::pipeline::tracker::millis;
use crate::postgres::build::file_error::FileError;

/// A line for the log.
pub(in crate::pipeline) fn applied(file: &Migration, duration: Duration) -> String {
    match file.takes_back.as_deref() {
        // The way down in the file itself.
        Some(taken) if taken == file.path => format!("{taken} taken back in {:.0} ms", millis(duration)),
        Some(taken) => format!("{} took {taken} back in {:.0} ms", file.path, millis(duration)),
        None => format!("{} applied in {:.0} ms", file.path, millis(duration)),
    }
}

/// Adds the position in the file to the error.
pub(in crate::pipeline) fn step_error(file: &Migration, error: FileError) -> StepError {
    match error {
        FileError::Statement { statement, position, server } => {
            let text = statement.and_then(|number| file.statements.get(number));
            let line =
                text.map(|statement| position.map_or(statement.line, |position| statement.line_at(position)));
            let number = statement.and_then(|number| u32::try_from(number + 1).ok());
            StepError::Migration {
                file: file.path.clone(),
                line,
                statement: number,
                server: Box::new(server),
            }
        }
        FileError::Unsafe(problem) => StepError::Unsafe { file: file.path.clone(), problem },
        FileError::Database(error) => StepError::Database(error),
    }
}
