//! The PostgreSQL servers that the daemon works with: those that the configuration names, or a private cluster.
//!
//! Invariant: there is either a control database with at least one target, or the private cluster, and never parts of both.
//! Each password was found, in a place that not everybody can read.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use tenantry_protocol::name::TargetName;
use toml::Spanned;

use super::connection::Connection;
use super::error::{ConfigError, Problem};
use super::file::{FileControl, FileEmbedded, FileTarget, Source};
use super::paths::{self, Surroundings};
use super::secret::{Secret, SecretFileError, refuse_world_readable};

/// The port of the private cluster when it has no TCP. It is then only part of the socket's name.
const SOCKET_PORT: u16 = 5432;

#[derive(Debug, Clone)]
pub enum Servers {
    Embedded(EmbeddedConfig),
    Configured(ConfiguredServers),
}

/// The private cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddedConfig {
    pub data_dir: PathBuf,
    pub socket_dir: PathBuf,
    /// A loopback address for tenants' applications; none to use only the socket.
    pub listen: Option<SocketAddr>,
    /// The user that the cluster runs as when the daemon is root; none for `postgres`.
    pub user: Option<String>,
    pub bin_dir: Option<PathBuf>,
    /// Whether a committed transaction survives a power cut.
    pub durable: bool,
}

#[derive(Debug, Clone)]
pub struct ConfiguredServers {
    pub control: ControlConfig,
    /// At least one target, each with its own name, in the order of the file.
    pub targets: Vec<TargetConfig>,
}

#[derive(Debug, Clone)]
pub struct ControlConfig {
    /// The role the daemon works as.
    pub runtime: Connection,
    /// The role that owns the control schema and migrates it; none if it is the runtime role.
    pub owner: Option<Connection>,
}

#[derive(Debug, Clone)]
pub struct TargetConfig {
    pub name: TargetName,
    pub connection: Connection,
    /// How many tenants the target may hold; none for no limit.
    pub capacity: Option<u64>,
    /// The target takes no new tenants, and its tenants are not changed.
    pub maintenance: bool,
}

/// The context for checking a value: its file, the mode of that file, and what the paths depend on.
pub(super) struct ConfigContext<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) mode: u32,
    pub(super) surroundings: &'a Surroundings,
    pub(super) state_dir: &'a Path,
}

impl Servers {
    pub(super) fn decide(
        control: Option<Spanned<FileControl>>,
        targets: Vec<Spanned<FileTarget>>,
        embedded: Option<Spanned<FileEmbedded>>,
        ephemeral: bool,
        place: &ConfigContext<'_>,
    ) -> Result<Self, ConfigError> {
        let refuse = |span, key: &str, problem| Err(place.source.error(span, key, problem));
        match (control, targets.first().map(Spanned::span), embedded) {
            (Some(control), Some(_), _) if ephemeral => {
                refuse(control.span(), "[control]", Problem::EphemeralAndControl)
            }
            (Some(control), None, _) => refuse(control.span(), "[control]", Problem::NoTargets),
            (None, Some(span), _) => refuse(span, "[[targets]]", Problem::NoControl),
            (Some(_), Some(_), Some(embedded)) => {
                refuse(embedded.span(), "[embedded]", Problem::EmbeddedAndControl)
            }
            (Some(control), Some(_), None) => {
                let control = ControlConfig::check(control.into_inner(), place)?;
                let targets = check_targets(targets, place)?;
                Ok(Self::Configured(ConfiguredServers { control, targets }))
            }
            (None, None, embedded) => {
                let file = embedded.map(Spanned::into_inner).unwrap_or_default();
                Ok(Self::Embedded(EmbeddedConfig::check(file, ephemeral, place)?))
            }
        }
    }
}

