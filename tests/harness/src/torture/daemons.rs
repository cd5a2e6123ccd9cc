//! The daemons of an installation that is broken: started again when they died, and ended where they only stand by.

use std::os::unix::process::ExitStatusExt as _;

use sqlx::Connection as _;

use super::arena::Arena;
use crate::daemon::Daemon;

impl Arena {
    /// Keeps at least `count` daemons running.
    pub(super) async fn keep_daemons(&mut self, count: usize) {
        let mut alive = Vec::new();
        for mut daemon in std::mem::take(&mut self.daemons) {
            match daemon.has_ended() {
                None => alive.push(daemon),
                Some(status) if status.signal() == Some(9) => {}
                Some(status) => {
                    self.deaths.push(format!("a daemon ended by itself, {status}: {}", tail(&daemon.log())))
                }
            }
        }
        self.daemons = alive;
        while self.daemons.len() < count {
            let Some(daemon) = self.start_daemon().await else { return };
            self.daemons.push(daemon);
        }
    }

    /// `None` if the daemon could not start, because the server is away or a fault struck.
    async fn start_daemon(&mut self) -> Option<Daemon> {
        self.serial += 1;
        let socket = self.env.dir.join(format!("d{}.sock", self.serial));
        let config = self.env.config_path();
        let arguments = ["--config", config.to_str()?, "--socket", socket.to_str()?];
        let faults = self.faults.socket.to_str()?;
        let variables = [("TENANTRY_FAULT_SOCKET", faults)];
        let daemon = Daemon::launch(&self.program, &arguments, &self.env.dir, &variables).await.ok()?;
        self.faults.sockets.lock().unwrap().insert(daemon.pid().as_raw(), socket);
        Some(daemon)
    }

    /// Ends the daemons that only stand by, down to `count`.
    pub(super) async fn end_standbys(&mut self, count: usize) {
        while self.daemons.len() > count {
            let mut control = self.env.control().await;
            let holder: String =
                sqlx::query_scalar("select holder from control.epoch").fetch_one(&mut control).await.unwrap();
            control.close().await.unwrap();
            let leads = |daemon: &Daemon| holder.starts_with(&format!("pid {} ", daemon.pid()));
            let standby = self.daemons.iter().position(|daemon| !leads(daemon)).unwrap_or(0);
            let ended = self.daemons.remove(standby).stop().await;
            if !ended.status.success() {
                self.deaths.push(format!("a standby ended with {}: {}", ended.status, tail(&ended.log)));
            }
        }
    }
}

/// The last lines of a log.
fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
