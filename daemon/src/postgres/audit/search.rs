//! Searches the trail, newest events first, with a limited amount of work at a time.
//!
//! The search looks at the trail in windows of growing size, so that no value, whether it occurs everywhere or nowhere, makes
//! the planner read much more than was asked for. It walks the primary key or another index within one window at most.

use std::time::{Duration, Instant};

use sqlx::{PgConnection, PgPool};
use tenantry_protocol::audit::AuditEvent;
use tenantry_protocol::brief::{self, LONGEST_VALUE, PAGE_BYTES};

use crate::model::audit_reading::{self, StoredEvent};

use super::facts;
use super::filter::{self, CONDITIONS, EventFilter, Wanted};
use crate::postgres::error::{Result, doing};

/// A page of events, newest first.
#[derive(Debug)]
pub struct FoundEvents {
    pub events: Vec<AuditEvent>,
    /// Where the search paused before the page was full, because there was no time left or no room in the answer.
    pub searched_to: Option<i64>,
    /// The newest event of the trail.
    pub head_seq: i64,
}

/// How long one request may search. Together with its overhead, this is well within the 50 ms that a page may take.
const PATIENCE: Duration = Duration::from_millis(20);
const FIRST_WINDOW: i64 = 4_096;
const GROWTH: i64 = 8;
/// The part of the remaining time that a window is planned for, because the next window can contain more than the previous
/// one.
const CAUTION: f64 = 0.8;
/// A window smaller than this is not worth its round trip.
const LEAST_WINDOW: i64 = 512;
/// Searches for each key separately. For a list of keys no index gives the order of `seq`, and the limit would have no effect.
const OF_EACH_TENANT: &str = "from unnest($3) k(key) cross join lateral (
    select e.seq, e.prev_hash, e.payload, e.hash from control.audit_event e where e.tenant_id = k.key and";
const OF_EACH_ACTION: &str = "from unnest($4) k(key) cross join lateral (
    select e.seq, e.prev_hash, e.payload, e.hash from control.audit_event e where e.action = k.key and";
const OF_EACH_ACTOR: &str = r#"from unnest($5) k(key) cross join lateral (
    select e.seq, e.prev_hash, e.payload, e.hash from control.audit_detail a join control.audit_event e on e.seq = a.seq
    where a.field = 'actor' and a.value collate "C" = k.key and a.seq >= $1 and a.seq < $2 and"#;
const OF_ALL: &str = "from (
    select e.seq, e.prev_hash, e.payload, e.hash from control.audit_event e where";

/// The newest `limit` events before `before` that match.
pub async fn page(
    pool: &PgPool,
    filter: &EventFilter,
    before: Option<i64>,
    limit: usize,
) -> Result<FoundEvents> {
    let begin = Instant::now();
    let mut connection = Box::pin(pool.acquire()).await.map_err(doing("read the audit trail"))?;
    let head_seq = facts::head_seq(&mut *connection).await?;
    let mut found = FoundEvents { events: Vec::new(), searched_to: None, head_seq };
    let top = before.map_or(head_seq, |before| head_seq.min(before.saturating_sub(1)));
    let Some(wanted) = filter::resolve(&mut connection, filter, top).await? else { return Ok(found) };
    let mut rows = Vec::new();
    let mut high = wanted.high;
    let mut size = wanted.first_window();
    while high > wanted.low {
        let low = (high - size).max(wanted.low);
        let window_begin = Instant::now();
        rows.extend(newest(&mut connection, &wanted, (low, high), limit - rows.len()).await?);
        if rows.len() >= limit {
            break;
        }
        let left = PATIENCE.saturating_sub(begin.elapsed());
        let Some(next) = next_window(high - low, window_begin.elapsed(), left).filter(|_| low > wanted.low)
        else {
            found.searched_to = Some(low).filter(|_| low > wanted.low);
            break;
        };
        (high, size) = (low, next);
    }
    let is_cut = filter::add_values(&mut connection, &mut rows).await?;
    found.events = rows.iter().map(|row| shown(audit_reading::read(row))).collect();
    if brief::fit(&mut found.events, PAGE_BYTES) || is_cut {
        found.searched_to = found.events.last().map(|event| event.seq);
    }
    Ok(found)
}

/// Cuts the values of an event if one of them alone would fill a page. They were complete when they were checked.
fn shown(mut event: AuditEvent) -> AuditEvent {
    let others = [&mut event.slug, &mut event.detail, &mut event.claimed].into_iter().flatten();
    for value in others.chain([&mut event.actor]) {
        *value = brief::cut(value, LONGEST_VALUE);
    }
    event
}

/// The size of the next window, after a window of `size` took `took`; `None` if there is no time left for one.
fn next_window(size: i64, took: Duration, left: Duration) -> Option<i64> {
    let fits = size as f64 * left.as_secs_f64() * CAUTION / took.as_secs_f64().max(1e-6);
    let next = (fits as i64).min(size.saturating_mul(GROWTH));
    (next >= LEAST_WINDOW).then_some(next)
}

impl Wanted {
    /// Without a condition on the events themselves, the first window takes all: the page is full as
    /// soon as there are enough events.
    fn first_window(&self) -> i64 {
        let EventFilter {
            since_us: _,
            until_us: _,
            slug,
            tenant_id,
            actor,
            action,
            outcome,
            operation_id,
            text,
        } = &self.filter;
        let is_open = slug.is_none()
            && tenant_id.is_none()
            && actor.is_none()
            && action.is_none()
            && outcome.is_none()
            && operation_id.is_none()
            && text.is_none();
        if is_open { i64::MAX } else { FIRST_WINDOW }
    }

    /// The index to search by. The events of an operation are few, and so are those of a tenant. The actor comes next.
    fn driver(&self) -> &'static str {
        match (&self.filter.operation_id, &self.tenants, &self.actors, &self.actions) {
            (Some(_), ..) => OF_ALL,
            (_, Some(_), ..) => OF_EACH_TENANT,
            (_, _, Some(_), None) => OF_EACH_ACTOR,
            (_, _, _, Some(_)) => OF_EACH_ACTION,
            (_, None, None, None) => OF_ALL,
        }
    }
}

/// The newest matching rows of one window.
async fn newest(
    connection: &mut PgConnection,
    wanted: &Wanted,
    (low, high): (i64, i64),
    limit: usize,
) -> Result<Vec<StoredEvent>> {
    let driver = wanted.driver();
    let sql = format!(
        "select x.seq, x.prev_hash, x.payload, x.hash {driver} {CONDITIONS}
         order by e.seq desc limit $12) x order by x.seq desc limit $12"
    );
    filter::rows(connection, sql, wanted, (low, high), limit).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_grow_as_long_as_there_is_time() {
        let ms = Duration::from_millis;
        assert_eq!(next_window(4_096, ms(0), ms(20)), Some(32_768));
        assert_eq!(next_window(4_096, ms(4), ms(10)), Some(8_192));
        assert_eq!(next_window(4_096, ms(40), ms(0)), None);
        assert_eq!(next_window(i64::MAX, ms(0), ms(20)), Some(i64::MAX));
    }
}
