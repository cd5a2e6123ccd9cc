//! Part of a verification: whether the tenant's objects are still what its version makes. That they are not is told, once, and fails
//! nothing: it can be an administrator's work.

use std::time::Duration;

use tenantry_protocol::brief::{self, LONGEST_ACCOUNT};

use crate::model::audit_chain::{Actor, Entry};
use crate::model::fingerprint::Difference;
use crate::pipeline::context::ChangeRun;
use crate::pipeline::drift::{self, DriftError, DriftVerdict};
use crate::pipeline::tracker::Tracker;
use crate::postgres::control::fingerprints;
use crate::postgres::error::Result;

/// How long a verification waits for the comparison, which may have to wait for the baselines of other versions.
const LONGEST: Duration = Duration::from_secs(60);

/// Compares the tenant, and tells what is found. A comparison that is not possible now is made at the next verification.
pub(super) async fn tell(run: &ChangeRun, tracker: &Tracker) {
    let comparing = Box::pin(drift::compare(run.trail.control(), &run.target, &run.tenant));
    let Ok(compared) = tokio::time::timeout(LONGEST, comparing).await else {
        tracker.log(format!("whether the tenant has drifted is unknown after {} s", LONGEST.as_secs()));
        return;
    };
    let differences = match compared.map(|compared| compared.verdict) {
        Ok(DriftVerdict::InSync) => Vec::new(),
        Ok(DriftVerdict::Drifted(differences)) => differences,
        Ok(DriftVerdict::Unknown(why)) => {
            tracker.log(format!("whether the tenant has drifted is unknown: {why}"));
            return;
        }
        Err(DriftError::Control(error) | DriftError::Target(error)) => {
            tracker.log(format!("whether the tenant has drifted is unknown: {}", error.explain()));
            return;
        }
    };
    let headlines: Vec<String> = differences.iter().map(Difference::headline).collect();
    if !headlines.is_empty() {
        let account = brief::join(&headlines, "; ", LONGEST_ACCOUNT);
        tracker.log(format!("the tenant has drifted, {} differences: {account}", headlines.len()));
    }
    if let Err(error) = record(run, &headlines).await {
        tracing::warn!(error = %error.explain(), "the drift of a tenant could not be recorded");
    }
}

/// Notes it with the tenant. Drift that was not there before is an event of its own.
async fn record(run: &ChangeRun, headlines: &[String]) -> Result<()> {
    let mut tx = run.trail.begin().await?;
    let is_news = fingerprints::note(&mut tx, run.tenant.id, !headlines.is_empty()).await?;
    if !is_news {
        return Ok(());
    }
    if !headlines.is_empty() {
        let entry = Entry {
            tenant_id: Some(run.tenant.id.as_uuid()),
            slug: Some(run.tenant.slug.to_string()),
            operation_id: Some(run.id.as_uuid()),
            detail: Some(brief::join(headlines, "; ", LONGEST_ACCOUNT)),
            ..Entry::new("drift.found", Actor::daemon(nix::unistd::geteuid().as_raw()))
        };
        let entry = entry.fact("differences", headlines.len()).fact("version", run.tenant.version);
        tracing::warn!(tenant = %run.tenant.slug, differences = headlines.len(), "a tenant has drifted");
        tx.record(&entry).await?;
    }
    tx.commit("commit that the tenant has drifted").await
}
