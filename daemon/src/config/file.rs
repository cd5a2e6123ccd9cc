//! The configuration file as it is written, before its values are checked.
//!
//! Invariant: unknown keys are errors, and each value that is checked later carries its place in the text. Only the shape is
//! known here; the parent module gives the values their meaning.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::error::{ConfigError, ConfigLine, Problem};

type FileValue<T> = Option<Spanned<T>>;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct FileConfig {
    pub(super) label: FileValue<String>,
    pub(super) state_dir: FileValue<PathBuf>,
    pub(super) socket: FileValue<PathBuf>,
    pub(super) control: FileValue<FileControl>,
    #[serde(default)]
    pub(super) targets: Vec<Spanned<FileTarget>>,
    pub(super) embedded: FileValue<FileEmbedded>,
    #[serde(default)]
    pub(super) access: FileAccess,
    #[serde(default)]
    pub(super) limits: FileLimits,
    #[serde(default)]
    pub(super) archive: FileArchive,
    #[serde(default)]
    pub(super) audit: FileAudit,
    #[serde(default)]
    pub(super) log: FileLog,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileControl {
    pub(super) url: Spanned<String>,
    pub(super) password_file: FileValue<PathBuf>,
    pub(super) migrate_url: FileValue<String>,
    pub(super) migrate_password_file: FileValue<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileTarget {
    pub(super) name: Spanned<String>,
    pub(super) url: Spanned<String>,
    pub(super) password_file: FileValue<PathBuf>,
    pub(super) capacity: FileValue<u64>,
    #[serde(default)]
    pub(super) maintenance: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct FileEmbedded {
    pub(super) listen: FileValue<String>,
    pub(super) user: FileValue<String>,
    pub(super) bin_dir: FileValue<PathBuf>,
    pub(super) durable: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileAccess {
    pub(super) viewers: Vec<Spanned<String>>,
    pub(super) operators: Vec<Spanned<String>>,
    pub(super) admins: Vec<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct FileLimits {
    pub(super) operation_budget_ms: FileValue<u64>,
    pub(super) statement_timeout_ms: FileValue<u64>,
    pub(super) lock_timeout_ms: FileValue<u64>,
    pub(super) lease_ms: FileValue<u64>,
    pub(super) max_connections_per_target: FileValue<u64>,
    pub(super) max_operations_per_target: FileValue<u64>,
    pub(super) retire_grace_s: FileValue<u64>,
    pub(super) verify_every_s: FileValue<u64>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct FileArchive {
    pub(super) dir: FileValue<PathBuf>,
    pub(super) bin_dir: FileValue<PathBuf>,
    pub(super) timeout_ms: FileValue<u64>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct FileAudit {
    pub(super) key_file: FileValue<PathBuf>,
    pub(super) anchor_file: FileValue<PathBuf>,
    pub(super) anchor_copy: FileValue<PathBuf>,
    pub(super) anchor_syslog: FileValue<PathBuf>,
    pub(super) verify_every_s: FileValue<u64>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct FileLog {
    pub(super) level: Option<LogLevel>,
    pub(super) dir: FileValue<PathBuf>,
    pub(super) format: Option<LogFormat>,
    pub(super) journald: FileValue<bool>,
}

/// How much is logged. Each level includes the levels before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// The text of a configuration file, which turns offsets into places.
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl Source<'_> {
    pub(super) fn parse(&self) -> Result<FileConfig, ConfigError> {
        let parsed = toml::Deserializer::parse(self.text).map_err(|error| self.syntax("", &error))?;
        serde_path_to_error::deserialize(parsed).map_err(|error| {
            let key = match error.path().to_string().as_str() {
                "." => String::new(),
                key => format!("{key}: "),
            };
            self.syntax(&key, error.inner())
        })
    }

    fn syntax(&self, key: &str, error: &toml::de::Error) -> ConfigError {
        let (line, column) = self.position(error.span().unwrap_or_default());
        // Only the message is shown: the error's own display quotes the line, which may contain a password.
        let message = format!("{key}{}", error.message().lines().collect::<Vec<_>>().join(", "));
        ConfigError::Syntax { path: self.path.to_owned(), line, column, message }
    }

    /// An error about a value, with its line.
    pub(super) fn error(&self, span: Range<usize>, key: impl Into<String>, problem: Problem) -> ConfigError {
        let place = ConfigLine { path: self.path.to_owned(), line: self.position(span).0 };
        ConfigError::Value { place, key: key.into(), problem }
    }

    /// Line and column of an offset. Both count from 1, and the column counts characters.
    fn position(&self, span: Range<usize>) -> (usize, usize) {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
        (line, column)
    }
}
