//! A private `tenantryd --ephemeral` that lives as long as this process.
//!
//! Invariant: we hold its standard input open. It ends when that closes, so it ends with us whatever happens to us. We wait
//! for it to shut down, with a bound.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tenantry_protocol::endpoint::Announcement;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::cli::error::CliError;

const BINARY: &str = "tenantryd";
/// Making a cluster takes a second; a loaded machine may need longer.
const START: Duration = Duration::from_secs(90);
const STOP: Duration = Duration::from_secs(20);
/// How many of the log's last lines explain a failed start.
const LOG_LINES: usize = 12;

#[derive(Debug)]
pub(super) struct Daemon {
    child: Child,
    /// Dropping it tells the daemon to stop.
    stdin: Option<ChildStdin>,
    stdout: Option<BufReader<ChildStdout>>,
    /// Its standard error. The file has no name, so nothing of it is left behind in any case.
    log: File,
    socket: Option<PathBuf>,
}

impl Daemon {
    pub(super) fn spawn() -> Result<Self, CliError> {
        let program = binary();
        let no_log = |error: io::Error| {
            CliError::Demo(format!("the daemon's log cannot be made: {error}; make room, or set TMPDIR"))
        };
        let log = tempfile::tempfile().map_err(no_log)?;
        let stderr = log.try_clone().map_err(no_log)?;
        let mut child = Command::new(&program)
            .args(["--ephemeral", "--announce", "--exit-with-stdin"])
            // The daemon is private: where another daemon listens does not concern it.
            .env_remove(tenantry_protocol::endpoint::SOCKET_VARIABLE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            // A Ctrl-C on the terminal is for us alone; we stop the daemon in order.
            .process_group(0)
            .spawn()
            .map_err(|error| CliError::Demo(cannot_start(&program, &error)))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().map(BufReader::new);
        Ok(Self { child, stdin, stdout, log, socket: None })
    }

    /// Waits until the daemon listens, and returns its socket.
    pub(super) async fn ready(&mut self) -> Result<PathBuf, CliError> {
        let mut line = String::new();
        if let Some(stdout) = &mut self.stdout {
            // The end of the file and errors leave the line empty: the daemon has ended, and its log says why.
            let _ = timeout(START, stdout.read_line(&mut line)).await;
        }
        match serde_json::from_str::<Announcement>(&line) {
            Ok(announcement) => {
                self.socket = Some(announcement.socket.clone());
                Ok(announcement.socket)
            }
            Err(_) if line.is_empty() => Err(CliError::Demo(format!(
                "the daemon did not start. The last lines of its log:\n{}",
                self.log()
            ))),
            Err(_) => Err(CliError::Demo(format!(
                "the daemon announced itself in a way that this release does not know ({}); use client and daemon \
                 of the same release",
                line.trim_end()
            ))),
        }
    }

    /// Tells the daemon to stop and waits; reports what it left behind.
    pub(super) async fn stop(mut self) -> Result<(), CliError> {
        drop(self.stdin.take());
        let Ok(status) = timeout(STOP, self.child.wait()).await else {
            let pid = self.child.id().unwrap_or_default();
            // It is our own child, so the number cannot have been given to another process.
            let _ = self.child.kill().await;
            return Err(CliError::Demo(format!(
                "the daemon (pid {pid}) did not stop within {} s and was killed; look for its PostgreSQL with \
                 `ps -ef` and for its files in the temporary folder. Its last lines:\n{}",
                STOP.as_secs(),
                self.log()
            )));
        };
        let status =
            status.map_err(|error| CliError::Demo(format!("the daemon cannot be waited for: {error}")))?;
        if !status.success() {
            return Err(CliError::Demo(format!(
                "the daemon ended with {status}. Its last lines:\n{}",
                self.log()
            )));
        }
        match self.socket.as_deref().and_then(Path::parent).filter(|folder| folder.exists()) {
            Some(left) => {
                Err(CliError::Demo(format!("the daemon left {} behind; remove it", left.display())))
            }
            None => Ok(()),
        }
    }

    /// The last lines of its standard error.
    fn log(&self) -> String {
        let mut bytes = Vec::new();
        let mut log = &self.log;
        // A log that cannot be read does not deserve an error of its own beside the one that is being reported.
        let _ = log.rewind().and_then(|()| log.read_to_end(&mut bytes));
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        let tail = &lines[lines.len().saturating_sub(LOG_LINES)..];
        if tail.is_empty() {
            return "  (it is empty)".to_owned();
        }
        tail.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
    }
}

/// The daemon next to our own executable, else the one on the PATH.
fn binary() -> PathBuf {
    std::env::current_exe()
        .ok()
        .map(|own| own.with_file_name(BINARY))
        .filter(|neighbour| neighbour.is_file())
        .unwrap_or_else(|| PathBuf::from(BINARY))
}

fn cannot_start(program: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            format!(
                "{BINARY} is neither next to this program nor on the path; build or install it (in the source: `make demo`)"
            )
        }
        _ => format!("{} cannot be started: {error}", program.display()),
    }
}
