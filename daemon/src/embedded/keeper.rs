//! Keeps the private server running. If it ends without the daemon's doing, for example because the disk is full or somebody
//! killed it, it is started again, with pauses, as often as needed.
//!
//! A server of the system has systemd for this; the private server has only the daemon. Operations in flight wait for the server,
//! each within its own time.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::process::Child;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::EmbeddedError;
use super::account::OsUser;
use super::binaries::Binaries;
use super::layout::Layout;
use super::postmaster;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// A disk can stay full for a long time, and each failed attempt is logged.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A server that ends sooner than this after its start is restarted at growing intervals.
const STEADY: Duration = Duration::from_secs(30);
/// How often a server that is not a child process is checked.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The server's process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) pid: i32,
    /// The child process to reap; none if the server was running before this daemon.
    pub(super) child: Option<Child>,
}

/// Everything that is needed to start the server again.
#[derive(Debug)]
pub(super) struct StartRecipe {
    pub(super) layout: Layout,
    pub(super) binaries: Binaries,
    pub(super) user: OsUser,
    pub(super) port: u16,
}

/// The task that watches the server.
#[derive(Debug)]
pub(super) struct Keeper {
    stop: DropGuard,
    task: JoinHandle<Process>,
}

impl Keeper {
    pub(super) fn watch(process: Process, recipe: StartRecipe) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(keep(process, recipe, stop.clone()));
        Self { stop: stop.drop_guard(), task }
    }

    /// Ends the watch and returns the server that runs now, or `None` if the task died.
    pub(super) async fn release(self) -> Option<Process> {
        drop(self.stop);
        self.task.await.ok()
    }
}

async fn keep(mut process: Process, recipe: StartRecipe, stop: CancellationToken) -> Process {
    let mut pause = FIRST_PAUSE;
    loop {
        let begin = Instant::now();
        tokio::select! {
            () = stop.cancelled() => return process,
            () = ended(&mut process, &recipe.layout.data) => {}
        }
        tracing::error!(
            pid = process.pid,
            log = %recipe.layout.log.display(),
            "the private server ended by itself; its log says why, and it is started again"
        );
        if begin.elapsed() > STEADY {
            pause = FIRST_PAUSE;
        }
        process = loop {
            tokio::select! {
                () = stop.cancelled() => return process,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
            // Never cancelled halfway: a server that was just spawned is not recorded anywhere yet.
            match start(&recipe).await {
                Ok(started) => break started,
                Err(EmbeddedError::NoSpace { path, free, .. }) => tracing::error!(
                    path = %path.display(),
                    free_bytes = free,
                    "the private server has no room on its disk: make some, and it starts by itself"
                ),
                Err(error) => tracing::error!(%error, "the private server cannot be started again yet"),
            }
        };
        tracing::info!(pid = process.pid, "the private server runs again");
    }
}

async fn start(recipe: &StartRecipe) -> Result<Process, EmbeddedError> {
    postmaster::clear_stale(&recipe.layout, recipe.port).await?;
    let child = postmaster::start(&recipe.layout, &recipe.binaries, &recipe.user).await?;
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or_default();
    Ok(Process { pid, child: Some(child) })
}

async fn ended(process: &mut Process, data: &Path) {
    match &mut process.child {
        Some(child) => drop(child.wait().await),
        None => {
            while postmaster::is_ours(process.pid, data) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }
}
