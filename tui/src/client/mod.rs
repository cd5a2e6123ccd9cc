//! The only way to the daemon: a connection over its Unix socket, used by the commands and by the console alike.
//!
//! Invariant: an existing [`Client`] has sent hello and was understood; each call has a deadline.
//! Knows nothing of terminals.

mod any;
mod audit;
mod calls;
mod error;
mod export;
mod follow;
mod locate;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tarpc::client::{Channel, Config, RpcError};
use tarpc::context::{self, Context};
use tarpc::{ClientMessage, Response};
use tenantry_protocol::frame::{JsonCodec, MAX_FRAME_BYTES};
use tenantry_protocol::operation::{Operation, OperationRequest};
use tenantry_protocol::session::{ClientInfo, Health, HealthRequest, HelloRequest, HelloResponse};
use tenantry_protocol::tenant::{RollbackPreview, RollbackPreviewRequest, TenantDetail, TenantRequest};
use tenantry_protocol::watch::{WatchRequest, WatchResponse};
use tenantry_protocol::{
    ApiError, ErrorCode, PROTOCOL_VERSION, TenantryClient, TenantryRequest, TenantryResponse,
};
use tokio::net::UnixStream;
use tokio_util::codec::LengthDelimitedCodec;

use crate::text;
pub(crate) use error::ClientError;
pub(crate) use export::{ExportError, Overwrite, export_to};
pub(crate) use follow::{Follower, reconnect};
pub(crate) use locate::socket;

/// How long a call may take, unless it says otherwise.
const CALL: Duration = Duration::from_secs(10);
/// For calls that open databases or read a whole blueprint.
const LONG_CALL: Duration = Duration::from_secs(60);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the hello may take. A daemon listens from its start and answers when its databases do. The first start makes a
/// private cluster, which takes a second, or ten on a busy machine.
const HELLO: Duration = Duration::from_secs(20);

/// A connection to a daemon that has answered hello. Clones share the connection.
#[derive(Clone)]
pub(crate) struct Client {
    rpc: TenantryClient,
    channel: Channel<TenantryRequest, TenantryResponse>,
    socket: PathBuf,
    hello: HelloResponse,
    strings: Strings,
}

/// What is done with the strings of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strings {
    /// They go into a document, which has its own way of escaping them.
    AsTheyCame,
    /// They go into readable lines, and each is a part of one line.
    Lines,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl Client {
    /// Connects, checks who serves the socket, and says hello.
    pub(crate) async fn connect(socket: &Path) -> Result<Self, ClientError> {
        let stream = open(socket).await?;
        let server = stream.peer_cred().map_err(|_| ClientError::Lost)?;
        locate::trust(socket, server.uid())?;
        let mut codec = LengthDelimitedCodec::new();
        codec.set_max_frame_length(MAX_FRAME_BYTES);
        let framed = tokio_util::codec::Framed::new(stream, codec);
        let json = JsonCodec::<Response<TenantryResponse>, ClientMessage<TenantryRequest>>::default();
        let transport = tarpc::serde_transport::new(framed, json);
        let channel = tarpc::client::new(Config::default(), transport).spawn();
        let rpc = TenantryClient::from(channel.clone());
        let request = HelloRequest { protocol_version: PROTOCOL_VERSION, client: client_info() };
        let answer = rpc.hello(within(HELLO), request).await;
        Ok(Self {
            hello: understood(socket, answer)?,
            rpc,
            channel,
            socket: socket.to_owned(),
            strings: Strings::AsTheyCame,
        })
    }

    /// The same connection for readable output: no string that it returns can begin a line, or do worse to a terminal.
    pub(crate) fn for_people(self) -> Self {
        Self { hello: text::wire(self.hello), strings: Strings::Lines, ..self }
    }

    /// A new connection to the same daemon.
    pub(crate) async fn reconnect(&self) -> Result<Self, ClientError> {
        let fresh = Self::connect(&self.socket).await?;
        Ok(match self.strings {
            Strings::AsTheyCame => fresh,
            Strings::Lines => fresh.for_people(),
        })
    }

    fn settle<T: Serialize + DeserializeOwned>(
        &self,
        method: &'static str,
        limit: Duration,
        answer: Result<Result<T, ApiError>, RpcError>,
    ) -> Result<T, ClientError> {
        let value = settle(method, limit, answer)?;
        Ok(match self.strings {
            Strings::AsTheyCame => value,
            Strings::Lines => text::wire(value),
        })
    }

    pub(crate) const fn hello(&self) -> &HelloResponse {
        &self.hello
    }

    pub(crate) async fn health(&self) -> Result<Health, ClientError> {
        self.settle("health", CALL, self.rpc.health(within(CALL), HealthRequest {}).await)
    }

    pub(crate) async fn operation(&self, id: String) -> Result<Operation, ClientError> {
        self.settle("operation", CALL, self.rpc.operation(within(CALL), OperationRequest { id }).await)
    }

    /// Waits for events at most as long as the request says.
    pub(crate) async fn watch(&self, request: WatchRequest) -> Result<WatchResponse, ClientError> {
        let limit = Duration::from_millis(request.wait_ms) + Duration::from_secs(5);
        self.settle("watch", limit, self.rpc.watch(within(limit), request).await)
    }

    /// What a rollback of this tenant would remove, by slug or id.
    pub(crate) async fn rollback_preview(&self, slug: String) -> Result<RollbackPreview, ClientError> {
        let request = RollbackPreviewRequest { slug };
        self.settle("rollback_preview", CALL, self.rpc.rollback_preview(within(CALL), request).await)
    }

    pub(crate) async fn tenant(&self, slug: String) -> Result<TenantDetail, ClientError> {
        self.settle("tenant", CALL, self.rpc.tenant(within(CALL), TenantRequest { slug }).await)
    }
}

