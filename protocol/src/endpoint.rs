//! The path of the daemon's socket, so that daemon and client agree without asking each other.
//!
//! Pure functions: the caller says who it is and what its environment holds.

use std::path::{Path, PathBuf};

/// The environment variable that names the socket for both sides.
pub const SOCKET_VARIABLE: &str = "TENANTRY_SOCKET";
/// The socket's file name in its directory.
pub const SOCKET_FILE: &str = "tenantryd.sock";
/// For the daemon of the whole machine, run by root or by a service user.
pub const SYSTEM_RUNTIME_DIR: &str = "/run/tenantry";
/// The longest path that fits a socket address, in bytes.
pub const MAX_SOCKET_PATH_BYTES: usize = 107;

/// The directory of an ordinary user's socket: `$XDG_RUNTIME_DIR/tenantry`, or `run` in the state directory if it is not
/// set.
pub fn user_runtime_dir(xdg_runtime_dir: Option<&Path>, state_dir: &Path) -> PathBuf {
    xdg_runtime_dir.map_or_else(|| state_dir.join("run"), |dir| dir.join("tenantry"))
}

/// The ready line that `tenantryd` writes to its standard output, as JSON, when `--announce` is given.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Announcement {
    /// The path of the socket.
    pub socket: PathBuf,
    pub pid: u32,
}
