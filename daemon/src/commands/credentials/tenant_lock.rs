//! One change of secrets at a time for each tenant. Two changes of one secret at once would return a secret that the
//! other one replaced, and a key that is sent twice would not find what the first call is about to record.
//!
//! This works within one process only; between daemons there is the fence of the control database.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tenantry_protocol::id::TenantId;
use tokio::sync::OwnedMutexGuard;

/// The tenants whose turn a call holds or waits for.
#[derive(Debug, Default)]
pub(in crate::commands) struct Turns {
    tenants: Mutex<HashMap<TenantId, Weak<tokio::sync::Mutex<()>>>>,
}

impl Turns {
    /// Waits for the tenant's turn, which lasts as long as the guard.
    pub(super) async fn wait(&self, tenant: TenantId) -> OwnedMutexGuard<()> {
        self.turn(tenant).lock_owned().await
    }

    fn turn(&self, tenant: TenantId) -> Arc<tokio::sync::Mutex<()>> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = tenants.get(&tenant).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        tenants.insert(tenant, Arc::downgrade(&turn));
        turn
    }
}
