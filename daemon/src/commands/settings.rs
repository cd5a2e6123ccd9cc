//! The part of the configuration that can change while the daemon runs, and how it changes.
//!
//! A change is on record before anybody is admitted by it. An invalid file changes nothing.

use std::time::Duration;

use tokio::sync::watch;

use crate::config::{Access, Changes, Config, ConfigError, WrittenConfig};
use crate::model::audit_chain::{Actor, Entry, Outcome};

use super::App;

/// The current settings.
#[derive(Debug, Clone)]
pub struct Settings {
    pub label: String,
    pub access: Access,
    /// How long a retired tenant can be restored, if the request does not say.
    pub retire_grace: Duration,
    /// The time in which the daemon verifies each tenant once on its own; `None` means never.
    pub verify_every: Option<Duration>,
    /// How often the daemon verifies the whole audit trail on its own; `None` means never.
    pub verify_trail_every: Option<Duration>,
    /// What was last read from the file.
    pub written: WrittenConfig,
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        Self {
            label: config.label.clone(),
            access: config.access.clone(),
            retire_grace: config.limits.retire_grace,
            verify_every: config.limits.verify_every,
            verify_trail_every: config.audit.verify_every,
            written: config.written.clone(),
        }
    }
}

/// Whether a configuration that was read again is in effect now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reloaded {
    Taken,
    Refused,
}

impl App {
    /// Borrows the current settings; must not be held across an await.
    pub(super) fn settings(&self) -> watch::Ref<'_, Settings> {
        self.settings.borrow()
    }

    /// Waits until the settings change, or for `time`.
    pub(super) async fn sleep_unless_changed(&self, time: Duration) {
        let mut changed = self.settings.subscribe();
        let _ = tokio::time::timeout(time, changed.changed()).await;
    }

    /// SHA-256 of the configuration file, or `none`.
    pub fn config_digest(&self) -> String {
        self.settings().written.digest().to_owned()
    }

    /// Applies what can change in a running daemon, and reports what needs a restart.
    pub async fn reload(&self, read: &Result<Config, ConfigError>) -> Reloaded {
        let next = match read {
            Ok(config) => Settings::from(config),
            Err(error) => {
                tracing::error!(%error, "the configuration was read again and is wrong: everything stays as it was");
                self.record_reload(Outcome::Failed, &self.config_digest(), None, Some(error.to_string()))
                    .await;
                return Reloaded::Refused;
            }
        };
        // Compared with the settings in effect, so that keys that need a restart are reported each time.
        let changes = self.settings().written.changes(&next.written);
        if !self.record_reload(Outcome::Ok, next.written.digest(), Some(&changes), None).await {
            return Reloaded::Refused;
        }
        if !changes.at_restart.is_empty() {
            tracing::warn!(
                keys = changes.at_restart.join(", "),
                "changed in the configuration, and takes a restart"
            );
        }
        tracing::info!(keys = changes.live.join(", "), "the configuration was read again");
        self.settings.send_modify(|settings| {
            let written = settings.written.with_live_of(&next.written);
            *settings = Settings { written, ..next };
        });
        Reloaded::Taken
    }

    /// Whether the reload is on record, or another daemon keeps the record.
    async fn record_reload(
        &self,
        outcome: Outcome,
        digest: &str,
        changes: Option<&Changes>,
        why: Option<String>,
    ) -> bool {
        if self.control.standing_by_for().is_some() {
            // This daemon's own term will begin with an event that names the configuration.
            return true;
        }
        let mut entry = Entry {
            outcome: Some(outcome),
            detail: why,
            ..Entry::new("config.reload", Actor::daemon(self.own_uid)).fact("config", digest)
        };
        if let Some(changes) = changes {
            for (name, keys) in [("changed", &changes.live), ("restart", &changes.at_restart)] {
                if !keys.is_empty() {
                    entry = entry.fact(name, keys.join(","));
                }
            }
        }
        match self.record_alone(&entry).await {
            Ok(_) => true,
            Err(error) => {
                tracing::error!(error = %error.explain(),
                    "the reading of the configuration could not be recorded: everything stays as it was");
                false
            }
        }
    }
}
