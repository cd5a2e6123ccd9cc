//! The daemon's configuration. The command line overrides the file, and the file overrides the defaults. It is parsed once
//! into values that can be used without another check.
//!
//! Invariant: an existing [`Config`] is complete and consistent, and every error says where it is and what is allowed. Nothing
//! here connects anywhere or creates anything, except the directory of a temporary daemon.

pub mod access;
mod audit;
pub mod connection;
pub mod error;
mod file;
pub mod paths;
mod reload;
pub mod secret;
mod servers;

#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tenantry_protocol::session::DaemonMode;
use toml::Spanned;

pub use access::{Access, Principal};
pub use audit::{Audit, AuditKey, KEY_CREDENTIAL};
pub use connection::Connection;
pub use error::{ConfigError, Problem};
use file::{FileArchive, FileConfig, FileLimits, FileLog, Source};
pub use file::{LogFormat, LogLevel};
pub use paths::Surroundings;
pub use reload::{Changes, WrittenConfig};
pub use secret::Secret;
pub use servers::{ConfiguredServers, ControlConfig, EmbeddedConfig, Servers, TargetConfig};

use crate::ambient;
use crate::cli::Arguments;
use crate::private_path;

const MAX_LABEL_CHARS: usize = 24;
/// A hundred years. A date beyond it cannot be written.
pub const LONGEST_GRACE_S: u64 = 100 * 365 * 24 * 3_600;
const ARCHIVE_TIMEOUT: Duration = Duration::from_secs(600);

/// Everything that is decided before the daemon starts.
#[derive(Debug)]
pub struct Config {
    /// The name of this installation on screens; empty if it has none.
    pub label: String,
    pub state_dir: PathBuf,
    pub socket: PathBuf,
    pub servers: Servers,
    pub access: Access,
    pub limits: Limits,
    pub archive: Archive,
    pub audit: Audit,
    pub log: Log,
    /// The file that the configuration was read from; none if there is no file.
    pub source: Option<PathBuf>,
    /// The content of that file.
    pub written: WrittenConfig,
    /// The directory of a temporary daemon, removed when this is dropped. Keep it until the cluster has stopped.
    pub ephemeral: Option<TempDir>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How long one operation may take, with all its retries.
    pub operation_budget: Duration,
    pub statement_timeout: Duration,
    pub lock_timeout: Duration,
    /// How long the daemon keeps the control database after its last sign of life.
    pub lease: Duration,
    pub max_connections_per_target: u32,
    pub max_operations_per_target: u32,
    /// How long a retired tenant can be taken back if the request does not say.
    pub retire_grace: Duration,
    /// Within this time each tenant's isolation is verified once automatically; `None` means never.
    pub verify_every: Option<Duration>,
}

/// Archives of removed tenants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    pub dir: PathBuf,
    /// The directory of `pg_dump` and `pg_restore`; none for the nearest installed version.
    pub bin_dir: Option<PathBuf>,
    pub timeout: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Log {
    pub level: LogLevel,
    /// The directory for daily files; none for standard error.
    pub dir: Option<PathBuf>,
    pub format: LogFormat,
    /// Whether the log goes to systemd's journal; none to use the journal if standard error goes there already.
    pub journald: Option<bool>,
}

impl Config {
    /// Reads the file that the command line names, or the default file if it exists.
    pub fn load(arguments: &Arguments, surroundings: &Surroundings) -> Result<Self, ConfigError> {
        for name in ambient::VARIABLES {
            if std::env::var_os(name).is_some() {
                return Err(ConfigError::Ambient(name));
            }
        }
        let Some((path, text, mode)) = find_file(arguments, surroundings)? else {
            let nowhere = Source { path: Path::new(""), text: "" };
            return Self::decide(FileConfig::default(), &nowhere, 0, arguments, surroundings);
        };
        let source = Source { path: &path, text: &text };
        let file = source.parse()?;
        let config = Self::decide(file, &source, mode, arguments, surroundings)?;
        Ok(Self { written: WrittenConfig::new(&text), source: Some(path.clone()), ..config })
    }

    pub fn mode(&self) -> DaemonMode {
        match (&self.servers, &self.ephemeral) {
            (Servers::Configured(_), _) => DaemonMode::Configured,
            (Servers::Embedded(_), Some(_)) => DaemonMode::Ephemeral,
            (Servers::Embedded(_), None) => DaemonMode::Embedded,
        }
    }

