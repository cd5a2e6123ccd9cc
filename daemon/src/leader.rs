//! This daemon's hold on the control database: acquires it, keeps it with signs of life, and stops all work when another
//! daemon has it. A daemon without the hold stands by: it answers read requests, and tries again.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use sqlx::PgConnection;
use tenantry_protocol::error::ApiError;
use tokio_util::sync::CancellationToken;

use crate::audit::{TakeUpError, Trail};
use crate::commands::{
    App, carry_on_upgrades, purge_when_due, sweep_rehearsals, verify_in_turn, verify_trail_in_turn,
};
use crate::model::audit_chain::{Actor, Entry};
use crate::pipeline::{Engine, recover};
use crate::postgres::Error;
use crate::postgres::control::Control;
use crate::postgres::control::lease::Takeover;
use crate::postgres::control::targets;
use crate::postgres::target::Target;

/// The pause after an error that is not caused by another daemon's hold.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(500);

/// The longest pause after successive panics. A term of this length without a panic ends the series.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The number of signs of life between two searches for stranded operations.
const BEATS_A_LOOK: u32 = 4;

pub(crate) struct Leader {
    pub(crate) control: Arc<Control>,
    pub(crate) trail: Arc<Trail>,
    pub(crate) app: Arc<App>,
    pub(crate) engine: Engine,
    pub(crate) targets: Vec<Arc<Target>>,
    /// Whether this term has recorded its start and taken over unfinished operations.
    pub(crate) is_at_work: AtomicBool,
}

/// Why a term could not begin.
#[derive(Debug)]
pub(crate) enum BeginError {
    Control(Error),
    Registry(ApiError),
    Trail(TakeUpError),
}

impl Leader {
    /// The first attempt, before the daemon answers: if no other daemon holds the control database, this one is fully
    /// ready from its first answer on.
    pub(crate) async fn begin(&self) -> Result<Option<PgConnection>, BeginError> {
        let mut connection = self.control.connect().await.map_err(BeginError::Control)?;
        match self.control.take(&mut connection).await.map_err(BeginError::Control)? {
            Takeover::Mine => {
                Box::pin(self.assume_alive(&mut connection)).await?;
                Ok(Some(connection))
            }
            Takeover::Theirs { holder } => {
                tracing::warn!(holder, "another daemon holds the control database: standing by");
                Ok(None)
            }
        }
    }

    /// Holds, stands by, and takes over, until `stop`; then releases the hold.
    pub(crate) async fn run(self, mut held: Option<PgConnection>, stop: CancellationToken) {
        let mut panics = 0;
        loop {
            let begin = Instant::now();
            let term = async {
                match held.take() {
                    Some(connection) => tokio::select! {
                        () = self.hold(connection) => {}
                        () = purge_when_due(&self.app) => {}
                        () = carry_on_upgrades(&self.app) => {}
                        () = sweep_rehearsals(&self.app) => {}
                        () = verify_in_turn(&self.app) => {}
                        () = verify_trail_in_turn(&self.app) => {}
                        () = self.app.record_repeats_in_turn() => {}
                    },
                    None => held = Box::pin(self.stand_by()).await,
                }
            };
            let ended = tokio::select! {
                ended = AssertUnwindSafe(term).catch_unwind() => ended,
                () = stop.cancelled() => break,
            };
            if ended.is_err() {
                // A daemon that answers but does not lead would keep all its operations waiting forever.
                tracing::error!("a panic ended this daemon's term: it lets go of its work, and stands by");
                self.let_go().await;
                panics = if begin.elapsed() < LONGEST_PAUSE { panics + 1 } else { 1 };
                tokio::select! {
                    () = tokio::time::sleep(pause_after(panics)) => {}
                    () = stop.cancelled() => break,
                }
            }
        }
        if self.control.may_write().is_ok() {
            self.app.record_last_repeats().await;
        }
        if self.control.may_write().is_ok()
            && let Ok(mut connection) = self.control.connect().await
            && let Err(error) = self.control.release(&mut connection).await
        {
            tracing::warn!(error = %error.explain(), "the hold on the control database ends with its lease");
        }
    }

    /// Gives signs of life until another daemon has the fence; an unreachable server is waited for.
    async fn hold(&self, connection: PgConnection) {
        tokio::select! {
            () = self.give_signs_of_life(connection) => {}
            () = self.look_after_the_stranded() => {}
        }
        let holder = self.control.standing_by_for().unwrap_or_default();
        tracing::error!(holder, "another daemon has taken the control database: standing by");
        self.engine.let_go();
    }

    /// Takes over operations whose task stopped without an end, after an error that no retry outlasts or because of a
    /// bug, in the same way as another daemon would.
    async fn look_after_the_stranded(&self) {
        let mut known = HashSet::new();
        loop {
            tokio::time::sleep(self.control.beat_every() * BEATS_A_LOOK).await;
            if self.trail.trouble().is_some() {
                // Somebody may have restored what they removed.
                if let Err(error) = self.trail.look_at_end().await {
                    tracing::debug!(error = %error.explain(), "nobody could look at the trail's end");
                }
                continue;
            }
            if !self.is_at_work.load(Ordering::Relaxed) {
                // An administrator has settled the trouble that the term began with.
                if let Err(error) = self.begin_to_work().await {
                    tracing::debug!(?error, "the term cannot begin to work yet");
                }
                continue;
            }
            if let Err(error) = recover(&self.engine, &self.targets, &mut known).await {
                tracing::debug!(error = %error.explain(), "nobody could look for stranded operations");
            }
        }
    }

