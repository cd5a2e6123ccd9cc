//! Pools that keep a minimum of connections, so that a role that fills a server with its own sessions
//! does not lock the daemon out.
//!
//! Invariant: a connection of this minimum is closed only when it is lost, or when another is open in its place. The driver's
//! own reaper closes a connection before it opens another, and by then the slot is gone. So the reaper is off, and its work
//! (closing surplus and old connections) is done here. A pool that keeps as many as it may open has neither: a caller who finds none
//! idle waits for one that is given back, and never for a server that has no room.

use std::future::Future;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection as _, PgConnection, Postgres, pool::PoolConnection};
use tokio::time::{Instant, sleep, timeout};

/// How often all idle connections are checked for an answer.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a new connection may take while the idle ones are held back for it.
const OPENING: Duration = Duration::from_secs(1);
/// How often a caller that waits for a connection looks whether one was given back.
const GIVEN_BACK: Duration = Duration::from_millis(2);
/// Surplus connections that nobody needed for this time are closed.
const IDLE_TIME: Duration = Duration::from_secs(300);
/// Within this time each connection is replaced once on average, because a server process grows with
/// what it has seen of the catalog.
const LIFETIME: Duration = Duration::from_secs(1_800);

/// The minimum that is kept of a pool: enough to answer, to read the trail and to change a tenant at the same time, and one
/// more. An operation that changes a standing tenant needs one at a time.
pub(in crate::postgres) const LEAST: u32 = 4;

/// A connection that was idle for longer is asked for an answer before it is used: the server may have been restarted.
const FRESH: Duration = Duration::from_millis(50);

/// The options of a pool that [`keep`] looks after.
pub(in crate::postgres) fn options(most: u32) -> PgPoolOptions {
    asked_when_idle(PgPoolOptions::new().max_connections(most).idle_timeout(None).max_lifetime(None))
}

/// A pool whose connections are asked for an answer unless they were in use just now.
pub(in crate::postgres) fn asked_when_idle(options: PgPoolOptions) -> PgPoolOptions {
    options.test_before_acquire(false).before_acquire(|connection, used| {
        Box::pin(async move { Ok(used.idle_for <= FRESH || connection.ping().await.is_ok()) })
    })
}

/// Opens the `least` connections and keeps them as long as the pool is open. A lost connection is reopened within
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
        // Also before the first round: a daemon that has just started has more urgent work than opening connections for later.
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
        if least < pool.options().get_max_connections() && renewed.elapsed() >= LIFETIME / least {
            renewed = Instant::now();
            if let Some(old) = pool.try_acquire() {
                replace(pool, least, old).await;
            }
        }
    }
}

/// Takes the connection that is free first. The pool alone would open another as soon as it finds none idle, and would go on
/// trying on a server that has no room for it, though one is given back meanwhile.
pub(in crate::postgres) async fn acquire(pool: &PgPool) -> sqlx::Result<PoolConnection<Postgres>> {
    let mut opened = Box::pin(pool.acquire());
    loop {
        match timeout(GIVEN_BACK, &mut opened).await {
            Ok(acquired) => return acquired,
            Err(_) => {
                // The pool asks a connection for an answer before it hands it out, but not this one.
                if let Some(mut idle) = pool.try_acquire()
                    && matches!(timeout(OPENING, idle.ping()).await, Ok(Ok(())))
                {
                    return Ok(idle);
                }
            }
        }
    }
}

/// Asks each idle connection for an answer. The pool opens another in the place of one that gives none.
async fn answer(pool: &PgPool) {
    for _ in 0..pool.num_idle() {
        if pool.num_idle() == 0 || Box::pin(pool.acquire()).await.is_err() {
            return;
        }
    }
}

/// Opens the missing connections.
async fn fill(pool: &PgPool, least: u32) {
    // Tried outside the pool first, so that nobody has to wait for a server that is full or unreachable.
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

/// Opens another connection in the place of `old` and only then closes it. If there is no room for
/// another, `old` stays in use.
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

/// Takes the idle connections out for a moment, so that the pool has to open another.
fn idle(pool: &PgPool) -> Vec<PoolConnection<Postgres>> {
    std::iter::from_fn(|| pool.try_acquire()).collect()
}

async fn close(pool: &PgPool, number: usize) {
    for _ in 0..number {
        let Some(connection) = pool.try_acquire() else { return };
        connection.close().await.ok();
    }
}
