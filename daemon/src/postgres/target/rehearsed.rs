//! The upgrades that were rehearsed on a target since the daemon started.
//!
//! Invariant: an entry is right for ever, since a stored version never changes; what takes its files back may, and is part of the key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::blueprint::{Blueprint, Checksum};
use crate::model::rehearsal::Rehearsed;

/// The most that are remembered. Somebody wrote each pair of versions, so that there are few.
const MOST: usize = 1_000;

/// The checksums of the present version and of the one that it becomes, which cover the blueprint's name; and of what takes files
/// of the present one back, where the other is earlier.
type VersionPair = (Checksum, Checksum, Option<Checksum>);

fn pair(from: &Blueprint, to: &Blueprint) -> VersionPair {
    (from.checksum, to.checksum, (to.version < from.version).then(|| from.undo_checksum()))
}

#[derive(Debug, Default)]
pub struct RehearsedUpgrades {
    known: Mutex<HashMap<VersionPair, Arc<Rehearsed>>>,
    turn: tokio::sync::Mutex<()>,
}

impl RehearsedUpgrades {
    pub fn find(&self, from: &Blueprint, to: &Blueprint) -> Option<Arc<Rehearsed>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&pair(from, to)).cloned()
    }

    pub fn keep(&self, from: &Blueprint, to: &Blueprint, rehearsed: &Arc<Rehearsed>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(pair(from, to), Arc::clone(rehearsed));
    }

    /// Held while an upgrade is rehearsed here. What is found on the target meanwhile was left behind.
    pub async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }
}
