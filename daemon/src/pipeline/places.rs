//! Places on a target: how many operations run there at once, and how many of the server's locks they take together.
//!
//! Both queues are fair: who asked first runs first. A tenant has one operation at a time, so no tenant can crowd out the
//! others. Locks are reserved, not counted: what a build takes is known from its number of tables.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use tenantry_protocol::name::TargetName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::postgres::target::Target;

use super::preflight;

/// Of a server's locks, the share that operations may take together, in percent: tenants need some too.
const SHARE: i64 = 75;
/// Locks that one transaction of a removal takes: 40 tables at about 10 each, and the roles.
const LOCKS_OF_A_REMOVAL: i64 = 450;

/// The places on all targets.
#[derive(Debug)]
pub(super) struct Places {
    targets: HashMap<TargetName, Arc<Place>>,
}

#[derive(Debug)]
struct Place {
    operations: Arc<Semaphore>,
    /// Known once the target was reached.
    locks: OnceLock<(Arc<Semaphore>, u32)>,
}

/// A place that is taken, until it is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    _operation: OwnedSemaphorePermit,
    _locks: Option<OwnedSemaphorePermit>,
}

impl Places {
    pub(super) fn new(targets: &[Arc<Target>], operations: usize) -> Self {
        let place =
            || Arc::new(Place { operations: Arc::new(Semaphore::new(operations)), locks: OnceLock::new() });
        Self { targets: targets.iter().map(|target| (target.name().clone(), place())).collect() }
    }

    /// Waits for a place for an operation that takes about `locks` at a time. `None` for a target that left the
    /// configuration: its operations find that out by themselves.
    pub(super) async fn take(&self, target: &Target, locks: i64) -> Option<Taken> {
        let place = self.targets.get(target.name())?;
        let operation = Arc::clone(&place.operations).acquire_owned().await.ok()?;
        let locks = match place.locks(target).await {
            // More than there is means alone, not never: preflight has refused what cannot work at all.
            Some((budget, all)) => {
                let share = u32::try_from(locks).unwrap_or(u32::MAX).min(all);
                Some(budget.acquire_many_owned(share).await.ok()?)
            }
            None => None,
        };
        Some(Taken { _operation: operation, _locks: locks })
    }
}

impl Place {
    /// The budget and its size; `None` while the target cannot be reached, which the operation then meets by itself.
    async fn locks(&self, target: &Target) -> Option<(Arc<Semaphore>, u32)> {
        if self.locks.get().is_none() {
            let ready = target.ready().await.ok()?;
            let all = u32::try_from(ready.locks_max * SHARE / 100).unwrap_or(u32::MAX).max(1);
            let permits = usize::try_from(all).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
            self.locks.get_or_init(|| (Arc::new(Semaphore::new(permits)), all));
        }
        self.locks.get().cloned()
    }
}

/// What a build of so many tables takes.
pub(super) fn locks_of_a_build(tables: u32) -> i64 {
    preflight::LOCKS_OF_A_BUILD + preflight::LOCKS_PER_TABLE * i64::from(tables)
}

/// What any other operation takes at most.
pub(super) const fn locks_of_a_change() -> i64 {
    LOCKS_OF_A_REMOVAL
}
