//! A running `tenantryd`, started as a client would start it: it announces its socket, and ends when its input does.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tenantry_protocol::endpoint::Announcement;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use super::binaries;
use super::wait::within;

#[derive(Debug)]
pub struct Daemon {
    child: Child,
    stdin: Option<ChildStdin>,
    pub announcement: Announcement,
    log: PathBuf,
}

/// How a daemon ended, and what it wrote to its standard error.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub log: String,
}

impl Daemon {
    /// Starts the daemon and waits until it is ready; panics with its log if it does not become ready.
    pub async fn start(arguments: &[&str], dir: &Path) -> Self {
        Self::start_with(arguments, dir, &[]).await
    }

    /// Starts the daemon; `Err` if it ends before it is ready.
    pub async fn try_start(arguments: &[&str], dir: &Path) -> Result<Self, Ended> {
        Self::launch(&binaries::tenantryd(), arguments, dir, &[]).await
    }

    /// Starts the daemon with more variables in its environment.
    pub async fn start_with(arguments: &[&str], dir: &Path, variables: &[(&str, &str)]) -> Self {
        match Self::launch(&binaries::tenantryd(), arguments, dir, variables).await {
            Ok(daemon) => daemon,
            Err(ended) => panic!("tenantryd {arguments:?} did not start: {}\n{}", ended.status, ended.log),
        }
    }

    /// Starts a build of the daemon; `Err` if it ends before it is ready.
    pub async fn launch(
        program: &Path,
        arguments: &[&str],
        dir: &Path,
        variables: &[(&str, &str)],
    ) -> Result<Self, Ended> {
        Self::run(Command::new(program), arguments, dir, variables).await
    }

    /// Like [`Self::launch`], with a command that becomes the daemon.
    pub async fn run(
        mut command: Command,
        arguments: &[&str],
        dir: &Path,
        variables: &[(&str, &str)],
    ) -> Result<Self, Ended> {
        let log = dir.join(format!("daemon-{}.log", uuid::Uuid::now_v7().simple()));
        let mut child = command
            .args(arguments)
            .args(["--announce", "--exit-with-stdin"])
            .env("HOME", dir)
            .env_remove("XDG_RUNTIME_DIR")
            .env_remove("XDG_DATA_HOME")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("TENANTRY_SOCKET")
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .expect("tenantryd can be run");
        let stdin = child.stdin.take();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = within("tenantryd announces itself", lines.next_line()).await.unwrap();
        match line {
            Some(line) => {
                let announcement = serde_json::from_str(&line)
                    .unwrap_or_else(|error| panic!("not an announcement: {line}: {error}"));
                Ok(Self { child, stdin, announcement, log })
            }
            None => {
                let status = within("tenantryd ends", child.wait()).await.unwrap();
                Err(Ended { status, log: std::fs::read_to_string(&log).unwrap_or_default() })
            }
        }
    }

    /// Closes the daemon's input, which tells it to end, and waits until it has.
    pub async fn stop(mut self) -> Ended {
        drop(self.stdin.take());
        self.ended().await
    }

    /// Ends the daemon as a crash would.
    pub async fn kill(mut self) -> Ended {
        kill(self.pid(), Signal::SIGKILL).unwrap();
        self.ended().await
    }

    /// Asks the daemon to end as systemd would.
    pub async fn terminate(mut self) -> Ended {
        kill(self.pid(), Signal::SIGTERM).unwrap();
        self.ended().await
    }

    /// The exit status, if the daemon has ended.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    async fn ended(&mut self) -> Ended {
        let status = within("tenantryd ends", self.child.wait()).await.unwrap();
        Ended { status, log: self.log() }
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.announcement.pid.try_into().unwrap())
    }

    pub fn socket(&self) -> &Path {
        &self.announcement.socket
    }

    /// What the daemon has written to its standard error so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}
