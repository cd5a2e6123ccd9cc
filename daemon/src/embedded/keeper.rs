//! Keeps the private server running: one that ended by itself (a full disk, a kill) is started again until it stays.
//!
//! A server of the system's has systemd for that; this one has only us. Operations in flight wait for it, each within its
//! own time.

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
/// A disk that is full stays so for longer than anybody wants to read about it.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// One that ends sooner after its start is started again more and more slowly.
const STEADY: Duration = Duration::from_secs(30);
/// How often a server that is not our child is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The server's process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) pid: i32,
    /// To be reaped; none if the server was running before us.
    pub(super) child: Option<Child>,
}

/// What it takes to start the server again.
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

    /// Ends the watch, and gives the server that runs now; `None` if the task died.
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
            // Not given up half-way: a server that was just spawned is in nobody's books yet.
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