    async fn give_signs_of_life(&self, mut connection: PgConnection) {
        let mut is_silent = false;
        loop {
            tokio::time::sleep(self.control.beat_every()).await;
            match self.control.beat(&mut connection).await {
                Ok(()) => is_silent = false,
                Err(Error::Fenced) => break,
                Err(error) => {
                    if !std::mem::replace(&mut is_silent, true) {
                        tracing::warn!(error = %error.explain(), "no sign of life gets through to the control database");
                    }
                    if let Ok(fresh) = self.control.connect().await {
                        connection = fresh;
                    }
                }
            }
        }
    }

    /// Tries once to take over; returns the connection if that succeeded.
    async fn stand_by(&self) -> Option<PgConnection> {
        tokio::time::sleep(self.control.beat_every()).await;
        let mut connection = match self.control.connect().await {
            Ok(connection) => connection,
            Err(error) => {
                tracing::debug!(error = %error.explain(), "the control database cannot be reached");
                return None;
            }
        };
        match self.control.take(&mut connection).await {
            Ok(Takeover::Theirs { .. }) => return None,
            Ok(Takeover::Mine) => tracing::warn!("taking over the control database"),
            Err(error) => {
                tracing::debug!(error = %error.explain(), "the control database could not be taken");
                return None;
            }
        }
        if let Err(error) = self.assume_alive(&mut connection).await {
            tracing::error!(?error, "the control database was taken, and could not be used");
            self.engine.let_go();
            self.control.release(&mut connection).await.ok();
            tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            return None;
        }
        Some(connection)
    }

    /// Lets go after a bug, as if another daemon had taken over, so that another one can.
    async fn let_go(&self) {
        self.engine.let_go();
        if let Ok(mut connection) = self.control.connect().await {
            self.control.release(&mut connection).await.ok();
        }
    }

    /// Gives signs of life while a term begins: reading a long trail takes longer than a lease lasts.
    async fn assume_alive(&self, connection: &mut PgConnection) -> Result<(), BeginError> {
        let living = async {
            loop {
                tokio::time::sleep(self.control.beat_every()).await;
                // The writes of the term will show what a lost sign means.
                if let Err(error) = self.control.beat(connection).await {
                    tracing::debug!(error = %error.explain(), "no sign of life while a term begins");
                }
            }
        };
        tokio::select! {
            result = self.assume() => result,
            never = living => never,
        }
    }

    /// Begins a term: the configuration is recorded, and unfinished operations are taken over.
    async fn assume(&self) -> Result<(), BeginError> {
        self.is_at_work.store(false, Ordering::Relaxed);
        self.trail.take_up().await.map_err(BeginError::Trail)?;
        if self.trail.trouble().is_some() {
            tracing::error!("nothing is changed until the audit trail's trouble is settled; it can be read");
            return Ok(());
        }
        match self.begin_to_work().await {
            // Read requests are answered all the same; the work begins once the trail can be written.
            Err(BeginError::Control(Error::Distrusted(why))) => {
                tracing::error!("nothing is changed until the audit trail can be written: {why}");
                Ok(())
            }
            result => result,
        }
    }

    async fn begin_to_work(&self) -> Result<(), BeginError> {
        self.record_start().await.map_err(BeginError::Control)?;
        self.app.publish_built_in().await.map_err(BeginError::Registry)?;
        let taken_up =
            recover(&self.engine, &self.targets, &mut HashSet::new()).await.map_err(BeginError::Control)?;
        self.is_at_work.store(true, Ordering::Relaxed);
        tracing::info!(epoch = self.control.epoch(), taken_up, "holding the control database");
        Ok(())
    }

    /// Records the event that begins a term, and the targets of the term.
    async fn record_start(&self) -> Result<(), Error> {
        let mut tx = self.trail.begin().await?;
        for target in &self.targets {
            let options = target.options();
            targets::upsert(
                &mut tx,
                target.name(),
                &target.address(),
                options.capacity,
                options.in_maintenance,
            )
            .await?;
        }
        let entry = Entry {
            // The detail names a machine.
            detail: self.control.held_before_by().map(|holder| format!("before: {holder}")),
            ..Entry::new("daemon.start", Actor::daemon(nix::unistd::geteuid().as_raw()))
        };
        let entry = entry.fact("version", env!("CARGO_PKG_VERSION")).fact("epoch", self.control.epoch());
        let entry = entry.fact("config", self.app.config_digest()).fact("targets", self.targets.len());
        tx.record(&entry).await?;
        tx.commit("commit the start").await
    }
}

/// Repeated panics must not fill the log and the trail with starts of terms.
fn pause_after(panics: u32) -> Duration {
    PAUSE_AFTER_ERROR.saturating_mul(1 << panics.saturating_sub(1).min(16)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_after_panics_grows_to_a_bound() {
        let pauses = [1, 2, 3, 8, 9, u32::MAX].map(|panics| pause_after(panics).as_millis());
        assert_eq!(pauses, [500, 1_000, 2_000, 60_000, 60_000, 60_000]);
    }
}