impl EmbeddedConfig {
    fn check(file: FileEmbedded, ephemeral: bool, place: &ConfigContext<'_>) -> Result<Self, ConfigError> {
        let listen = match &file.listen {
            None => None,
            Some(value) => {
                let refuse = |problem| place.source.error(value.span(), "embedded.listen", problem);
                let address: SocketAddr = value.get_ref().parse().map_err(|_| refuse(Problem::Address))?;
                if !address.ip().is_loopback() {
                    return Err(refuse(Problem::NotLoopback));
                }
                // The unprivileged user of the cluster may not listen below port 1024.
                if address.port() < 1024 {
                    return Err(refuse(Problem::Address));
                }
                Some(address)
            }
        };
        let socket_dir = place.surroundings.cluster_socket_dir(place.state_dir);
        let port = listen.map_or(SOCKET_PORT, |address| address.port());
        paths::check_socket_path(&socket_dir.join(format!(".s.PGSQL.{port}")))
            .map_err(|problem| ConfigError::Setting { key: "state_dir", problem })?;
        Ok(Self {
            data_dir: place.state_dir.join("cluster").join("data"),
            socket_dir,
            listen,
            user: file.user.map(Spanned::into_inner),
            bin_dir: super::path(file.bin_dir.as_ref(), "embedded.bin_dir", place.source)?,
            durable: file.durable.unwrap_or(!ephemeral),
        })
    }
}

impl ControlConfig {
    fn check(file: FileControl, place: &ConfigContext<'_>) -> Result<Self, ConfigError> {
        let runtime = connection(&file.url, file.password_file.as_ref(), "control.", place)?;
        let owner = match (file.migrate_url, file.migrate_password_file) {
            (Some(url), password) => Some(connection(&url, password.as_ref(), "control.migrate_", place)?),
            (None, None) => None,
            (None, Some(password)) => {
                let key = "control.migrate_password_file";
                return Err(place.source.error(password.span(), key, Problem::WithoutMigrateUrl));
            }
        };
        Ok(Self { runtime, owner })
    }
}

fn check_targets(
    targets: Vec<Spanned<FileTarget>>,
    place: &ConfigContext<'_>,
) -> Result<Vec<TargetConfig>, ConfigError> {
    let mut checked: Vec<TargetConfig> = Vec::with_capacity(targets.len());
    for file in targets.into_iter().map(Spanned::into_inner) {
        let refuse = |span: Range<usize>, key: &str, problem| {
            place.source.error(span, format!("targets.{key}"), problem)
        };
        let name = TargetName::parse(file.name.get_ref())
            .map_err(|error| refuse(file.name.span(), "name", Problem::Name(error)))?;
        if checked.iter().any(|other| other.name == name) {
            return Err(refuse(file.name.span(), "name", Problem::Duplicate));
        }
        let connection = connection(&file.url, file.password_file.as_ref(), "targets.", place)?;
        let capacity = match &file.capacity {
            Some(value) if *value.get_ref() == 0 => {
                let problem = Problem::Range { least: 1, most: u64::from(u32::MAX) };
                return Err(refuse(value.span(), "capacity", problem));
            }
            value => value.as_ref().map(|value| *value.get_ref()),
        };
        checked.push(TargetConfig { name, connection, capacity, maintenance: file.maintenance });
    }
    Ok(checked)
}

/// The connection from a `…url` and its `…password_file`.
fn connection(
    url: &Spanned<String>,
    password_file: Option<&Spanned<PathBuf>>,
    prefix: &str,
    place: &ConfigContext<'_>,
) -> Result<Connection, ConfigError> {
    let refuse = |problem| place.source.error(url.span(), format!("{prefix}url"), problem);
    let connection = Connection::parse(url.get_ref()).map_err(|error| refuse(Problem::Url(error)))?;
    if connection.has_password()
        && let Err(SecretFileError::WorldReadable { mode }) = refuse_world_readable(place.mode)
    {
        return Err(refuse(Problem::Exposed { mode }));
    }
    let password = match password_file {
        None => None,
        Some(value) => {
            // A relative path starts at the directory of the configuration.
            let base = place.source.path.parent().unwrap_or(Path::new("/"));
            let path = base.join(value.get_ref());
            let secret = Secret::from_file(&path).map_err(|source| {
                let problem = Problem::Secret { path: path.clone(), source };
                place.source.error(value.span(), format!("{prefix}password_file"), problem)
            })?;
            Some(secret)
        }
    };
    connection.with_password(password).map_err(|error| refuse(Problem::Url(error)))
}
