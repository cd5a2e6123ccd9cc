//! The only place that connects the parts: from a configuration to a running daemon, and back to nothing.
//!
//! Order: socket (which only one daemon can have) → private cluster → control database → targets → serving. A start that
//! fails undoes what it did.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tempfile::TempDir;
use tenantry_protocol::error::ApiError;
use tenantry_protocol::name::TargetName;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::audit::{Elsewhere, KeyPlace, TakeUpError, Trail, TrailPlaces};
use crate::commands::{App, AppOptions, Reloaded, Settings};
use crate::config::{Audit, AuditKey, Config, ConfigError, ConfiguredServers, Servers};
use crate::embedded::{Cluster, ClusterOptions, EmbeddedError, remove_abandoned};
use crate::leader::{BeginError, Leader};
use crate::pipeline::{Engine, EngineOptions, Events};
use crate::postgres::Error;
use crate::postgres::control::lease::Holder;
use crate::postgres::control::{Control, ControlOptions};
use crate::postgres::preparation;
use crate::postgres::target::{Archives, Target, TargetOptions};
use crate::private_path::{self, PathError};
use crate::server::{Listener, ListenerError};

/// How long running operations may take to end when the daemon stops; the next start takes over the rest.
const DRAIN: Duration = Duration::from_secs(20);
/// How long the release of the control database may take.
const RELEASE: Duration = Duration::from_secs(5);
/// The embedded target's name.
const EMBEDDED_TARGET: &str = "local";

/// A running daemon.
#[derive(Debug)]
pub struct Server {
    socket: PathBuf,
    stop: CancellationToken,
    serving: JoinHandle<()>,
    /// Releases the hold on the control database, once nothing is written any more.
    release: CancellationToken,
    leading: JoinHandle<()>,
    engine: Engine,
    events: Arc<Events>,
    app: Arc<App>,
    servers: Databases,
    /// Removed when everything in it has ended.
    _ephemeral: Option<TempDir>,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the state directory is not safe: {0}")]
    StateDir(PathError),
    #[error(transparent)]
    Listener(#[from] ListenerError),
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    #[error("the control database cannot be used: {}", .0.explain())]
    Control(Error),
    #[error("the registry cannot be prepared: {0}")]
    Registry(ApiError),
    #[error(transparent)]
    Trail(TakeUpError),
}

impl From<BeginError> for StartError {
    fn from(error: BeginError) -> Self {
        match error {
            BeginError::Control(error) => Self::Control(error),
            BeginError::Registry(error) => Self::Registry(error),
            BeginError::Trail(error) => Self::Trail(error),
        }
    }
}

/// The opened servers.
#[derive(Debug)]
struct Databases {
    control: Arc<Control>,
    targets: Vec<Arc<Target>>,
    cluster: Option<Cluster>,
}

/// Where the servers are.
struct ServerPlaces {
    control: ControlOptions,
    targets: Vec<TargetOptions>,
}

impl Server {
    /// Starts everything; when this returns, the daemon answers.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        private_path::check(&config.state_dir, None).map_err(StartError::StateDir)?;
        let listener = Listener::open(&config.socket)?;
        let mode = config.mode();
        if let Some(own) = &config.ephemeral {
            // Removes what killed temporary daemons left behind.
            remove_abandoned(own.path().parent().unwrap_or(own.path())).await;
        }
        let servers = Databases::open(&config).await?;
        let events = Arc::new(Events::new());
        let options = EngineOptions {
            budget: config.limits.operation_budget,
            archive_budget: config.archive.timeout,
            operations_per_target: config.limits.max_operations_per_target as usize,
        };
        let trail = Arc::new(Trail::new(Arc::clone(&servers.control), trail_places(&config.audit)));
        let engine = Engine::new(Arc::clone(&trail), Arc::clone(&events), &servers.targets, options);
        let app = Arc::new(App::new(AppOptions {
            mode,
            settings: Settings::from(&config),
            trail: Arc::clone(&trail),
            targets: servers.targets.clone(),
            engine: engine.clone(),
            events: Arc::clone(&events),
        }));
        let leader = Leader {
            control: Arc::clone(&servers.control),
            trail,
            app: Arc::clone(&app),
            engine: engine.clone(),
            targets: servers.targets.clone(),
            is_at_work: AtomicBool::new(false),
        };
        let held = match leader.begin().await {
            Ok(held) => held,
            Err(error) => {
                servers.close().await;
                return Err(error.into());
            }
        };
        let (stop, release) = (CancellationToken::new(), CancellationToken::new());
        let leading = tokio::spawn(leader.run(held, release.clone()));
        let serving = tokio::spawn(listener.serve(Arc::clone(&app), stop.clone()));
        Ok(Self {
            socket: config.socket,
            stop,
            serving,
            release,
            leading,
            engine,
            events,
            app,
            servers,
            _ephemeral: config.ephemeral,
        })
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Applies what can change while the daemon runs, from a configuration that was read again.
    pub async fn reload(&self, read: &Result<Config, ConfigError>) -> Reloaded {
        self.app.reload(read).await
    }

