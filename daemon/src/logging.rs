//! Structured logs: to standard error, or to daily files. Never a secret: the types that hold one do not show it.

use std::io;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, filter::Targets, fmt};

use crate::config::{Log, LogFormat, LogLevel};

const FILE_PREFIX: &str = "tenantryd.log";
/// Daily files that are kept.
const FILES: usize = 14;

/// Starts logging; what is still in memory is written when the guard is dropped.
pub fn start(log: &Log) -> io::Result<Option<WorkerGuard>> {
    let level = match log.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // What libraries say below a warning is theirs: the driver would log statements, the RPC every request.
    // A client that closes right after its answer is a warning of tarpc's, and nobody's problem. A migration can raise
    // as many warnings as it likes; they are the server's to log.
    let filter = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("tarpc", level.min(LevelFilter::ERROR))
        .with_target("sqlx::postgres::notice", LevelFilter::OFF)
        .with_target("tenantryd", level);
    let (writer, guard) = match &log.dir {
        None => (BoxMakeWriter::new(io::stderr), None),
        Some(dir) => {
            let files = rolling::Builder::new()
                .rotation(rolling::Rotation::DAILY)
                .filename_prefix(FILE_PREFIX)
                .max_log_files(FILES)
                .build(dir)
                .map_err(io::Error::other)?;
            let (writer, guard) = tracing_appender::non_blocking(files);
            (BoxMakeWriter::new(writer), Some(guard))
        }
    };
    let layer = fmt::layer().with_writer(writer).with_ansi(false);
    let layer = match log.format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().boxed(),
    };
    // A second start, in tests that run several servers in one process, keeps the first.
    let _ = Registry::default().with(layer.with_filter(filter)).try_init();
    Ok(guard)
}
