//! Places on a target: how many operations run there at once, and how many of the server's locks they take together.
//!
//! Both queues are fair: the operation that asked first runs first. A tenant has one operation at a time, so no tenant
//! can crowd out the others. A build reserves the locks that it is expected to take, estimated from its number of tables.
//! A build that is seen to take more either reserves more or is ended.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tenantry_protocol::name::TargetName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::postgres::preparation;
use crate::postgres::target::Target;

/// Locks that a build takes for each table it creates, including its indexes, keys and sequences; measured on 40 tables.
const LOCKS_PER_TABLE: i64 = 13;
/// Locks of a build without tables: roles, schema, default privileges.
const LOCKS_OF_A_BUILD: i64 = 36;
/// The share of a server's locks that operations may take together, in percent. The tenants need some of them too.
const SHARE: i64 = 75;
/// Locks that one transaction of a removal takes: about 10 for each of 40 tables, and those of the roles.
const LOCKS_OF_A_REMOVAL: i64 = 450;

/// The places on all targets.
#[derive(Debug)]
pub(super) struct Places {
    targets: HashMap<TargetName, Arc<TargetPlace>>,
}

#[derive(Debug)]
struct TargetPlace {
    operations: Arc<Semaphore>,
    /// Known once the target has been reached, and another one after its server was restarted with other settings.
    locks: Mutex<Option<Budget>>,
}

#[derive(Debug, Clone)]
struct Budget {
    permits: Arc<Semaphore>,
    all: u32,
    server: i64,
}

/// A place on a target, which is taken until this value is dropped.
#[derive(Debug)]
pub(super) struct TakenPlace {
    _operation: OwnedSemaphorePermit,
    /// Its place among the tenants of an upgrade of many.
    _lane: Option<OwnedSemaphorePermit>,
    place: Arc<TargetPlace>,
    /// `None` if the target could not be reached.
    pub(super) room: Option<ReservedLocks>,
}

/// The share of its server's locks that an operation has reserved.
#[derive(Debug)]
pub(super) struct ReservedLocks {
    budget: Arc<Semaphore>,
    reserved: OwnedSemaphorePermit,
    /// The number of locks that all operations may take together.
    pub(super) all: u32,
    /// The number of locks that the server has.
    pub(super) server: i64,
}

/// Whether the locks that an operation was seen to hold fit within the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// The locks are reserved.
    Reserved,
    /// Other operations have reserved the rest.
    Crowded,
    /// The operation holds more than all operations may take together.
    TooMany,
}

impl Places {
    pub(super) fn new(targets: &[Arc<Target>], operations: usize) -> Self {
        let place = || {
            Arc::new(TargetPlace {
                operations: Arc::new(Semaphore::new(operations)),
                locks: Mutex::default(),
            })
        };
        Self { targets: targets.iter().map(|target| (target.name().clone(), place())).collect() }
    }

    /// Waits for a place for an operation that takes about `locks` locks at a time, behind those before it in its lane. Returns
    /// `None` for a target that was removed from the configuration; its operations find that out themselves.
    pub(super) async fn take(
        &self,
        target: &Target,
        locks: i64,
        lane: Option<Arc<Semaphore>>,
    ) -> Option<TakenPlace> {
        let place = Arc::clone(self.targets.get(target.name())?);
        let lane = match lane {
            Some(lane) => Some(lane.acquire_owned().await.ok()?),
            None => None,
        };
        let operation = Arc::clone(&place.operations).acquire_owned().await.ok()?;
        let room = place.reserve(target, locks).await;
        Some(TakenPlace { _operation: operation, _lane: lane, place, room })
    }
}

impl TakenPlace {
    /// Reserves locks that could not be reserved earlier because the target was out of reach.
    pub(super) async fn reserve(&self, target: &Target, locks: i64) -> Option<ReservedLocks> {
        self.place.reserve(target, locks).await
    }
}

impl TargetPlace {
    async fn reserve(&self, target: &Target, locks: i64) -> Option<ReservedLocks> {
        let Budget { permits, all, server } = self.locks(target).await?;
        // An operation that wants more than the whole budget runs alone; preflight has already refused what cannot work
        // at all.
        let share = u32::try_from(locks).unwrap_or(u32::MAX).min(all);
        let reserved = Arc::clone(&permits).acquire_many_owned(share).await.ok()?;
        Some(ReservedLocks { budget: permits, reserved, all, server })
    }

