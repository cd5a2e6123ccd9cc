//! A value that is found out once and kept until it is forgotten.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;

use crate::postgres::error::{Result, doing};

#[derive(Debug)]
pub(in crate::postgres) struct Known<T> {
    value: RwLock<Option<Arc<T>>>,
    /// Held while the value is found out. This can take as long as a connection to a server that does not answer.
    turn: Mutex<()>,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self { value: RwLock::default(), turn: Mutex::default() }
    }
}

impl<T> Known<T> {
    pub(in crate::postgres) fn get(&self) -> Option<Arc<T>> {
        self.value.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the known value, or the one that `find` finds out. Waits at most `patience` for another caller's attempt.
    /// `what` appears in the error if that was not enough.
    pub(in crate::postgres) async fn get_or_find(
        &self,
        patience: Duration,
        what: &'static str,
        find: impl Future<Output = Result<T>>,
    ) -> Result<Arc<T>> {
        if let Some(known) = self.get() {
            return Ok(known);
        }
        let turn = tokio::time::timeout(patience, self.turn.lock()).await;
        let _turn = turn.map_err(|_| doing(what)(sqlx::Error::PoolTimedOut))?;
        if let Some(known) = self.get() {
            return Ok(known);
        }
        let found = Arc::new(find.await?);
        self.keep(Some(Arc::clone(&found)));
        Ok(found)
    }

    pub(in crate::postgres) fn forget(&self) {
        self.keep(None);
    }

    fn keep(&self, value: Option<Arc<T>>) {
        *self.value.write().unwrap_or_else(PoisonError::into_inner) = value;
    }
}
