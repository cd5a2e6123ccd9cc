//! The server's processes: finding out which belong to this cluster, starting one, and stopping all.
//!
//! Invariant: a process belongs to this cluster only if it is a `postgres` whose working directory is the cluster's data
//! directory. A number in a pid file proves nothing. No other process is ever signalled.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::time::{Instant, sleep};

use super::EmbeddedError;
use super::account::OsUser;
use super::binaries::Binaries;
use super::initdb::{NEEDED_BYTES, tells_full_disk};
use super::layout::Layout;

/// Recovery after a crash can take long on a slow disk. A server that fails ends by itself, much earlier.
const START_DEADLINE: Duration = Duration::from_secs(300);
/// A fast shutdown writes a checkpoint: thousands of files after many tenants, and each one is synchronised.
const FAST_DEADLINE: Duration = Duration::from_secs(30);
const IMMEDIATE_DEADLINE: Duration = Duration::from_secs(3);
/// How often a process or its pid file is polled. There is no other way to wait for either.
const LOOK_EVERY: Duration = Duration::from_millis(4);

/// The content of `postmaster.pid`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PidFile {
    pub(super) pid: i32,
    pub(super) port: Option<u16>,
    pub(super) socket_dir: String,
    ready: bool,
}

impl PidFile {
    pub(super) fn read(data: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(data.join("postmaster.pid")).ok()?)
    }

    /// Lines: pid, data directory, start time, port, socket directory, listen address, shared memory key, status.
    fn parse(text: &str) -> Option<Self> {
        let line = |number: usize| text.lines().nth(number).unwrap_or_default().trim();
        Some(Self {
            pid: line(0).parse().ok().filter(|pid| *pid > 1)?,
            port: line(3).parse().ok(),
            socket_dir: line(4).to_owned(),
            ready: line(7) == "ready",
        })
    }
}

/// Whether a process is a server process of this data directory. A zombie does not count.
pub(super) fn is_ours(pid: i32, data: &Path) -> bool {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let works_in = fs::read_link(process.join("cwd")).ok();
    let same_place = works_in.is_some_and(|dir| fs::canonicalize(data).is_ok_and(|data| data == dir));
    same_place && program_of(pid).is_some_and(|path| path.to_string_lossy().contains("/postgres"))
}

/// The program file of a process. Its name ends in ` (deleted)` after an upgrade replaced it.
pub(super) fn program_of(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

/// All server processes of this data directory, including those that outlived their postmaster.
pub(super) fn processes(data: &Path) -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| is_ours(*pid, data)).collect()
}

/// The postmaster that runs on this data directory, if there is one.
pub(super) fn running(data: &Path) -> Option<PidFile> {
    PidFile::read(data).filter(|file| is_ours(file.pid, data))
}

/// Removes what a postmaster that is gone left: its orphans, its pid file and its socket. PostgreSQL itself refuses to start
/// if the number in the file belongs to any existing process, even a zombie.
pub(super) async fn clear_stale(layout: &Layout, port: u16) -> Result<(), EmbeddedError> {
    let orphans = processes(&layout.data);
    if !orphans.is_empty() {
        tracing::warn!(?orphans, "ending server processes that outlived their postmaster");
        end_all(&layout.data, Signal::SIGQUIT).await?;
    }
    let socket = Path::new(&layout.socket_dir).join(format!(".s.PGSQL.{port}"));
    let stale = [layout.data.join("postmaster.pid"), socket.with_extension(format!("{port}.lock")), socket];
    for path in stale {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(EmbeddedError::Directory { path, source: error });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Starts the server and waits until it accepts connections.
pub(super) async fn start(
    layout: &Layout,
    binaries: &Binaries,
    user: &OsUser,
) -> Result<Child, EmbeddedError> {
    let log = layout.open_log()?;
    let begin = log.metadata().map(|log| log.len()).unwrap_or(0);
    let fail = |source| EmbeddedError::Run { program: binaries.postgres(), source };
    let errors = log.try_clone().map_err(fail)?;
    let mut command = user.command(&binaries.postgres());
    command.arg("-D").arg(&layout.data).stdout(log).stderr(errors);
    let mut child = command.spawn().map_err(fail)?;
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    let deadline = Instant::now() + START_DEADLINE;
    loop {
        if PidFile::read(&layout.data).is_some_and(|file| file.ready && Some(file.pid) == pid) {
            return Ok(child);
        }
        if child.try_wait().map_err(fail)?.is_some() {
            let tail = layout.log_tail(begin);
            if tells_full_disk(&tail) {
                return Err(layout.no_space(NEEDED_BYTES));
            }
            return Err(EmbeddedError::Start { log: layout.log.clone(), tail });
        }
        if Instant::now() > deadline {
            let tail = layout.log_tail(begin);
            end_all(&layout.data, Signal::SIGINT).await?;
            let seconds = START_DEADLINE.as_secs();
            return Err(EmbeddedError::StartTimeout { log: layout.log.clone(), seconds, tail });
        }
        sleep(LOOK_EVERY).await;
    }
}

/// A fast shutdown, then an immediate one, then a kill, each for a limited time. Returns when no process is left.
pub(super) async fn stop(pid: i32, data: &Path) -> Result<(), EmbeddedError> {
    let steps = [(Signal::SIGINT, FAST_DEADLINE), (Signal::SIGQUIT, IMMEDIATE_DEADLINE)];
    for (signal, patience) in steps {
        if !is_ours(pid, data) {
            break;
        }
        send(pid, signal)?;
        if gone(data, patience, |data| !is_ours(pid, data)).await {
            break;
        }
        tracing::warn!(pid, %signal, "the private server did not end in time");
    }
    end_all(data, Signal::SIGKILL).await
}

/// Ends every server process of a data directory, first with this signal and then with SIGKILL.
pub(super) async fn end_all(data: &Path, first: Signal) -> Result<(), EmbeddedError> {
    for signal in [first, Signal::SIGKILL] {
        for pid in processes(data) {
            send(pid, signal)?;
        }
        if gone(data, IMMEDIATE_DEADLINE, |data| processes(data).is_empty()).await {
            return Ok(());
        }
    }
    match processes(data).first() {
        Some(pid) => Err(EmbeddedError::Immortal { pid: *pid }),
        None => Ok(()),
    }
}

async fn gone(data: &Path, patience: Duration, check: impl Fn(&Path) -> bool) -> bool {
    let deadline = Instant::now() + patience;
    while !check(data) {
        if Instant::now() > deadline {
            return false;
        }
        sleep(LOOK_EVERY).await;
    }
    true
}

fn send(pid: i32, signal: Signal) -> Result<(), EmbeddedError> {
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(EmbeddedError::Signal { pid, source: errno.into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_is_read_and_a_broken_one_is_none() {
        let text = "4711\n/data\n1700000000\n5433\n/run/x\n127.0.0.1\n  5432 7\nready   \n";
        let file = PidFile::parse(text);
        let wanted = PidFile { pid: 4711, port: Some(5433), socket_dir: "/run/x".into(), ready: true };
        assert_eq!(file, Some(wanted));
        for broken in ["", "x", "-1", "0\n", "1\n"] {
            assert_eq!(PidFile::parse(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn another_process_is_not_ours() {
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        let here = std::env::current_dir().unwrap_or_default();
        assert!(!is_ours(own, &here), "it works here, but is no postgres");
    }
}
