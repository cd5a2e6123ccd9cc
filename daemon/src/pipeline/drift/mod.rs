//! Drift: what a tenant's objects are, other than its version of the blueprint makes them.
//!
//! They are compared with a baseline, the fingerprint of a new placement. There is one for each version, tenancy and major version
//! of the server, in the control database. It is made when it is first needed, by building a blank placement that is rolled back:
//! so tenants of every age are compared with the same, a provision costs nothing more, and an upgraded tenant has to be
//! what a new one would be. What a version makes differently from day to day, such as a partition for each month, is drift.
//!
//! Invariant: nothing of the tenant changes, and nothing that it owns runs.

mod baseline;
pub(super) mod blank;

use std::sync::Arc;

use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::name::PlacementName;
use tenantry_protocol::tenant::Tenant;

use super::admission::{self, Places};
use super::warden::Warden;
use crate::model::blueprint::{self, Blueprint};
use crate::model::fingerprint::{self as model, Difference};
use crate::postgres::Error;
use crate::postgres::control::fingerprints::StoredFingerprint;
use crate::postgres::control::{Control, blueprints};
use crate::postgres::fingerprint::{self, FingerprintReading};
use crate::postgres::preparation;
use crate::postgres::target::location::Home;
use crate::postgres::target::{Ready, Target};
use crate::postgres::tenancy::shared::pools;

pub(super) use baseline::{BaselineOf, too_much};

/// What the comparison found.
#[derive(Debug)]
pub enum DriftVerdict {
    InSync,
    Drifted(Vec<Difference>),
    /// Nobody can tell; the sentence says why.
    Unknown(String),
}

/// A tenant that was compared with its baseline.
#[derive(Debug)]
pub struct Compared {
    pub verdict: DriftVerdict,
    /// Whose objects were read: the tenant's placement, or that of its pool.
    pub home: PlacementName,
    /// What it was compared with, if there is a baseline.
    pub baseline: Option<StoredFingerprint>,
    pub server_major: u32,
    /// The number of objects that were compared.
    pub objects: usize,
}

/// Why a tenant could not be compared at all.
#[derive(Debug)]
pub enum DriftError {
    Control(Error),
    Target(Error),
}

/// Compares a tenant that stands with its baseline. A baseline that is missing is made first, at a place on the target.
pub(super) async fn compare_at_a_place(
    control: &Control,
    places: &Places,
    target: &Target,
    tenant: &Tenant,
) -> Result<Compared, DriftError> {
    let drift = Drift { control, target, tenant };
    let (ready, stored) = drift.begin().await?;
    if stored.is_some() {
        return drift.compare(&ready, stored).await;
    }
    let version = drift.version().await?;
    let mut place = places.take(target, admission::locks_of_a_build(version.tables), None).await;
    let warden = place.as_mut().and_then(|place| place.room.take()).map(Warden::new);
    drift.make_and_compare(&ready, &version, warden).await
}

/// Compares the tenant of an operation, which has a place already.
pub(super) async fn compare(
    control: &Control,
    target: &Target,
    tenant: &Tenant,
) -> Result<Compared, DriftError> {
    let drift = Drift { control, target, tenant };
    let (ready, stored) = drift.begin().await?;
    if stored.is_some() {
        return drift.compare(&ready, stored).await;
    }
    let version = drift.version().await?;
    drift.make_and_compare(&ready, &version, None).await
}

struct Drift<'a> {
    control: &'a Control,
    target: &'a Target,
    tenant: &'a Tenant,
}

impl Drift<'_> {
    async fn begin(&self) -> Result<(Arc<Ready>, Option<StoredFingerprint>), DriftError> {
        let ready = preparation::ready(self.target).await.map_err(DriftError::Target)?;
        let stored = self.baseline().find(&ready).await?;
        Ok((ready, stored))
    }

    const fn baseline(&self) -> BaselineOf<'_> {
        let Tenant { blueprint, version, tenancy, .. } = self.tenant;
        let (version, tenancy) = (*version, *tenancy);
        BaselineOf { control: self.control, target: self.target, blueprint, version, tenancy }
    }

    async fn version(&self) -> Result<Blueprint, DriftError> {
        let (name, version) = (&self.tenant.blueprint, self.tenant.version);
        let files = blueprints::files(self.control.pool(), name, version).await;
        let parsed = blueprint::parse_judged(&files.map_err(DriftError::Control)?);
        let corrupt = || Error::Corrupt { what: "the blueprint", why: format!("{name} {version}") };
        parsed.ok_or_else(corrupt).map_err(DriftError::Control)
    }

    async fn make_and_compare(
        &self,
        ready: &Ready,
        version: &Blueprint,
        warden: Option<Warden>,
    ) -> Result<Compared, DriftError> {
        match self.baseline().make(ready, version, warden).await? {
            Ok(stored) => self.compare(ready, Some(stored)).await,
            Err(why) => Ok(self.unknown(ready, why)),
        }
    }

    async fn compare(
        &self,
        ready: &Ready,
        stored: Option<StoredFingerprint>,
    ) -> Result<Compared, DriftError> {
        let Some(stored) = stored else { return Ok(self.unknown(ready, "there is no baseline".to_owned())) };
        let tenant = self.tenant;
        let pool = match tenant.tenancy {
            Tenancy::Shared => {
                pools::of_placement(self.target, &tenant.placement).await.map_err(DriftError::Target)?
            }
            _ => None,
        };
        let placement = pool.unwrap_or_else(|| tenant.placement.clone());
        let home = Home::new(self.target, tenant.tenancy, &tenant.placement, tenant.id);
        let mut connection = home.on(self.target).acquire().await.map_err(DriftError::Target)?;
        let read = fingerprint::read(&mut connection, &placement).await;
        drop(connection);
        let found = match read {
            Ok(FingerprintReading::Whole(found)) => found,
            Ok(FingerprintReading::TooMuch) => return Ok(self.unknown(ready, too_much())),
            Err(error) if error.is_unreachable() => return Err(DriftError::Target(error)),
            Err(error) => return Ok(self.unknown(ready, unreadable(&error))),
        };
        let verdict = if found.digest() == stored.digest {
            DriftVerdict::InSync
        } else {
            let mut differences = model::compare(&self.baseline().objects(ready).await?, &found);
            if !differences.is_empty() {
                let version = self.version().await?;
                differences.retain(|one| !model::is_left_by_detachment(one, &version));
            }
            match differences {
                differences if differences.is_empty() => DriftVerdict::InSync,
                differences => DriftVerdict::Drifted(differences),
            }
        };
        Ok(Compared {
            verdict,
            home: placement,
            baseline: Some(stored),
            server_major: ready.major(),
            objects: found.len(),
        })
    }

    fn unknown(&self, ready: &Ready, why: String) -> Compared {
        Compared {
            verdict: DriftVerdict::Unknown(why),
            home: self.tenant.placement.clone(),
            baseline: None,
            server_major: ready.major(),
            objects: 0,
        }
    }
}

fn unreadable(error: &Error) -> String {
    format!("its definitions could not be read: {}; ask again at a quieter time", error.explain())
}
