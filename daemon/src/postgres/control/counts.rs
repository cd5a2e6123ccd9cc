//! How many tenants there are. They are counted again only after something was written: a count reads every row, and each status and
//! each page asks for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgPool;
use tenantry_protocol::name::TargetName;
use tenantry_protocol::tenant::state::TenantStage;
use tokio::time::Instant;

use super::Control;
use super::tenants::{TenantFilter, corrupt, read};
use crate::postgres::error::{Result, doing};

/// A count is at most this old, since another daemon may be the one that writes.
const OLDEST: Duration = Duration::from_secs(1);

/// The tenants of each state on each target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantCounts(Vec<(String, TargetName, u64)>);

/// The last count, and how often something was written.
#[derive(Debug, Default)]
pub(super) struct KeptCounts {
    writes: AtomicU64,
    last: Mutex<Option<LastCount>>,
}

#[derive(Debug, Clone)]
struct LastCount {
    /// The number of writes before it.
    writes: u64,
    at: Instant,
    counts: Arc<TenantCounts>,
}

/// A transaction that may write. However it ends, what was counted before is old.
#[derive(Debug)]
pub(super) struct WriteNote(Arc<KeptCounts>);

impl Drop for WriteNote {
    fn drop(&mut self) {
        self.0.writes.fetch_add(1, Ordering::SeqCst);
    }
}

impl KeptCounts {
    pub(super) fn note(self: &Arc<Self>) -> WriteNote {
        WriteNote(Arc::clone(self))
    }

    fn fresh(&self) -> Option<Arc<TenantCounts>> {
        let counted = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = counted.as_ref()?;
        let is_fresh = counted.writes == self.writes.load(Ordering::SeqCst) && counted.at.elapsed() < OLDEST;
        is_fresh.then(|| Arc::clone(&counted.counts))
    }
}

impl Control {
    /// How many tenants there are, as of now, or of a second ago if another daemon writes.
    pub async fn tenant_counts(&self) -> Result<Arc<TenantCounts>> {
        if let Some(counts) = self.counts.fresh() {
            return Ok(counts);
        }
        let (writes, at) = (self.counts.writes.load(Ordering::SeqCst), Instant::now());
        let counts = Arc::new(count(&self.pool).await?);
        let counted = LastCount { writes, at, counts: Arc::clone(&counts) };
        *self.counts.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(counted);
        Ok(counts)
    }
}

impl TenantCounts {
    /// All of them by state and target.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &TargetName, u64)> {
        self.0.iter().map(|(state, target, count)| (state.as_str(), target, *count))
    }

    /// Those that live on a target.
    pub fn living(&self, target: &TargetName) -> u64 {
        self.iter()
            .filter(|(state, name, _)| *name == target && lives(state))
            .map(|(_, _, count)| count)
            .sum()
    }

    /// Those that a list has.
    pub fn listed(&self, filter: &TenantFilter) -> u64 {
        let is_listed = |state: &str| match filter.states.as_slice() {
            [] => filter.all || lives(state),
            states => states.iter().any(|one| one == state),
        };
        self.iter().filter(|(state, _, _)| is_listed(state)).map(|(_, _, count)| count).sum()
    }
}

fn lives(state: &str) -> bool {
    !TenantStage::parse(state).is_some_and(TenantStage::is_over)
}

async fn count(pool: &PgPool) -> Result<TenantCounts> {
    let rows = sqlx::query("select state, target, count(*) as n from control.tenant group by state, target")
        .fetch_all(pool)
        .await
        .map_err(doing("count the tenants"))?;
    let counted = rows.iter().map(|row| {
        let target = TargetName::parse(&read::<String>(row, "target")?).map_err(corrupt)?;
        Ok((read(row, "state")?, target, read::<i64>(row, "n")?.unsigned_abs()))
    });
    Ok(TenantCounts(counted.collect::<Result<_>>()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_count_is_fresh_until_a_transaction_ends() {
        let kept = Arc::new(KeptCounts::default());
        let counts = Arc::new(TenantCounts(Vec::new()));
        let open = kept.note();
        let counted = LastCount { writes: 0, at: Instant::now(), counts: Arc::clone(&counts) };
        *kept.last.lock().unwrap() = Some(counted);
        assert_eq!(kept.fresh(), Some(counts));
        drop(open);
        assert_eq!(kept.fresh(), None);
    }

    #[test]
    fn a_list_counts_what_it_shows() {
        let target = TargetName::parse("local").unwrap();
        let of = |state: &str, count| (state.to_owned(), target.clone(), count);
        let counts = TenantCounts(vec![of("active", 5), of("suspended", 2), of("retired", 7)]);
        let listed = |states: &[&str], all| {
            let states = states.iter().map(|state| (*state).to_owned()).collect();
            counts.listed(&TenantFilter { states, all })
        };
        assert_eq!((listed(&[], false), listed(&[], true)), (7, 14));
        assert_eq!((listed(&["retired"], false), listed(&["suspended", "active"], true)), (7, 7));
        assert_eq!(counts.living(&target), 7);
    }
}
