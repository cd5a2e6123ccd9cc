//! The private PostgreSQL cluster of a daemon without a configuration: found, made, started, reused and stopped.
//!
//! Invariant: whatever happened before (a crash, a kill, a full disk, an upgrade), a start ends with a complete cluster that
//! only this process uses, or with an error and nothing half-made. Only the operating system users of the daemon and the
//! cluster can connect as its superuser, and the superuser is used for the bootstrap alone.

mod abandoned;
mod account;
mod binaries;
mod bootstrap;
mod error;
mod initdb;
mod keeper;
mod layout;
mod postmaster;
mod settings;

#[cfg(test)]
mod tests;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use sqlx::postgres::PgConnectOptions;
use tokio::time::timeout;

pub use abandoned::remove_abandoned;
pub use account::OsUser;
pub use binaries::BIN_DIR_VARIABLE;
use binaries::Binaries;
use bootstrap::Passwords;
pub use error::EmbeddedError;
use keeper::{Keeper, Process, StartRecipe};
use layout::Layout;
use settings::ServerSettings;

use crate::config::EmbeddedConfig;
use crate::config::connection::socket_options;
use crate::file_lock::FileLock;

/// The first version with everything that provisioning needs (GRANT SET ON PARAMETER, a `public` schema that is closed by
/// default).
const OLDEST_MAJOR: u32 = 15;

/// The port when there is no TCP. It is then only part of the socket's name.
const SOCKET_PORT: u16 = 5432;
/// A running server that does not answer within this time is restarted.
const REUSE_DEADLINE: Duration = Duration::from_secs(3);

#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// The cluster itself. Its parent holds the lock and the log, and must not be shared with another cluster.
    pub data_dir: PathBuf,
    pub socket_dir: PathBuf,
    pub os_user: OsUser,
    /// The directory of initdb and postgres; none to search for them.
    pub bin_dir: Option<PathBuf>,
    /// A loopback address for tenants' applications.
    pub listen: Option<SocketAddr>,
    /// Whether a committed transaction survives a power cut.
    pub durable: bool,
}

/// A cluster that is running, is restarted if it ends by itself, and cannot be used by another daemon. If it is dropped
/// without [`Cluster::stop`], it keeps running, and the next start takes it over.
#[derive(Debug)]
pub struct Cluster {
    layout: Layout,
    port: u16,
    passwords: Passwords,
    version: String,
    keeper: Keeper,
    /// Held as long as the cluster is used.
    _lock: FileLock,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Durability {
    Durable,
    Fleeting,
}

impl ClusterOptions {
    pub fn from_config(config: &EmbeddedConfig) -> Result<Self, EmbeddedError> {
        Ok(Self {
            data_dir: config.data_dir.clone(),
            socket_dir: config.socket_dir.clone(),
            os_user: OsUser::resolve(config.user.as_deref())?,
            bin_dir: config.bin_dir.clone(),
            listen: config.listen,
            durable: config.durable,
        })
    }

    fn port(&self) -> u16 {
        self.listen.map_or(SOCKET_PORT, |address| address.port())
    }

    fn durability(&self) -> Durability {
        if self.durable { Durability::Durable } else { Durability::Fleeting }
    }
}

impl Cluster {
    /// Makes the cluster if there is none, starts it if it is not running, and prepares the roles and databases.
    pub async fn start(options: ClusterOptions) -> Result<Self, EmbeddedError> {
        let mut layout = Layout::prepare(&options)?;
        let lock = match layout.lock() {
            Ok(lock) => lock,
            Err(error) => {
                layout.remove_created();
                return Err(error);
            }
        };
        let server = match ensure_running(&layout, &options).await {
            Ok(server) => server,
            Err(error) => {
                if layout.is_new() && !layout.data.exists() {
                    let _ = fs::remove_file(&layout.log);
                    // While the file is locked, so that nobody else holds a lock on the removed file.
                    let _ = fs::remove_file(layout.lock_path());
                    layout.remove_created();
                }
                return Err(error);
            }
        };
        let passwords = Passwords::generate();
        let superuser = |database: &str| superuser_options(&layout, options.port(), database);
        let prepared = bootstrap::run(superuser, &passwords).await;
        let FoundServer { process, binaries, version } = server;
        if let Err(error) = prepared {
            // The cluster is complete, and the next start continues from here. A server that nobody watches must not stay.
            if let Err(error) = postmaster::stop(process.pid, &layout.data).await {
                tracing::warn!(%error, "the private server could not be stopped after a failed start");
            }
            return Err(if error.is_disk_full() { layout.no_space(initdb::NEEDED_BYTES) } else { error });
        }
        let port = options.port();
        let recipe = StartRecipe { layout: layout.clone(), binaries, user: options.os_user, port };
        let keeper = Keeper::watch(process, recipe);
        Ok(Self { port, layout, passwords, version, keeper, _lock: lock })
    }

    /// Connects to the control database as the registry's runtime role.
    pub fn control_options(&self) -> PgConnectOptions {
        let password = self.passwords.daemon.expose();
        self.options(bootstrap::DAEMON_ROLE, password, bootstrap::CONTROL_DATABASE)
    }

