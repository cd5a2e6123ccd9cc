//! A log for debugging the client itself. It is off unless `TENANTRY_LOG` holds a filter such as `debug`.
//!
//! It goes to a file in the user's state directory and never to the terminal, which belongs to the output.

use directories::ProjectDirs;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

const VARIABLE: &str = "TENANTRY_LOG";

/// Starts logging if it was asked for. The log is complete once the guard is dropped.
pub(crate) fn start() -> Option<WorkerGuard> {
    let filter = std::env::var(VARIABLE).ok().filter(|filter| !filter.is_empty())?;
    let projects = ProjectDirs::from("", "", "tenantry")?;
    let folder = projects.state_dir().unwrap_or_else(|| projects.data_local_dir());
    let file = tracing_appender::rolling::RollingFileAppender::builder()
        .rotation(tracing_appender::rolling::Rotation::DAILY)
        .filename_prefix("tenantry")
        .filename_suffix("log")
        .max_log_files(7)
        .build(folder)
        .ok()?;
    let (writer, guard) = tracing_appender::non_blocking(file);
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(filter).ok()?)
        .with_ansi(false)
        .with_writer(writer)
        .try_init()
        .ok()?;
    Some(guard)
}
