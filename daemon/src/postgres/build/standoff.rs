//! Who waits for whom, while files of a tenant in use run: nobody is to wait long behind an upgrade.
//!
//! A lock timeout bounds how long a file waits, and not how long it lets others wait. So another connection looks. It reads only
//! the lock table, which every role may see whole.

use std::time::Duration;

use super::owner_login::Blocker;
use crate::postgres::error::{Result, doing};
use crate::postgres::target::Target;

/// A moment of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standoff {
    /// Somebody has waited for the session longer than allowed.
    pub holds_up: bool,
    /// What the session itself waits for.
    pub blocker: Option<Blocker>,
}

/// Looks who waits for the server process, and what it waits for. A wait counts once it has lasted for `allowed`.
pub async fn look(target: &Target, backend: i32, allowed: Duration) -> Result<Standoff> {
    type Row = (bool, Option<i32>, Option<String>, Option<String>, Option<String>);
    let looking = "look who waits for whom";
    let mut connection = target.lookout().acquire().await.map_err(doing(looking))?;
    let row: Row = sqlx::query_as(
        "select exists (select from pg_locks l
                        where not l.granted and l.waitstart < clock_timestamp() - make_interval(secs => $2)
                          -- Builds that take turns, and what works for the server itself, keep no tenant waiting.
                          and l.relation is distinct from to_regclass('tenantry.target_identity')::oid
                          and exists (select from pg_stat_activity w where w.pid = l.pid and w.usesysid is not null)
                          and $1 = any (pg_blocking_pids(l.pid))),
                b.pid, b.usename::text, nullif(b.application_name, ''),
                to_char(b.xact_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC'
         from (select from pg_stat_activity limit 1) one
         left join lateral (
             select a.pid, a.usename, a.application_name, a.xact_start
             from unnest(pg_blocking_pids($1)) as p (pid) join pg_stat_activity a on a.pid = p.pid
             order by a.xact_start nulls last limit 1) b on true",
    )
    .persistent(false)
    .bind(backend)
    .bind(allowed.as_secs_f64())
    .fetch_one(&mut *connection)
    .await
    .map_err(doing(looking))?;
    let (holds_up, pid, role, application, since) = row;
    Ok(Standoff { holds_up, blocker: pid.map(|pid| Blocker { pid, role, application, since }) })
}