    fn decide(
        file: FileConfig,
        source: &Source<'_>,
        mode: u32,
        arguments: &Arguments,
        surroundings: &Surroundings,
    ) -> Result<Self, ConfigError> {
        let label = label(file.label.as_ref(), source)?;
        let ephemeral = match arguments.ephemeral {
            true => Some(surroundings.make_ephemeral_dir()?),
            false => None,
        };
        let written = path(file.state_dir.as_ref(), "state_dir", source)?;
        let state_dir = match (&ephemeral, &arguments.state_dir, written) {
            (Some(dir), _, _) => dir.path().to_owned(),
            (None, Some(path), _) => from_command_line(path, "--state-dir", paths::check_path)?,
            (None, None, Some(path)) => path,
            (None, None, None) => surroundings.default_state_dir()?,
        };
        let written = path(file.socket.as_ref(), "socket", source)?;
        let socket = match (&ephemeral, &arguments.socket, written) {
            (_, Some(path), _) => from_command_line(path, "--socket", paths::check_socket_path)?,
            (Some(dir), None, _) => dir.path().join("run").join(tenantry_protocol::endpoint::SOCKET_FILE),
            (None, None, Some(path)) => path,
            (None, None, None) => surroundings.default_socket(&state_dir),
        };
        paths::check_socket_path(&socket)
            .map_err(|problem| ConfigError::Setting { key: "socket", problem })?;
        let access = Access::resolve(&file.access, source)?;
        let limits = Limits::check(&file.limits, source)?;
        let log = Log::check(&file.log, source)?;
        let archive = Archive::check(&file.archive, &state_dir, source)?;
        let audit =
            Audit::check(&file.audit, &state_dir, surroundings.service.credentials.as_deref(), source)?;
        let place = servers::ConfigContext { source, mode, surroundings, state_dir: &state_dir };
        let servers =
            Servers::decide(file.control, file.targets, file.embedded, ephemeral.is_some(), &place)?;
        Ok(Self {
            label,
            state_dir,
            socket,
            servers,
            access,
            limits,
            archive,
            audit,
            log,
            source: None,
            written: WrittenConfig::default(),
            ephemeral,
        })
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            operation_budget: Duration::from_secs(120),
            statement_timeout: Duration::from_secs(60),
            lock_timeout: Duration::from_secs(5),
            lease: Duration::from_secs(3),
            max_connections_per_target: 16,
            max_operations_per_target: 8,
            // Long enough for a mistake to be noticed and undone.
            retire_grace: Duration::from_secs(30 * 24 * 3_600),
            verify_every: Some(Duration::from_secs(24 * 3_600)),
        }
    }
}

impl Limits {
    fn check(file: &FileLimits, source: &Source<'_>) -> Result<Self, ConfigError> {
        let default = Self::default();
        let number = |value: &Option<Spanned<u64>>, key: &str, allowed| {
            number(value.as_ref(), &format!("limits.{key}"), allowed, source)
        };
        let duration = |value, key, allowed, default| {
            number(value, key, allowed).map(|ms| ms.map_or(default, Duration::from_millis))
        };
        let count = |value, key, allowed, default: u32| {
            number(value, key, allowed).map(|n| n.and_then(|n| u32::try_from(n).ok()).unwrap_or(default))
        };
        let connections = count(
            &file.max_connections_per_target,
            "max_connections_per_target",
            2..=500,
            default.max_connections_per_target,
        )?;
        // Each operation holds its own connection, so more operations than connections would only wait.
        let most = u64::from(connections);
        Ok(Self {
            operation_budget: duration(
                &file.operation_budget_ms,
                "operation_budget_ms",
                1_000..=3_600_000,
                default.operation_budget,
            )?,
            statement_timeout: duration(
                &file.statement_timeout_ms,
                "statement_timeout_ms",
                100..=3_600_000,
                default.statement_timeout,
            )?,
            lock_timeout: duration(
                &file.lock_timeout_ms,
                "lock_timeout_ms",
                10..=600_000,
                default.lock_timeout,
            )?,
            lease: duration(&file.lease_ms, "lease_ms", 500..=600_000, default.lease)?,
            max_connections_per_target: connections,
            max_operations_per_target: count(
                &file.max_operations_per_target,
                "max_operations_per_target",
                1..=most,
                default.max_operations_per_target.min(connections),
            )?,
            retire_grace: number(&file.retire_grace_s, "retire_grace_s", 0..=LONGEST_GRACE_S)?
                .map_or(default.retire_grace, Duration::from_secs),
            verify_every: number(&file.verify_every_s, "verify_every_s", 0..=LONGEST_GRACE_S)?
                .map_or(default.verify_every, |seconds| (seconds > 0).then(|| Duration::from_secs(seconds))),
        })
    }
}

