//! Pools that keep their least connections: whoever fills a server with sessions of its own does not lock the daemon out.
//!
//! Invariant: a connection among the least is closed only when it is lost, or when another is open in its place. The
//! driver's own reaper closes first and opens then, and the slot is gone; so it is off, and what it was there for (too many,
//! or too old) is done here.

use std::future::Future;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection as _, PgConnection, Postgres, pool::PoolConnection};
use tokio::time::{Instant, sleep, timeout};

/// How often it is looked whether all of them answer.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a new connection may take while the idle ones are held back for it.
const OPENING: Duration = Duration::from_secs(1);
/// What nobody needed for so long, beyond the least, is closed.
const IDLE_TIME: Duration = Duration::from_secs(300);
/// In this time each is replaced once on average: a server process grows by what it has seen of the catalog.
const LIFETIME: Duration = Duration::from_secs(1_800);

/// As many as are kept of a pool: what it takes to answer, to read the trail and to change a tenant at the same time, and one
/// more. An operation that changes a standing tenant needs one at a time.
pub(in crate::postgres) const LEAST: u32 = 4;

/// Options of a pool that [`keep`] looks after.
pub(in crate::postgres) fn options(most: u32) -> PgPoolOptions {
    PgPoolOptions::new().max_connections(most).idle_timeout(None).max_lifetime(None)
}

/// Opens the `least` connections and keeps them, for as long as the pool is open. One that is lost is opened anew within
/// [`LOOK_EVERY`], or as soon as the server is back.
pub(in crate::postgres) fn keep(pool: &PgPool, least: u32) -> impl Future<Output = ()> + Send + 'static {
    let (pool, closed) = (pool.clone(), pool.close_event());
    let least = least.min(pool.options().get_max_connections());
    async move {
        let mut closed = closed;
        let _ = closed.do_until(look_after(&pool, least)).await;
    }
}

async fn look_after(pool: &PgPool, least: u32) {
    let (mut window, mut unneeded, mut renewed) = (Instant::now(), usize::MAX, Instant::now());
    loop {
        // At first too: a daemon that has just started has better things to do than to open what it may need later.
        sleep(LOOK_EVERY).await;
        answer(pool).await;
        if pool.size() < least {
            fill(pool, least).await;
        }
        unneeded = unneeded.min(pool.num_idle());
        if window.elapsed() >= IDLE_TIME {
            let surplus = pool.size().saturating_sub(least) as usize;
            close(pool, unneeded.min(surplus)).await;
            (window, unneeded) = (Instant::now(), usize::MAX);
        }
        if renewed.elapsed() >= LIFETIME / least {
            renewed = Instant::now();
            if let Some(old) = pool.try_acquire() {
                replace(pool, least, old).await;
            }
        }
    }
}

/// Each idle connection is asked for an answer; the pool opens another in the place of one that gives none.
async fn answer(pool: &PgPool) {
    for _ in 0..pool.num_idle() {
        if pool.num_idle() == 0 || Box::pin(pool.acquire()).await.is_err() {
            return;
        }
    }
}

/// Opens what is missing.
async fn fill(pool: &PgPool, least: u32) {
    // Tried beside the pool, where nobody has to wait for a server that is full or away.
    let options: PgConnectOptions = (*pool.connect_options()).clone();
    let Ok(Ok(trial)) = timeout(OPENING * 5, Box::pin(PgConnection::connect_with(&options))).await else {
        return;
    };
    trial.close().await.ok();
    let mut held = idle(pool);
    while pool.size() < least {
        match timeout(OPENING, Box::pin(pool.acquire())).await {
            Ok(Ok(opened)) => held.push(opened),
            _ => return,
        }
    }
}

/// Opens another connection in the place of `old`, and only then closes it. Where there is no room for another, it goes on.
pub(in crate::postgres) async fn replace(pool: &PgPool, least: u32, old: PoolConnection<Postgres>) {
    if pool.size() <= least && pool.size() < pool.options().get_max_connections() {
        let held = idle(pool);
        let opened = timeout(OPENING, Box::pin(pool.acquire())).await;
        drop(held);
        if !matches!(opened, Ok(Ok(_))) {
            return;
        }
    }
    old.close().await.ok();
}

/// The idle ones, taken out for a moment, so that the pool has to open another.
fn idle(pool: &PgPool) -> Vec<PoolConnection<Postgres>> {
    std::iter::from_fn(|| pool.try_acquire()).collect()
}

async fn close(pool: &PgPool, number: usize) {
    for _ in 0..number {
        let Some(connection) = pool.try_acquire() else { return };
        connection.close().await.ok();
    }
}