    /// The budget and its size. `None` while the target cannot be reached, a fault that the operation then meets itself.
    async fn locks(&self, target: &Target) -> Option<Budget> {
        preparation::ready(target).await.ok()?;
        let server = target.locks();
        let mut budget = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if budget.as_ref().is_none_or(|known| known.server != server) {
            *budget = Some(Budget::of(server));
        }
        budget.clone()
    }
}

impl Budget {
    fn of(server: i64) -> Self {
        let all = share_of(server);
        let permits = usize::try_from(all).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { permits: Arc::new(Semaphore::new(permits)), all, server }
    }
}

impl ReservedLocks {
    /// Reserves what the operation holds, if that is more than it had reserved. Reserves a little more where there is
    /// room, so that the operation does not have to ask at each step.
    pub(super) fn fit(&mut self, held: u32) -> Fit {
        if held > self.all {
            return Fit::TooMany;
        }
        let reserved = self.reserved();
        if held <= reserved {
            return Fit::Reserved;
        }
        for wanted in [held.saturating_add(held / 4).min(self.all), held] {
            let more = Arc::clone(&self.budget).try_acquire_many_owned(wanted - reserved);
            if let Ok(more) = more {
                self.reserved.merge(more);
                return Fit::Reserved;
            }
        }
        Fit::Crowded
    }

    /// Returns its reservation, and waits for twice the number of locks that the operation was seen to hold.
    pub(super) async fn wait_for(&mut self, held: u32) {
        drop(self.reserved.split(self.reserved.num_permits()));
        let share = held.saturating_mul(2).min(self.all);
        // The budget is never closed.
        if let Ok(reserved) = Arc::clone(&self.budget).acquire_many_owned(share).await {
            self.reserved.merge(reserved);
        }
    }

    /// Narrows the bounds if the server has fewer locks than when they were reserved: it was restarted meanwhile.
    pub(super) fn server_has(&mut self, locks: i64) {
        (self.server, self.all) = (locks, self.all.min(share_of(locks)));
    }

    /// How many locks beyond `held` the operation could still take.
    pub(super) fn left(&self, held: u32) -> u32 {
        let free = u32::try_from(self.budget.available_permits()).unwrap_or(u32::MAX);
        self.reserved().saturating_add(free).min(self.all).saturating_sub(held)
    }

    fn reserved(&self) -> u32 {
        u32::try_from(self.reserved.num_permits()).unwrap_or(u32::MAX)
    }
}

/// The number of a server's locks that operations may take together.
fn share_of(server: i64) -> u32 {
    u32::try_from(server * SHARE / 100).unwrap_or(u32::MAX).max(1)
}

/// The locks that a build of this many tables takes.
pub(super) fn locks_of_a_build(tables: u32) -> i64 {
    LOCKS_OF_A_BUILD + LOCKS_PER_TABLE * i64::from(tables)
}

/// The most locks that any other operation takes.
pub(super) const fn locks_of_a_change() -> i64 {
    LOCKS_OF_A_REMOVAL
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn room(budget: &Arc<Semaphore>, reserved: u32) -> ReservedLocks {
        let all = 100;
        let reserved = Arc::clone(budget).try_acquire_many_owned(reserved).unwrap();
        ReservedLocks { budget: Arc::clone(budget), reserved, all, server: 133 }
    }

    #[tokio::test]
    async fn an_operation_reserves_what_it_is_seen_to_hold_as_far_as_there_is_room() {
        let budget = Arc::new(Semaphore::new(100));
        let (mut one, mut other) = (room(&budget, 10), room(&budget, 40));
        assert_eq!(one.left(0), 60);
        assert_eq!(one.fit(10), Fit::Reserved);
        assert_eq!((one.fit(40), one.reserved()), (Fit::Reserved, 50), "with some to spare");
        assert_eq!((one.fit(58), one.reserved()), (Fit::Reserved, 58), "or the very number");
        assert_eq!((one.fit(61), one.fit(101)), (Fit::Crowded, Fit::TooMany));
        assert_eq!(other.fit(43), Fit::Crowded);
        drop(other);
        one.wait_for(45).await;
        assert_eq!((one.reserved(), budget.available_permits()), (90, 10), "twice of what it held");
        one.wait_for(60).await;
        assert_eq!(one.reserved(), 100, "and never more than there is");
    }
}