    /// Lets running operations end, closes everything, and stops the private cluster.
    pub async fn stop(self) -> Result<(), StartError> {
        self.stop.cancel();
        self.events.close();
        if let Err(error) = self.serving.await {
            tracing::error!(%error, "the listener panicked");
        }
        self.engine.tasks().close();
        if tokio::time::timeout(DRAIN, self.engine.tasks().wait()).await.is_err() {
            tracing::warn!(
                running = self.engine.running(),
                "operations in flight are left to the next start"
            );
        }
        self.release.cancel();
        if tokio::time::timeout(RELEASE, self.leading).await.is_err() {
            tracing::warn!("the hold on the control database ends with its lease");
        }
        self.servers.close_and_stop().await
    }
}

impl Databases {
    async fn open(config: &Config) -> Result<Self, StartError> {
        let (places, cluster) = match &config.servers {
            Servers::Configured(servers) => (configured(servers, config), None),
            Servers::Embedded(embedded) => {
                let cluster = Cluster::start(ClusterOptions::from_config(embedded)?).await?;
                (embedded_places(&cluster, config), Some(cluster))
            }
        };
        match Self::connect(places, config.limits.lease).await {
            Ok((control, targets)) => Ok(Self { control, targets, cluster }),
            Err(error) => {
                if let Some(cluster) = cluster
                    && let Err(error) = cluster.stop().await
                {
                    tracing::warn!(%error, "the private cluster could not be stopped after a failed start");
                }
                Err(StartError::Control(error))
            }
        }
    }

    async fn connect(
        places: ServerPlaces,
        lease: Duration,
    ) -> Result<(Arc<Control>, Vec<Arc<Target>>), Error> {
        let holder = Holder::of_this_process(&host_name());
        let control = Box::pin(Control::open(places.control, holder, lease)).await?;
        let targets: Vec<_> =
            places.targets.into_iter().map(|options| Arc::new(Target::new(options))).collect();
        targets.iter().for_each(|target| target.keep_open());
        Ok((Arc::new(control), targets))
    }

    async fn close(self) {
        if let Err(error) = self.close_and_stop().await {
            tracing::warn!(%error, "the servers could not be closed");
        }
    }

    async fn close_and_stop(self) -> Result<(), StartError> {
        for target in &self.targets {
            target.close().await;
        }
        self.control.close().await;
        if let Some(cluster) = self.cluster {
            cluster.stop().await?;
        }
        Ok(())
    }
}

fn trail_places(audit: &Audit) -> TrailPlaces {
    TrailPlaces {
        key: match &audit.key {
            AuditKey::Own(path) => KeyPlace::Own(path.clone()),
            AuditKey::Given(path) => KeyPlace::Given(path.clone()),
        },
        anchors: audit.anchors.clone(),
        elsewhere: Elsewhere { copy: audit.anchor_copy.clone(), syslog: audit.anchor_syslog.clone() },
    }
}

fn configured(servers: &ConfiguredServers, config: &Config) -> ServerPlaces {
    let targets = servers.targets.iter().map(|target| TargetOptions {
        name: target.name.clone(),
        connection: target.connection.options(),
        capacity: target.capacity,
        in_maintenance: target.maintenance,
        max_connections: config.limits.max_connections_per_target,
        lock_timeout: config.limits.lock_timeout,
        statement_timeout: config.limits.statement_timeout,
        ssl_root: target.connection.ssl_root().map(Path::to_owned),
        archives: archives(config),
    });
    let control = ControlOptions {
        runtime: servers.control.runtime.options(),
        owner: servers.control.owner.as_ref().map(crate::config::Connection::options),
    };
    ServerPlaces { control, targets: targets.collect() }
}

fn embedded_places(cluster: &Cluster, config: &Config) -> ServerPlaces {
    // The constant is a valid name; if it were not, there would simply be no target.
    let targets = TargetName::parse(EMBEDDED_TARGET).into_iter().map(|name| TargetOptions {
        name,
        connection: cluster.provisioner_options(),
        capacity: None,
        in_maintenance: false,
        max_connections: config.limits.max_connections_per_target,
        lock_timeout: config.limits.lock_timeout,
        statement_timeout: config.limits.statement_timeout,
        ssl_root: None,
        archives: archives(config),
    });
    let control =
        ControlOptions { runtime: cluster.control_options(), owner: Some(cluster.control_owner_options()) };
    ServerPlaces { control, targets: targets.collect() }
}

/// The private cluster's own programs can dump it, if they exist.
fn archives(config: &Config) -> Arc<Archives> {
    let cluster_bin_dir = match &config.servers {
        Servers::Embedded(embedded) => embedded.bin_dir.clone(),
        Servers::Configured(_) => None,
    };
    Arc::new(Archives {
        dir: config.archive.dir.clone(),
        bin_dir: config.archive.bin_dir.clone(),
        cluster_bin_dir,
        timeout: config.archive.timeout,
    })
}

fn host_name() -> String {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_else(|| "this host".to_owned())
}

/// The result of `--check`: one line for each finding, and whether everything is in order.
#[derive(Debug, Default)]
pub struct CheckReport {
    pub lines: Vec<String>,
    pub problems: usize,
}

/// Connects to everything that the configuration names, and reports what it found; changes nothing.
pub async fn check(config: &Config) -> CheckReport {
    let mut report = CheckReport::default();
    if let Err(error) = private_path::check(&config.state_dir, None) {
        report.problem(format!("the state directory is not safe: {error}"));
    }
    let places = match &config.servers {
        Servers::Embedded(embedded) => {
            report.lines.push(format!("ok: a private cluster in {}", embedded.data_dir.display()));
            return report;
        }
        Servers::Configured(servers) => configured(servers, config),
    };
    report.add("control", Control::probe(&places.control).await);
    for options in places.targets {
        let target = Target::new(options);
        report.add(&format!("target {}", target.name()), preparation::look(&target).await);
        target.close().await;
    }
    report
}

impl CheckReport {
    fn add(&mut self, what: &str, result: Result<String, Error>) {
        match result {
            Ok(found) => self.lines.push(format!("ok: {what}: {found}")),
            Err(error) => self.problem(format!("{what}: {}", error.explain())),
        }
    }

    fn problem(&mut self, what: String) {
        self.problems += 1;
        self.lines.push(format!("error: {what}"));
    }
}