async fn open(socket: &Path) -> Result<UnixStream, ClientError> {
    let nobody = |problem, source| ClientError::NoDaemon { socket: socket.to_owned(), problem, source };
    match tokio::time::timeout(CONNECT, UnixStream::connect(socket)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(source)) => Err(match source.kind() {
            io::ErrorKind::PermissionDenied => {
                ClientError::SocketDenied { socket: socket.to_owned(), source }
            }
            io::ErrorKind::NotFound => nobody("there is no such file", source),
            io::ErrorKind::ConnectionRefused => nobody("the file is there, but nobody serves it", source),
            _ => nobody("it cannot be opened", source),
        }),
        Err(_) => Err(nobody("it does not accept connections", io::ErrorKind::TimedOut.into())),
    }
}

/// Distinguishes a daemon of another version from a server that is not a Tenantry daemon.
fn understood(
    socket: &Path,
    answer: Result<Result<HelloResponse, ApiError>, RpcError>,
) -> Result<HelloResponse, ClientError> {
    let stranger =
        |problem: &str| ClientError::NotTenantryd { socket: socket.to_owned(), problem: problem.to_owned() };
    match answer {
        Ok(Ok(hello)) if hello.protocol_version == PROTOCOL_VERSION => Ok(hello),
        Ok(Ok(hello)) => Err(ClientError::Version { ours: PROTOCOL_VERSION, theirs: hello.protocol_version }),
        Ok(Err(error)) if error.code == ErrorCode::Precondition => {
            Err(ClientError::VersionRefused(text::wire(error)))
        }
        Ok(Err(error)) => Err(ClientError::Api(text::wire(error))),
        Err(RpcError::DeadlineExceeded) => {
            Err(ClientError::Mute { socket: socket.to_owned(), seconds: HELLO.as_secs() })
        }
        Err(RpcError::Shutdown) => Err(stranger("it closed the connection at the hello")),
        Err(RpcError::Send(_) | RpcError::Channel(_)) => Err(stranger("its answer cannot be read")),
        Err(RpcError::Server(_)) => Err(stranger("it refused the hello")),
    }
}

fn within(limit: Duration) -> Context {
    let mut context = context::current();
    context.deadline = Instant::now() + limit;
    context
}

fn settle<T>(
    method: &'static str,
    limit: Duration,
    answer: Result<Result<T, ApiError>, RpcError>,
) -> Result<T, ClientError> {
    match answer {
        Ok(Ok(value)) => Ok(value),
        // A readable sentence, wherever it is shown.
        Ok(Err(error)) => Err(ClientError::Api(text::wire(error))),
        Err(RpcError::DeadlineExceeded) => Err(ClientError::Deadline { method, seconds: limit.as_secs() }),
        Err(RpcError::Server(error)) if error.kind == io::ErrorKind::InvalidData => {
            let message =
                format!("the daemon cannot answer {method}: {}; ask for less at once", error.detail);
            Err(ClientError::Api(ApiError::new(ErrorCode::Internal, message)))
        }
        Err(RpcError::Server(error)) => Err(ClientError::Api(ApiError::new(
            ErrorCode::Unavailable,
            format!(
                "the daemon cannot serve {method} now ({}); try again in a moment",
                text::line(&error.detail)
            ),
        ))),
        Err(RpcError::Shutdown | RpcError::Send(_) | RpcError::Channel(_)) => Err(ClientError::Lost),
    }
}

/// Who we say we are. The daemon records this as claimed; for what it trusts, it asks the kernel.
fn client_info() -> ClientInfo {
    let mut claimed = BTreeMap::new();
    for (name, key) in [("SSH_CONNECTION", "ssh_connection"), ("SUDO_USER", "sudo_user")] {
        if let Ok(value) = std::env::var(name) {
            claimed.insert(key.to_owned(), value.chars().take(200).collect());
        }
    }
    if let Some(tty) = tty_name() {
        claimed.insert("tty".to_owned(), tty);
    }
    ClientInfo { name: "tenantry".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned(), claimed }
}

fn tty_name() -> Option<String> {
    use std::io::IsTerminal;
    let (number, terminal) =
        if io::stdin().is_terminal() { (0, true) } else { (2, io::stderr().is_terminal()) };
    if !terminal {
        return None;
    }
    let path = std::fs::read_link(format!("/proc/self/fd/{number}")).ok()?;
    Some(path.to_string_lossy().chars().take(200).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(protocol_version: u32) -> HelloResponse {
        HelloResponse {
            protocol_version,
            server_version: "9".to_owned(),
            label: String::new(),
            actor: "root (uid 0)".to_owned(),
            role: tenantry_protocol::session::Role::Admin,
            mode: tenantry_protocol::session::DaemonMode::Embedded,
        }
    }

    #[test]
    fn another_version_and_a_stranger_are_told_apart() {
        let socket = Path::new("/run/x.sock");
        let status = |answer| understood(socket, answer).map_err(|error| error.exit_status());
        assert!(status(Ok(Ok(hello(PROTOCOL_VERSION)))).is_ok());
        assert_eq!(status(Ok(Ok(hello(PROTOCOL_VERSION + 1)))), Err(5));
        assert_eq!(status(Ok(Err(ApiError::new(ErrorCode::Precondition, "version 9 only")))), Err(5));
        assert_eq!(status(Ok(Err(ApiError::new(ErrorCode::Denied, "no role")))), Err(4));
        assert_eq!(status(Err(RpcError::Shutdown)), Err(3));
    }
}
