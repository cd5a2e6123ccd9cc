//! What all commands share: the opened databases, the engine, the policy.

use std::sync::{Arc, Mutex};

use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::session::DaemonMode;
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::audit::Trail;
use crate::pipeline::{Engine, Events};
use crate::postgres::control::Control;
use crate::postgres::target::Target;

use super::audit::exports::Exports;
use super::audit::repeats::Repeats;
use super::audit::verify::Job;
use super::blueprints::catalog::Catalog;
use super::credentials::tenant_lock::Turns;
use super::settings::Settings;

/// The parts of an [`App`].
#[derive(Debug)]
pub struct AppOptions {
    pub mode: DaemonMode,
    pub settings: Settings,
    pub trail: Arc<Trail>,
    /// The targets, in the order of the configuration.
    pub targets: Vec<Arc<Target>>,
    pub engine: Engine,
    pub events: Arc<Events>,
}

/// The daemon, as its commands see it.
#[derive(Debug)]
pub struct App {
    pub(super) mode: DaemonMode,
    pub(super) settings: watch::Sender<Settings>,
    /// The daemon's own user, who is an admin just as root is.
    pub(super) own_uid: u32,
    pub(super) control: Arc<Control>,
    pub(super) trail: Arc<Trail>,
    pub(super) targets: Vec<Arc<Target>>,
    pub(super) engine: Engine,
    pub(super) events: Arc<Events>,
    pub(super) verifications: Mutex<Vec<Job>>,
    pub(super) catalog: Catalog,
    pub(super) exports: Exports,
    pub(super) secrets: Turns,
    pub(super) repeats: Repeats,
    /// Counts the changes of upgrades; a change wakes the round.
    pub(super) upgrades_changed: watch::Sender<u64>,
    pub(super) started_at: OffsetDateTime,
}

impl App {
    /// Puts the parts together.
    pub fn new(options: AppOptions) -> Self {
        Self {
            mode: options.mode,
            settings: watch::Sender::new(options.settings),
            own_uid: nix::unistd::geteuid().as_raw(),
            control: Arc::clone(options.trail.control()),
            trail: options.trail,
            targets: options.targets,
            engine: options.engine,
            events: options.events,
            verifications: Mutex::default(),
            catalog: Catalog::default(),
            exports: Exports::default(),
            secrets: Turns::default(),
            repeats: Repeats::default(),
            upgrades_changed: watch::Sender::new(0),
            started_at: OffsetDateTime::now_utc(),
        }
    }

    /// Stores the built-in blueprints that are not in the registry yet.
    pub async fn publish_built_in(&self) -> Result<(), ApiError> {
        super::blueprints::add::add_built_in(self).await
    }

    /// The target of this name.
    pub(super) fn target(&self, name: &str) -> Result<&Arc<Target>, ApiError> {
        self.targets.iter().find(|target| target.name().as_str() == name).ok_or_else(|| {
            let known: Vec<&str> = self.targets.iter().map(|target| target.name().as_str()).collect();
            let message =
                format!("there is no target '{}'; there is: {}", name.escape_debug(), known.join(", "));
            ApiError::new(ErrorCode::NotFound, message).on_field("target")
        })
    }

    /// Runs a mutation in a task of its own, so that a caller that disconnects does not stop it half-way.
    pub(super) async fn detached<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
    ) -> Result<T, ApiError> {
        match self.engine.tasks().spawn(work).await {
            Ok(result) => result,
            Err(error) => {
                tracing::error!(%error, "a mutation panicked");
                Err(super::errors::internal())
            }
        }
    }
}
