//! What can go wrong between this program and the daemon, each as a sentence with the next step.
//!
//! Invariant: every variant has its exit status and its stable code. Sources are not printed twice.

use std::io;
use std::path::PathBuf;

use tenantry_protocol::{ApiError, ErrorCode};

#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error(
        "no daemon listens on {} ({problem}); start one with `tenantryd`, name another socket with --socket, \
         or try `tenantry demo`",
        socket.display()
    )]
    NoDaemon { socket: PathBuf, problem: &'static str, source: io::Error },

    #[error("this user may not open the daemon's socket {}; ask its administrator for membership of the socket's group", socket.display())]
    SocketDenied { socket: PathBuf, source: io::Error },

    #[error(
        "the path of the socket has {length} bytes, more than the {} a socket address can hold; choose a shorter one with --socket",
        tenantry_protocol::endpoint::MAX_SOCKET_PATH_BYTES
    )]
    PathTooLong { length: usize },

    #[error(
        "no home directory is known for this user, so the daemon's socket cannot be found; name it with --socket"
    )]
    NoHome,

    #[error(
        "the server on {} runs as uid {uid}, neither root, nor you, nor the owner of the socket; nothing was sent to it. \
         Find out who put it there",
        socket.display()
    )]
    Untrusted { socket: PathBuf, uid: u32 },

    #[error(
        "what listens on {} is not tenantryd, or a release that cannot be talked to ({problem}); check --socket, and that \
         client and daemon are of the same release",
        socket.display()
    )]
    NotTenantryd { socket: PathBuf, problem: String },

    #[error(
        "what listens on {} did not answer for {seconds} s: a daemon that is starting answers when its databases do, and \
         its log says what it waits for; if there is none, check --socket",
        socket.display()
    )]
    Mute { socket: PathBuf, seconds: u64 },

    #[error("the daemon speaks version {theirs} of the protocol and this client version {ours}; {}", version_advice(*ours, *theirs))]
    Version { ours: u32, theirs: u32 },

    #[error("{0}")]
    VersionRefused(#[source] ApiError),

    #[error(
        "the connection to the daemon was lost; see whether it runs with `tenantry status`, then try again"
    )]
    Lost,

    #[error(
        "the daemon did not answer {method} within {seconds} s; see how it is with `tenantry status`, then try again"
    )]
    Deadline { method: &'static str, seconds: u64 },

    #[error("{0}")]
    Api(#[from] ApiError),
}

impl ClientError {
    pub(crate) const fn code(&self) -> ErrorCode {
        match self {
            Self::NoDaemon { .. }
            | Self::Mute { .. }
            | Self::NotTenantryd { .. }
            | Self::Lost
            | Self::Deadline { .. } => ErrorCode::Unavailable,
            Self::SocketDenied { .. } | Self::Untrusted { .. } => ErrorCode::Denied,
            Self::PathTooLong { .. } | Self::NoHome => ErrorCode::InvalidArgument,
            Self::Version { .. } | Self::VersionRefused(_) => ErrorCode::Precondition,
            Self::Api(error) => error.code,
        }
    }

    pub(crate) const fn exit_status(&self) -> u8 {
        self.code().exit_status()
    }

    pub(crate) fn field(&self) -> Option<&str> {
        match self {
            Self::Api(error) | Self::VersionRefused(error) => error.field.as_deref(),
            _ => None,
        }
    }

    /// The daemon may answer again on a new connection.
    pub(crate) const fn is_loss(&self) -> bool {
        matches!(self, Self::NoDaemon { .. } | Self::Mute { .. } | Self::Lost | Self::Deadline { .. })
    }
}

const fn version_advice(ours: u32, theirs: u32) -> &'static str {
    if ours < theirs {
        "use the `tenantry` that came with the daemon"
    } else {
        "upgrade and restart the daemon, or use the `tenantry` that came with it"
    }
}
