//! Connections on which the catalog is read at each provision, and which keep their plans: to plan one of these queries takes several
//! times as long as to run it.
//!
//! Invariant: nothing of a tenant runs on them, and they are never left in a transaction or with settings of their own. So nothing is
//! cleaned up between two uses.

use sqlx::Postgres;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool};

use crate::postgres::connections::{kept, queue};

/// One is kept open. A tenant with very many objects is read for long, and others are not to wait for that.
const CONNECTIONS: u32 = 4;
/// The queries that are read in this way.
const STATEMENTS: usize = 8;

#[derive(Debug)]
pub(super) struct Reading(PgPool);

impl Reading {
    /// Connects when it is first used.
    pub(super) fn new(connection: PgConnectOptions) -> Self {
        // The first plan is as good as any later one: the queries take names alone.
        let generic = connection
            .statement_cache_capacity(STATEMENTS)
            .options([("plan_cache_mode", "force_generic_plan")]);
        Self(kept::options(CONNECTIONS).acquire_timeout(queue::LONGEST).connect_lazy_with(generic))
    }

    pub(super) async fn acquire(&self) -> sqlx::Result<PoolConnection<Postgres>> {
        kept::acquire(&self.0).await
    }

    /// Keeps one connection open from now on.
    pub(super) fn keep_open(&self) {
        tokio::spawn(kept::keep(&self.0, 1));
    }

    pub(super) async fn close(&self) {
        self.0.close().await;
    }
}
