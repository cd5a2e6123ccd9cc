//! The control socket: created safely, accepting in a loop of our own.
//!
//! Order of creation: lock → unlink what a dead daemon left → bind → chmod → listen. Each connection has a task of its
//! own, so that a failure that a peer provokes in the RPC library ends only its own connection.

use std::fs::{self, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use tarpc::server::{BaseChannel, Channel as _, Config};
use tarpc::{ClientMessage, Response, ServerError};
use tenantry_protocol::frame::{JsonCodec, MAX_FRAME_BYTES};
use tenantry_protocol::service::Tenantry as _;
use tenantry_protocol::{TenantryRequest, TenantryResponse};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::codec::LengthDelimitedCodec;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::commands::App;
use crate::file_lock::FileLock;
use crate::private_path;

use super::guard::{Connections, Guarded};
use super::peer;
use super::rpc::RpcSession;

/// Requests of one connection at a time; without a limit, 20,000 unread requests took 1 GB.
const REQUESTS_PER_CONNECTION: usize = 32;
/// The pause after a failed accept: usually there are no file descriptors left, and others must release some.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long open requests may take to be answered when the daemon stops.
const DRAIN: Duration = Duration::from_secs(2);

/// The bound socket, not yet served.
#[derive(Debug)]
pub struct Listener {
    listener: UnixListener,
    /// The path of the socket and the lock beside it, removed on drop. `None` for a socket that the service manager owns.
    _own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    path: PathBuf,
    _lock: FileLock,
}

#[derive(Debug, thiserror::Error)]
pub enum ListenerError {
    #[error("another tenantryd listens on {}: stop it, or choose another socket with --socket", path.display())]
    InUse { path: PathBuf },
    #[error("the socket {} cannot be made: {source}", path.display())]
    Make { path: PathBuf, source: io::Error },
    #[error("{} is in the way, and it is no socket: move it, or choose another socket with --socket", path.display())]
    NotASocket { path: PathBuf },
    #[error("the socket that the service manager passed cannot be used: {0}")]
    Passed(io::Error),
}

impl Listener {
    /// The socket that the service manager passed, or else a new one at `path`.
    pub fn open(path: &Path) -> Result<Self, ListenerError> {
        let passed = listenfd::ListenFd::from_env().take_unix_listener(0).map_err(ListenerError::Passed)?;
        if let Some(listener) = passed {
            listener.set_nonblocking(true).map_err(ListenerError::Passed)?;
            let listener = UnixListener::from_std(listener).map_err(ListenerError::Passed)?;
            return Ok(Self { listener, _own: None });
        }
        let make = |source| ListenerError::Make { path: path.to_owned(), source };
        if let Some(directory) = path.parent() {
            private_path::check_surroundings(directory).map_err(|error| make(error.into()))?;
            if !directory.exists() {
                fs::create_dir_all(directory).map_err(make)?;
                fs::set_permissions(directory, Permissions::from_mode(0o750)).map_err(make)?;
            }
        }
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let lock = private_path::open(&path.with_extension("lock"), options).map_err(make)?;
        // The lock file of an earlier release is readable by others, and a process that can open it can lock it.
        lock.set_permissions(Permissions::from_mode(0o600)).map_err(make)?;
        let lock = FileLock::take(lock).map_err(|(_, error)| match error {
            TryLockError::WouldBlock => ListenerError::InUse { path: path.to_owned() },
            TryLockError::Error(source) => make(source),
        })?;
        remove_stale(path)?;
        let listener = UnixListener::bind(path).map_err(make)?;
        fs::set_permissions(path, Permissions::from_mode(0o660)).map_err(make)?;
        Ok(Self { listener, _own: Some(Own { path: path.to_owned(), _lock: lock }) })
    }

    /// Serves until `stop`; then lets open requests finish, and removes the socket.
    pub async fn serve(self, app: Arc<App>, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        let connections = Arc::new(Connections::default());
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            match accepted {
                Ok((stream, _)) => admit(stream, &app, &connections, &tasks, &stop),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        tasks.close();
        let _ = tokio::time::timeout(DRAIN, tasks.wait()).await;
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // The lock file stays: removing it would let two daemons hold locks on different files of the same name.
        let _ = fs::remove_file(&self.path);
    }
}

/// Since we hold the lock, a socket at `path` belongs to a dead daemon. Anything else there is not ours to remove.
fn remove_stale(path: &Path) -> Result<(), ListenerError> {
    use std::os::unix::fs::FileTypeExt as _;
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {
            fs::remove_file(path).map_err(|source| ListenerError::Make { path: path.to_owned(), source })
        }
        Ok(_) => Err(ListenerError::NotASocket { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(ListenerError::Make { path: path.to_owned(), source }),
    }
}

fn admit(
    stream: UnixStream,
    app: &Arc<App>,
    connections: &Arc<Connections>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    let credentials = match stream.peer_cred() {
        Ok(credentials) => credentials,
        Err(error) => {
            tracing::warn!(%error, "a peer could not be identified");
            return;
        }
    };
    let Some(place) = Connections::enter(connections, credentials.uid()) else {
        tracing::warn!(uid = credentials.uid(), "too many connections");
        return;
    };
    let (app, stop) = (Arc::clone(app), stop.clone());
    tasks.spawn(async move {
        let _place = place;
        // The account is looked up in another thread: a slow directory service must not delay others.
        let peer = tokio::task::spawn_blocking(move || peer::identify(credentials)).await;
        match peer.map_err(io::Error::other).flatten() {
            Ok(peer) => serve_connection(stream, RpcSession::new(app, peer), stop).await,
            Err(error) => tracing::warn!(%error, "a peer's account could not be looked up"),
        }
    });
}

/// Answers until the peer disconnects, or until all requests from before `stop` are answered.
async fn serve_connection(stream: UnixStream, session: RpcSession, stop: CancellationToken) {
    let framed = LengthDelimitedCodec::builder().max_frame_length(MAX_FRAME_BYTES).new_framed(stream);
    let codec = JsonCodec::<ClientMessage<TenantryRequest>, Response<TenantryResponse>>::with(too_large);
    let transport = Guarded::new(tarpc::serde_transport::new(framed, codec), stop);
    let config = Config { pending_response_buffer: REQUESTS_PER_CONNECTION };
    let channel = BaseChannel::new(config, transport).max_concurrent_requests(REQUESTS_PER_CONNECTION);
    // The answers run in this task and end with the connection; mutations have tasks of their own.
    channel.execute(session.serve()).for_each_concurrent(REQUESTS_PER_CONNECTION, |answer| answer).await;
}

/// The size of answers is limited where they are made. If one is too large after all, the caller gets an error, and the
/// connection continues.
fn too_large(answer: &Response<TenantryResponse>) -> Response<TenantryResponse> {
    tracing::error!("an answer was larger than a frame may be, and was not sent");
    let detail = format!("its answer is larger than the {} MiB of a frame", MAX_FRAME_BYTES / (1024 * 1024));
    let error = ServerError::new(io::ErrorKind::InvalidData, detail);
    Response { request_id: answer.request_id, message: Err(error) }
}
