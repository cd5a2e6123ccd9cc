//! Why an SQL file cannot be cut into its statements.

/// Why a file cannot be cut into statements, and the line where the problem begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct SplitError {
    /// Line in the file, from 1.
    pub line: u32,
    pub problem: SplitProblem,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SplitProblem {
    #[error(
        "the text that begins here with a single quote (') never ends: close it, or double a quote inside it"
    )]
    OpenText,
    #[error("the name that begins here with a double quote (\") never ends: close it")]
    OpenQuotedName,
    #[error("the dollar-quoted text that begins here never ends: close it with the same $tag$")]
    OpenDollarText,
    #[error(
        "the comment that begins here with /* never ends: close it (comments nest, so every /* needs its */)"
    )]
    OpenComment,
    #[error(
        "a backslash outside quotes is a command of psql (such as \\i, \\copy, \\connect), which only psql \
         understands: write plain SQL instead, and put included files into migrations of their own"
    )]
    PsqlCommand,
    #[error(
        "COPY … FROM STDIN needs a client that sends rows, and a migration has none: write INSERT … VALUES instead"
    )]
    CopyFromStdin,
    #[error("the file holds a zero byte, which PostgreSQL takes in no text: save it as plain UTF-8 text")]
    ZeroByte,
}

impl SplitProblem {
    /// Stable name for findings.
    pub const fn code(self) -> &'static str {
        match self {
            Self::OpenText | Self::OpenQuotedName | Self::OpenDollarText | Self::OpenComment => {
                "unterminated"
            }
            Self::PsqlCommand => "psql_command",
            Self::CopyFromStdin => "copy_from_stdin",
            Self::ZeroByte => "zero_byte",
        }
    }
}