    /// Connects as the role that owns the control database and migrates its schema.
    pub fn control_owner_options(&self) -> PgConnectOptions {
        let password = self.passwords.owner.expose();
        self.options(bootstrap::OWNER_ROLE, password, bootstrap::CONTROL_DATABASE)
    }

    /// Connects as the provisioner to the database where tenants live. The provisioner owns that
    /// database and is not a superuser.
    pub fn provisioner_options(&self) -> PgConnectOptions {
        let password = self.passwords.provisioner.expose();
        self.options(bootstrap::PROVISIONER_ROLE, password, bootstrap::TARGET_DATABASE)
    }

    /// As the server reports it: `15.14`.
    pub fn server_version(&self) -> &str {
        &self.version
    }

    pub fn socket_dir(&self) -> &Path {
        Path::new(&self.layout.socket_dir)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// A fast shutdown, then an immediate one, then a kill if the server does not stop. Returns when no process is left.
    pub async fn stop(self) -> Result<(), EmbeddedError> {
        let process = self.keeper.release().await;
        let pid = process.as_ref().map_or(0, |process| process.pid);
        postmaster::stop(pid, &self.layout.data).await?;
        if let Some(mut child) = process.and_then(|process| process.child) {
            // The process has ended. This only removes it from the process table.
            let _ = child.wait().await;
        }
        Ok(())
    }

    fn options(&self, role: &str, password: &str, database: &str) -> PgConnectOptions {
        socket_options(self.socket_dir(), self.port, role, password, database)
    }
}

struct FoundServer {
    process: Process,
    binaries: Binaries,
    version: String,
}

async fn ensure_running(layout: &Layout, options: &ClusterOptions) -> Result<FoundServer, EmbeddedError> {
    let user = &options.os_user;
    initdb::remove_remains(layout)?;
    let existing = initdb::existing_version(layout, user)?;
    let made_by = existing.map(|major| (layout.data.as_path(), major));
    let binaries = Binaries::find(options.bin_dir.as_deref(), made_by, user).await?;
    if existing.is_none() {
        tracing::info!(path = %layout.data.display(), version = %binaries.version, "making the private cluster");
        initdb::make(layout, &binaries, user, options.durability()).await?;
    }
    let settings =
        ServerSettings::render(options, binaries.major, &layout.socket_dir, &user.administrators()?);
    if let Some(running) = postmaster::running(&layout.data) {
        match judge(layout, options, &binaries, &settings, &running).await {
            Running::Usable { version } => {
                let process = Process { pid: running.pid, child: None };
                return Ok(FoundServer { process, binaries, version });
            }
            Running::Outdated => {
                tracing::info!(
                    pid = running.pid,
                    "restarting the private server: settings or programs changed"
                );
                postmaster::stop(running.pid, &layout.data).await?;
            }
            Running::Silent => {
                tracing::warn!(pid = running.pid, "replacing the private server, which does not answer");
                postmaster::end_all(&layout.data, Signal::SIGQUIT).await?;
            }
        }
    }
    postmaster::clear_stale(layout, options.port()).await?;
    settings
        .write(&layout.data, user, options.durability())
        .map_err(|source| layout.explain(source, initdb::NEEDED_BYTES, &layout.data))?;
    let child = postmaster::start(layout, &binaries, user).await?;
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or_default();
    let superuser = superuser_options(layout, options.port(), bootstrap::MAINTENANCE_DATABASE);
    let (version, _) = bootstrap::identify(superuser)
        .await
        .map_err(|source| EmbeddedError::Prepare { step: "asking for its version", source })?;
    Ok(FoundServer { process: Process { pid, child: Some(child) }, binaries, version })
}

/// What can be done with a server that was running before this daemon.
enum Running {
    Usable { version: String },
    Outdated,
    Silent,
}

async fn judge(
    layout: &Layout,
    options: &ClusterOptions,
    binaries: &Binaries,
    settings: &ServerSettings,
    running: &postmaster::PidFile,
) -> Running {
    // This link shows when a package upgrade has replaced the file. Such a server cannot load its modules.
    let same_program = fs::canonicalize(binaries.postgres()).ok() == postmaster::program_of(running.pid);
    let same_socket = running.port == Some(options.port()) && running.socket_dir == layout.socket_dir;
    if !same_program || !same_socket {
        return Running::Outdated;
    }
    let superuser = superuser_options(layout, options.port(), bootstrap::MAINTENANCE_DATABASE);
    match timeout(REUSE_DEADLINE, bootstrap::identify(superuser)).await {
        Ok(Ok((version, hash))) if hash.as_deref() == Some(settings.hash.as_str()) => {
            Running::Usable { version }
        }
        Ok(_) => Running::Outdated,
        Err(_) => Running::Silent,
    }
}

fn superuser_options(layout: &Layout, port: u16, database: &str) -> PgConnectOptions {
    socket_options(Path::new(&layout.socket_dir), port, bootstrap::SUPERUSER, "", database)
}
