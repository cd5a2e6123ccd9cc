//! Rehearsals: an upgrade is tried on a blank placement before any tenant is touched.
//!
//! Invariants: the placement is removed however the rehearsal ends, and the next look at the target removes it if the daemon died. It
//! has a marker of its own kind, so that it never counts as a tenant. What went through is remembered as long as the daemon
//! runs, since neither version changes.

mod trial;

use std::sync::Arc;
use std::time::Duration;

use tenantry_protocol::brief::{self, LONGEST_ACCOUNT};
use tokio_util::sync::CancellationToken;

use self::trial::Trial;
use super::admission::{self, Places};
use super::drift::DriftError;
use super::warden::Warden;
use crate::model::blueprint::Blueprint;
use crate::model::rehearsal::Rehearsed;
use crate::postgres::control::Control;
use crate::postgres::preparation;
use crate::postgres::preparation::groundwork::groundwork;
use crate::postgres::removal::blank::{left_behind, remove_blank};
use crate::postgres::target::Target;
use crate::postgres::target::marker::Mark;
use crate::postgres::{Error, Result};

/// Why an upgrade did not go through.
#[derive(Debug)]
pub enum RehearsalError {
    /// The version cannot be applied; the sentence names the file and says why.
    Refused(String),
    Control(Error),
    Target(Error),
}

impl From<DriftError> for RehearsalError {
    fn from(error: DriftError) -> Self {
        match error {
            DriftError::Control(error) => Self::Control(error),
            DriftError::Target(error) => Self::Target(error),
        }
    }
}

/// Tries the upgrade at a place on the target, unless that was done before.
pub(super) async fn rehearse(
    ground: TrialGround<'_>,
    from: &Blueprint,
    to: &Blueprint,
) -> Result<Arc<Rehearsed>, RehearsalError> {
    let target = ground.target;
    if let Some(known) = target.rehearsed().find(from, to) {
        return Ok(known);
    }
    let _turn = target.rehearsed().turn().await;
    if let Some(known) = target.rehearsed().find(from, to) {
        return Ok(known);
    }
    let ready = preparation::ready(target).await.map_err(RehearsalError::Target)?;
    if let Err(error) = remove_left_behind(ground.control, target).await {
        tracing::warn!(error = %error.explain(), "what a rehearsal left behind could not be removed");
    }
    let locks = admission::locks_of_a_build(from.tables.max(to.tables));
    let mut place = ground.places.take(target, locks, None).await;
    let warden = place.as_mut().and_then(|place| place.room.take()).map(Warden::new);
    let trial = Trial::new(ground, &ready, (from, to), warden)?;
    let rehearsed = Arc::new(trial.run().await?);
    tracing::info!(
        blueprint = %to.name, from = %from.version, to = %to.version, target = %target.name(),
        ms = rehearsed.duration.as_millis(), "rehearsed an upgrade on a blank placement, and removed it"
    );
    target.rehearsed().keep(from, to, &rehearsed);
    Ok(rehearsed)
}

/// Removes what rehearsals of earlier daemons left on a target. Returns the number of placements.
pub(super) async fn sweep(control: &Control, target: &Target) -> Result<usize> {
    let _turn = target.rehearsed().turn().await;
    remove_left_behind(control, target).await
}

/// Where rehearsals and trial builds take place, and the time that each has.
#[derive(Clone, Copy)]
pub(super) struct TrialGround<'a> {
    pub(super) control: &'a Control,
    pub(super) places: &'a Places,
    pub(super) target: &'a Target,
    pub(super) budget: Duration,
    /// Cancelled when nobody waits for the answer any more.
    pub(super) stop: &'a CancellationToken,
}

async fn remove_left_behind(control: &Control, target: &Target) -> Result<usize> {
    let found = left_behind(target).await?;
    if found.is_empty() {
        return Ok(0);
    }
    let ready = preparation::ready(target).await?;
    for one in &found {
        let grounds;
        let site = match one.in_canary {
            true => {
                grounds = groundwork(target, &ready).await?;
                Arc::as_ref(&grounds).canary.site(target)
            }
            false => target.site(),
        };
        let mark = Mark { build: one.build, fence: control.may_write()? };
        remove_blank(site, &ready, mark, &one.placement).await?;
        tracing::info!(placement = %one.placement, "removed what a rehearsal left behind");
    }
    Ok(found.len())
}

/// A sentence of bounded length: what the server says can be long.
fn refused(why: &str) -> RehearsalError {
    RehearsalError::Refused(brief::cut(why, LONGEST_ACCOUNT))
}
