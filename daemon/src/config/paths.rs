//! The default places: the rules for root, for a systemd service, for an ordinary user and for a temporary daemon.
//!
//! Invariant: every path is absolute, and the path of a socket is known to be short enough before anything is created. Nothing
//! is created here except the directory of a temporary daemon.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;
use tempfile::TempDir;
use tenantry_protocol::endpoint::{MAX_SOCKET_PATH_BYTES, SOCKET_FILE, SYSTEM_RUNTIME_DIR, user_runtime_dir};

use super::error::{ConfigError, Problem};

const SYSTEM_CONFIG: &str = "/etc/tenantry/tenantryd.toml";
const SYSTEM_STATE_DIR: &str = "/var/lib/tenantry";
const CONFIG_FILE: &str = "tenantryd.toml";
/// The prefix of the directory name of each temporary daemon.
pub const EPHEMERAL_PREFIX: &str = "tenantryd-";
/// Room for the name of a temporary daemon's directory and the longest socket path in it.
const LONGEST_BELOW_EPHEMERAL: usize = 48;

/// What the paths depend on: the user who runs the daemon, and the directories that the environment names.
#[derive(Debug, Clone)]
pub struct Surroundings {
    pub root: bool,
    pub service: ServiceDirs,
    pub xdg_runtime_dir: Option<PathBuf>,
    /// The user's configuration and data directories; none if the user has no home directory.
    pub user_dirs: Option<UserDirs>,
    pub temp_dir: PathBuf,
}

/// The directories that systemd made for the service (`StateDirectory=` and similar settings). Each may be absent.
#[derive(Debug, Clone, Default)]
pub struct ServiceDirs {
    pub config: Option<PathBuf>,
    pub state: Option<PathBuf>,
    pub runtime: Option<PathBuf>,
    /// The directory of the secrets that were given to the service.
    pub credentials: Option<PathBuf>,
}

#[derive(Debug, Clone)]
pub struct UserDirs {
    pub config: PathBuf,
    pub data: PathBuf,
}

impl Surroundings {
    pub fn of_this_process() -> Self {
        let dirs = ProjectDirs::from("", "", "tenantry");
        let absolute = |path: PathBuf| path.is_absolute().then_some(path);
        // systemd separates several directories with colons. The first one is used.
        let first = |name| std::env::split_paths(&std::env::var_os(name)?).next().and_then(absolute);
        Self {
            root: nix::unistd::geteuid().is_root(),
            service: ServiceDirs {
                config: first("CONFIGURATION_DIRECTORY"),
                state: first("STATE_DIRECTORY"),
                runtime: first("RUNTIME_DIRECTORY"),
                credentials: first("CREDENTIALS_DIRECTORY"),
            },
            xdg_runtime_dir: std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).and_then(absolute),
            user_dirs: dirs.map(|dirs| UserDirs {
                config: dirs.config_dir().to_owned(),
                data: dirs.data_local_dir().to_owned(),
            }),
            temp_dir: absolute(std::env::temp_dir()).unwrap_or_else(|| PathBuf::from("/tmp")),
        }
    }

    /// The configuration file that is read if it exists.
    pub(super) fn default_config(&self) -> Option<PathBuf> {
        if let Some(dir) = &self.service.config {
            return Some(dir.join(CONFIG_FILE));
        }
        if self.root {
            return Some(SYSTEM_CONFIG.into());
        }
        self.user_dirs.as_ref().map(|dirs| dirs.config.join(CONFIG_FILE))
    }

    pub(super) fn default_state_dir(&self) -> Result<PathBuf, ConfigError> {
        if let Some(dir) = &self.service.state {
            return Ok(dir.clone());
        }
        if self.root {
            return Ok(SYSTEM_STATE_DIR.into());
        }
        self.user_dirs.as_ref().map(|dirs| dirs.data.clone()).ok_or(ConfigError::NoHome)
    }

    /// The daemon's socket. Clients look for it in the same place, so it does not follow a state directory that was moved,
    /// unless there is no runtime directory.
    pub(super) fn default_socket(&self, state_dir: &Path) -> PathBuf {
        if let Some(dir) = &self.service.runtime {
            return dir.join(SOCKET_FILE);
        }
        if self.root {
            return Path::new(SYSTEM_RUNTIME_DIR).join(SOCKET_FILE);
        }
        user_runtime_dir(self.xdg_runtime_dir.as_deref(), state_dir).join(SOCKET_FILE)
    }

    /// The directory of the private cluster's socket. Only the user's default cluster may use the runtime directory, because
    /// two daemons with different state directories must not meet there.
    pub(super) fn cluster_socket_dir(&self, state_dir: &Path) -> PathBuf {
        let default = self.user_dirs.as_ref().is_some_and(|dirs| dirs.data == state_dir);
        match &self.xdg_runtime_dir {
            Some(_) if default && !self.root => {
                user_runtime_dir(self.xdg_runtime_dir.as_deref(), state_dir).join("postgres")
            }
            _ => state_dir.join("cluster").join("run"),
        }
    }

    /// Makes the directory of a temporary daemon. If root makes it, the cluster's user can pass through it.
    pub(super) fn make_ephemeral_dir(&self) -> Result<TempDir, ConfigError> {
        let fits = |dir: &Path| dir.as_os_str().len() + LONGEST_BELOW_EPHEMERAL <= MAX_SOCKET_PATH_BYTES;
        let parent = if fits(&self.temp_dir) { self.temp_dir.as_path() } else { Path::new("/tmp") };
        let mode = if self.root { 0o711 } else { 0o700 };
        tempfile::Builder::new()
            .prefix(EPHEMERAL_PREFIX)
            .permissions(Permissions::from_mode(mode))
            .tempdir_in(parent)
            .map_err(|source| ConfigError::Scratch { path: parent.to_owned(), source })
    }
}

/// Refuses a path that cannot be the path of a socket.
pub(super) fn check_socket_path(path: &Path) -> Result<(), Problem> {
    check_path(path)?;
    let bytes = path.as_os_str().len();
    if bytes > MAX_SOCKET_PATH_BYTES {
        return Err(Problem::SocketPath { path: path.to_owned(), bytes });
    }
    Ok(())
}

/// Refuses a relative path, and a path with control characters, which would break a line of a configuration or of a screen.
pub(super) fn check_path(path: &Path) -> Result<(), Problem> {
    if path.as_os_str().as_encoded_bytes().iter().any(u8::is_ascii_control) {
        return Err(Problem::Unprintable);
    }
    if path.is_absolute() { Ok(()) } else { Err(Problem::Relative) }
}
