//! Structured logs: to standard error, to daily files, or to systemd's journal with its fields. They never contain a
//! secret, because the types that hold one do not show it. They never contain a line worded by somebody else, because
//! [`escaping`] comes before every writer.
//!
//! The field names are the same everywhere: `operation`, `tenant`, and the `seq` of an event of the audit trail.

mod escaping;
mod panics;

use std::io;
use std::os::unix::fs::MetadataExt as _;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling;
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry, filter::Targets, fmt, reload};

use crate::config::{Log, LogFormat, LogLevel};
use crate::private_path;
use escaping::Escaping;
pub use panics::report_panics;

const FILE_PREFIX: &str = "tenantryd.log";
/// How many daily files are kept.
const FILES: usize = 14;
/// The variable in which systemd names the file of standard error, if that is its journal: `DEVICE:INODE`.
const JOURNAL_STREAM: &str = "JOURNAL_STREAM";
/// The prefix of the daemon's own fields in the journal: `TENANTRY_OPERATION`.
const JOURNAL_PREFIX: &str = "TENANTRY";

type AnyLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Keeps the log open. What is still in memory is written when this is dropped.
#[derive(Debug)]
pub struct Logging {
    filter: reload::Handle<Targets, Registry>,
    _writer: Option<WorkerGuard>,
}

impl Logging {
    /// Changes the log level from now on.
    pub fn set_level(&self, level: LogLevel) {
        // This fails only when nothing logs any more.
        let _ = self.filter.reload(filter(level));
    }
}

/// Starts logging.
pub fn start(log: &Log) -> io::Result<Logging> {
    let (layer, writer) = match &log.dir {
        None if log.journald.unwrap_or_else(is_in_journal) => match journal() {
            Ok(layer) => (layer, None),
            // A journal that was asked for by name is not replaced by anything else.
            Err(error) if log.journald == Some(true) => {
                return Err(io::Error::new(
                    error.kind(),
                    format!("systemd's journal can't be written: {error}"),
                ));
            }
            Err(_) => (lines(log.format, BoxMakeWriter::new(io::stderr)), None),
        },
        None => (lines(log.format, BoxMakeWriter::new(io::stderr)), None),
        Some(dir) => {
            // If others could leave a link with the name of the next file, the log would be written to the link's target.
            private_path::check_logs(dir)?;
            let files = rolling::Builder::new()
                .rotation(rolling::Rotation::DAILY)
                .filename_prefix(FILE_PREFIX)
                .max_log_files(FILES)
                .build(dir)
                .map_err(io::Error::other)?;
            let (writer, guard) = tracing_appender::non_blocking(files);
            (lines(log.format, BoxMakeWriter::new(writer)), Some(guard))
        }
    };
    let (filter, handle) = reload::Layer::new(filter(log.level));
    // A second start keeps the first one. This happens in tests that run several servers in one process.
    let _ = Registry::default().with(layer.with_filter(filter)).try_init();
    Ok(Logging { filter: handle, _writer: writer })
}

/// Messages of libraries below the level of a warning are left out: the driver would log statements, and the RPC every
/// request. tarpc warns about a client that closes right after its answer, which is not a problem. A migration can raise any
/// number of warnings, and those are for the server's log.
fn filter(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("tarpc", level.min(LevelFilter::ERROR))
        .with_target("sqlx::postgres::notice", LevelFilter::OFF)
        .with_target("tenantryd", level)
}

fn lines(format: LogFormat, writer: BoxMakeWriter) -> AnyLayer {
    let layer = fmt::layer().with_writer(writer).with_ansi(false);
    match format {
        LogFormat::Text => Escaping(layer).boxed(),
        LogFormat::Json => Escaping(layer.json()).boxed(),
    }
}

fn journal() -> io::Result<AnyLayer> {
    let priorities =
        PriorityMappings { info: Priority::Informational, debug: Priority::Debug, ..PriorityMappings::new() };
    let layer = tracing_journald::layer()?
        .with_field_prefix(Some(JOURNAL_PREFIX.to_owned()))
        .with_priority_mappings(priorities);
    Ok(Escaping(layer).boxed())
}

/// Whether standard error is the journal.
fn is_in_journal() -> bool {
    let stream = std::env::var(JOURNAL_STREAM).unwrap_or_default();
    // The file itself is compared, because the variable may have been inherited from another process.
    std::fs::metadata("/proc/self/fd/2").is_ok_and(|file| names(&stream, file.dev(), file.ino()))
}

fn names(stream: &str, device: u64, inode: u64) -> bool {
    let parts = stream.split_once(':');
    parts.is_some_and(|(dev, ino)| dev.parse() == Ok(device) && ino.parse() == Ok(inode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_the_journals_only_if_it_is_that_very_file() {
        assert!(names("8:4711", 8, 4711));
        for stream in ["8:4712", "9:4711", "", "8", "8:x", ":"] {
            assert!(!names(stream, 8, 4711), "{stream}");
        }
    }
}
