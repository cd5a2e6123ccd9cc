//! The baseline of a version: found where it is stored, and made where it is not, by a blank placement that is rolled back.

use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::name::{BlueprintName, BlueprintVersion};
use tokio::sync::Mutex;

use super::DriftError;
use super::blank::{Blank, BlankError};
use crate::model::blueprint::Blueprint;
use crate::model::fingerprint::Fingerprint;
use crate::pipeline::warden::Warden;
use crate::postgres::control::Control;
use crate::postgres::control::fingerprints::{self, FingerprintKey, StoredFingerprint};
use crate::postgres::fingerprint::{FingerprintReading, MOST_BYTES, MOST_OBJECTS};
use crate::postgres::target::{Ready, Target};

/// One blank placement at a time: it takes locks, and others would only make the same.
static BUILDING: Mutex<()> = Mutex::const_new(());

/// Whose baseline is meant, and the target that it is made on.
#[derive(Clone, Copy)]
pub(in crate::pipeline) struct BaselineOf<'a> {
    pub(in crate::pipeline) control: &'a Control,
    pub(in crate::pipeline) target: &'a Target,
    pub(in crate::pipeline) blueprint: &'a BlueprintName,
    pub(in crate::pipeline) version: BlueprintVersion,
    pub(in crate::pipeline) tenancy: Tenancy,
}

impl BaselineOf<'_> {
    fn key(&self, ready: &Ready) -> FingerprintKey<'_> {
        let Self { blueprint, version, tenancy, .. } = *self;
        FingerprintKey { blueprint, version, tenancy, server_major: ready.major() }
    }

    pub(in crate::pipeline) async fn find(
        &self,
        ready: &Ready,
    ) -> Result<Option<StoredFingerprint>, DriftError> {
        fingerprints::find(self.control.pool(), self.key(ready)).await.map_err(DriftError::Control)
    }

    /// The objects of the baseline, which must exist.
    pub(in crate::pipeline) async fn objects(&self, ready: &Ready) -> Result<Fingerprint, DriftError> {
        fingerprints::read(self.control.pool(), self.key(ready)).await.map_err(DriftError::Control)
    }

    /// Makes the baseline and stores it, or says why there can be none.
    pub(in crate::pipeline) async fn make(
        &self,
        ready: &Ready,
        version: &Blueprint,
        warden: Option<Warden>,
    ) -> Result<Result<StoredFingerprint, String>, DriftError> {
        let _turn = BUILDING.lock().await;
        if let Some(stored) = self.find(ready).await? {
            return Ok(Ok(stored));
        }
        let fence = self.control.may_write().map_err(DriftError::Control)?;
        let blank = Blank { target: self.target, ready, blueprint: version, fence, warden };
        let fingerprint = match blank.fingerprint().await {
            Ok(FingerprintReading::Whole(fingerprint)) => fingerprint,
            Ok(FingerprintReading::TooMuch) => return Ok(Err(too_much())),
            Err(BlankError::Database(error)) if error.is_unreachable() => {
                return Err(DriftError::Target(error));
            }
            Err(error) => return Ok(Err(no_baseline(version, &error))),
        };
        let mut tx = self.control.begin().await.map_err(DriftError::Control)?;
        let inserted = fingerprints::insert(&mut tx, self.key(ready), self.target.name(), &fingerprint).await;
        inserted.map_err(DriftError::Control)?;
        let committed = tx.commit().await.map_err(crate::postgres::error::doing("commit the fingerprint"));
        committed.map_err(DriftError::Control)?;
        tracing::info!(
            blueprint = %version.name, version = %version.version, objects = fingerprint.len(),
            "built a blank placement to compare tenants with, and rolled it back"
        );
        let stored = self.find(ready).await?;
        Ok(stored.ok_or_else(|| "the baseline is gone again: ask once more".to_owned()))
    }
}

pub(in crate::pipeline) fn too_much() -> String {
    format!(
        "there are more than {MOST_OBJECTS} objects, or their definitions have more than {} MiB, which is more than is compared",
        MOST_BYTES / 1024 / 1024
    )
}

fn no_baseline(version: &Blueprint, error: &BlankError) -> String {
    let why = match error {
        BlankError::Database(error) => error.explain(),
        error => error.to_string(),
    };
    format!(
        "there is nothing to compare it with: a blank placement of {} {} could not be built: {why}",
        version.name, version.version
    )
}
