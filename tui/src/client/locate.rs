//! Where the daemon's socket is, and whether its server can be trusted with a request.
//!
//! Invariant: nothing is sent to a server that another unprivileged user put in its place.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;
use tenantry_protocol::endpoint::{
    MAX_SOCKET_PATH_BYTES, SOCKET_FILE, SOCKET_VARIABLE, SYSTEM_RUNTIME_DIR, user_runtime_dir,
};

use super::error::ClientError;

/// `--socket`, else the socket in the environment, else the user's own daemon if there is one, else the system's.
pub(crate) fn socket(named: Option<&Path>) -> Result<PathBuf, ClientError> {
    let socket = match named {
        Some(path) => path.to_owned(),
        None => match std::env::var_os(SOCKET_VARIABLE).filter(|value| !value.is_empty()) {
            Some(path) => PathBuf::from(path),
            None => default_socket()?,
        },
    };
    let length = socket.as_os_str().len();
    if length > MAX_SOCKET_PATH_BYTES {
        return Err(ClientError::PathTooLong { length });
    }
    Ok(socket)
}

fn default_socket() -> Result<PathBuf, ClientError> {
    let system = Path::new(SYSTEM_RUNTIME_DIR).join(SOCKET_FILE);
    if own_uid() == 0 {
        return Ok(system);
    }
    let projects = ProjectDirs::from("", "", "tenantry").ok_or(ClientError::NoHome)?;
    let xdg = std::env::var_os("XDG_RUNTIME_DIR").filter(|value| !value.is_empty()).map(PathBuf::from);
    let own = user_runtime_dir(xdg.as_deref(), projects.data_local_dir()).join(SOCKET_FILE);
    // If neither exists, the error names the socket of the daemon that the user could start.
    Ok(if own.exists() || !system.exists() { own } else { system })
}

/// Root and our own user are trusted. In the system's directory, which only root can write to, the socket's owner is
/// trusted too.
pub(crate) fn trust(socket: &Path, server_uid: u32) -> Result<(), ClientError> {
    let owner = || fs::symlink_metadata(socket).map(|file| file.uid()).ok();
    let trusted = server_uid == 0
        || server_uid == own_uid()
        || (socket.starts_with(SYSTEM_RUNTIME_DIR) && owner() == Some(server_uid));
    if trusted { Ok(()) } else { Err(ClientError::Untrusted { socket: socket.to_owned(), uid: server_uid }) }
}

pub(crate) fn own_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_another_user_is_refused() {
        let socket = Path::new("/tmp/elsewhere.sock");
        assert!(trust(socket, 0).is_ok());
        assert!(trust(socket, own_uid()).is_ok());
        assert!(matches!(trust(socket, 54_321), Err(ClientError::Untrusted { uid: 54_321, .. })));
    }

    #[test]
    fn a_path_that_no_socket_address_holds_is_refused() {
        let path = PathBuf::from(format!("/{}", "x".repeat(120)));
        assert!(matches!(socket(Some(&path)), Err(ClientError::PathTooLong { length: 121 })));
    }
}
