//! Running a program to its end and checking its output.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use super::binaries;
use super::wait::within;

/// What a program left when it ended.
#[derive(Debug, Clone)]
pub struct Output {
    /// The command line, for messages.
    command: String,
    /// The exit status; -1 if a signal ended it.
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// The one JSON document on its standard output.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not one JSON document: {error}\n{self}"))
    }

    #[track_caller]
    pub fn assert_status(self, status: i32) -> Self {
        assert_eq!(self.status, status, "the exit status\n{self}");
        self
    }

    /// Asserts that its standard error contains each of these texts.
    #[track_caller]
    pub fn assert_says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stderr.contains(text), "'{text}' is not in its standard error\n{self}");
        }
        // People read sentences, not the debug form of a type or a trace.
        for ugly in ["Err(", "Some(", "panicked", "RUST_BACKTRACE", "Backtrace"] {
            assert!(!self.stderr.contains(ugly), "'{ugly}' is in its standard error\n{self}");
        }
        self
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, status, stdout, stderr } = self;
        write!(f, "{command} ended with {status}\n── stdout\n{stdout}\n── stderr\n{stderr}")
    }
}

/// `tenantry` without any of this user's environment that it would read.
pub fn tenantry_command<S: AsRef<OsStr>>(arguments: &[S], home: &Path) -> Command {
    let mut command = Command::new(binaries::tenantry());
    command.args(arguments).env("HOME", home);
    for variable in ["XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "TENANTRY_SOCKET", "NO_COLOR"] {
        command.env_remove(variable);
    }
    command
}

/// Runs the program without input until it ends.
pub async fn run(mut command: Command) -> Output {
    let shown = format!("{:?}", command.as_std());
    let output = within(&shown, command.stdin(Stdio::null()).kill_on_drop(true).output())
        .await
        .unwrap_or_else(|error| panic!("{shown}: {error}"));
    Output {
        command: shown,
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