impl Archive {
    fn check(file: &FileArchive, state_dir: &Path, source: &Source<'_>) -> Result<Self, ConfigError> {
        let timeout = number(file.timeout_ms.as_ref(), "archive.timeout_ms", 1_000..=86_400_000, source)?;
        Ok(Self {
            dir: path(file.dir.as_ref(), "archive.dir", source)?
                .unwrap_or_else(|| state_dir.join("archives")),
            bin_dir: path(file.bin_dir.as_ref(), "archive.bin_dir", source)?,
            timeout: timeout.map_or(ARCHIVE_TIMEOUT, Duration::from_millis),
        })
    }
}

impl Log {
    fn check(file: &FileLog, source: &Source<'_>) -> Result<Self, ConfigError> {
        let dir = path(file.dir.as_ref(), "log.dir", source)?;
        if let (Some(_), Some(journald)) = (&dir, file.journald.as_ref().filter(|wanted| *wanted.get_ref())) {
            return Err(source.error(journald.span(), "log.journald", Problem::JournalAndDir));
        }
        Ok(Self {
            level: file.level.unwrap_or_default(),
            dir,
            format: file.format.unwrap_or_default(),
            journald: file.journald.as_ref().map(|wanted| *wanted.get_ref()),
        })
    }
}

/// The path, text and mode of the configuration file.
fn find_file(
    arguments: &Arguments,
    surroundings: &Surroundings,
) -> Result<Option<(PathBuf, String, u32)>, ConfigError> {
    let path = match &arguments.config {
        Some(path) => path.clone(),
        // A temporary daemon has nothing to do with the servers of this machine.
        None if arguments.ephemeral => return Ok(None),
        None => match surroundings.default_config() {
            Some(path) => path,
            None => return Ok(None),
        },
    };
    let read = || -> io::Result<(fs::Metadata, String)> {
        let file = fs::File::open(&path)?;
        Ok((file.metadata()?, io::read_to_string(file)?))
    };
    match read() {
        Ok((metadata, text)) => {
            // A pipe given by hand is the user's own responsibility.
            if metadata.is_file() {
                private_path::check_given(&path, &metadata)
                    .map_err(|source| ConfigError::Exposed(Box::new(source)))?;
            }
            Ok(Some((path, text, metadata.permissions().mode())))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && arguments.config.is_none() => Ok(None),
        Err(source) => Err(ConfigError::Read { path, source }),
    }
}

fn label(value: Option<&Spanned<String>>, source: &Source<'_>) -> Result<String, ConfigError> {
    let Some(value) = value else { return Ok(String::new()) };
    let text = value.get_ref().trim();
    let problem = if text.chars().count() > MAX_LABEL_CHARS {
        Problem::TooLong { most: MAX_LABEL_CHARS }
    } else if text
        .chars()
        .any(|c| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
    {
        Problem::Unprintable
    } else {
        return Ok(text.to_owned());
    };
    Err(source.error(value.span(), "label", problem))
}

/// A number within its limits.
fn number(
    value: Option<&Spanned<u64>>,
    key: &str,
    allowed: RangeInclusive<u64>,
    source: &Source<'_>,
) -> Result<Option<u64>, ConfigError> {
    match value {
        None => Ok(None),
        Some(value) if allowed.contains(value.get_ref()) => Ok(Some(*value.get_ref())),
        Some(value) => {
            let problem = Problem::Range { least: *allowed.start(), most: *allowed.end() };
            Err(source.error(value.span(), key, problem))
        }
    }
}

fn path(
    value: Option<&Spanned<PathBuf>>,
    key: &str,
    source: &Source<'_>,
) -> Result<Option<PathBuf>, ConfigError> {
    let Some(value) = value else { return Ok(None) };
    paths::check_path(value.get_ref()).map_err(|problem| source.error(value.span(), key, problem))?;
    Ok(Some(value.get_ref().clone()))
}

/// A path on the command line may be relative to the current directory.
fn from_command_line(
    path: &Path,
    key: &'static str,
    check: fn(&Path) -> Result<(), Problem>,
) -> Result<PathBuf, ConfigError> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    check(&path).map_err(|problem| ConfigError::Setting { key, problem })?;
    Ok(path)
}
