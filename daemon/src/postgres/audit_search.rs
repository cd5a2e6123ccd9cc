//! Searching the trail: newest first, a bounded piece of work at a time.
//!
//! A filter is first resolved to what the indexes know (ids, whole actions, whole actors' names, a range of `seq`). Then the
//! trail is looked at in windows of growing size, so that neither a value that is everywhere nor one that is nowhere makes
//! the planner read what nobody asked for: it walks the primary key, or another index, within one window at most.

use std::time::{Duration, Instant};

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Row as _};
use tenantry_protocol::audit::AuditEvent;
use uuid::Uuid;

use crate::model::audit_reading::{self, StoredEvent, StoredValue};

use super::error::{Result, doing};

/// Which events; each field that is there must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// About the tenants that have or had this name.
    pub slug: Option<String>,
    pub tenant_id: Option<Uuid>,
    pub actor: Option<ActorFilter>,
    pub action: Option<ActionFilter>,
    /// `intent` for the events without one.
    pub outcome: Option<String>,
    /// Microseconds since 1970: from, and before.
    pub since_us: Option<i64>,
    pub until_us: Option<i64>,
    pub operation_id: Option<Uuid>,
    pub text: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActorFilter {
    Uid(u32),
    /// An account's name, or the whole of what an event shows.
    Name(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionFilter {
    Is(String),
    BeginsWith(String),
}

/// A page of events, newest first.
#[derive(Debug)]
pub struct Found {
    pub events: Vec<AuditEvent>,
    /// Where the search paused, if it did before the page was full.
    pub searched_to: Option<i64>,
    /// The newest event of all.
    pub head_seq: i64,
}

/// A filter in terms of what is indexed, and the range of `seq` that its times come to.
#[derive(Debug, Clone)]
pub struct Wanted {
    tenants: Option<Vec<Uuid>>,
    actions: Option<Vec<String>>,
    actors: Option<Vec<String>>,
    /// The numbers that go with them, if all have one: known without a look at the values.
    uids: Option<Vec<i64>>,
    filter: Filter,
    low: i64,
    high: i64,
}

/// How long one request may search; with what surrounds it, that is well within the 50 ms that a page may take.
const PATIENCE: Duration = Duration::from_millis(20);
const FIRST_WINDOW: i64 = 4_096;
const GROWTH: i64 = 8;
/// Of the time that is left, as much as a window is planned for: the next one can hold more than the one before.
const CAUTION: f64 = 0.8;
/// A window smaller than this is not worth its round trip.
const LEAST_WINDOW: i64 = 512;
/// Events around a time's place that may be a little out of order: what a transaction waited for the trail's head.
const SLACK: i64 = 1_000;

/// What an event must be. With the values as constants, which an unnamed statement plans with, `… is null or` falls away.
const CONDITIONS: &str = r#"
    e.seq >= $1 and e.seq < $2
    and ($3::uuid[] is null or e.tenant_id = any($3))
    and ($4::text[] is null or e.action = any($4))
    and ($5::text[] is null or exists (
        select from control.audit_detail d
        where d.seq = e.seq and d.seq >= $1 and d.seq < $2 and d.field = 'actor' and d.value collate "C" = any($5)))
    and ($6::uuid is null or e.operation_id = $6)
    and ($7::text is null or e.outcome = $7 or ($7 = 'intent' and e.outcome is null))
    and ($8::bigint[] is null or e.actor_uid = any($8))
    and ($9::bigint is null or e.at_us >= $9)
    and ($10::bigint is null or e.at_us < $10)
    and ($11::text is null or strpos(lower(e.action), lower($11)) > 0 or exists (
        select from control.audit_detail d
        where d.seq = e.seq and d.seq >= $1 and d.seq < $2 and d.field in ('actor', 'slug', 'detail')
          and strpos(lower(d.value), lower($11)) > 0))"#;

/// Each of several keys by itself: for a list of them no index gives the order of `seq`, and the limit would be lost.
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
pub async fn page(pool: &PgPool, filter: &Filter, before: Option<i64>, limit: usize) -> Result<Found> {
    let begin = Instant::now();
    let mut connection = pool.acquire().await.map_err(doing("read the audit trail"))?;
    let head_seq = head_seq(&mut connection).await?;
    let mut found = Found { events: Vec::new(), searched_to: None, head_seq };
    let top = before.map_or(head_seq, |before| head_seq.min(before - 1));
    let Some(wanted) = resolve(&mut connection, filter, top).await? else { return Ok(found) };
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
    add_values(&mut connection, &mut rows).await?;
    found.events = rows.iter().map(audit_reading::read).collect();
    Ok(found)
}

/// The size of the window after one of `size` that took `took`; `None` if no time is left for one.
fn next_window(size: i64, took: Duration, left: Duration) -> Option<i64> {
    let fits = size as f64 * left.as_secs_f64() * CAUTION / took.as_secs_f64().max(1e-6);
    let next = (fits as i64).min(size.saturating_mul(GROWTH));
    (next >= LEAST_WINDOW).then_some(next)
}

impl Wanted {
    /// Without a condition on the events themselves, the page is full as soon as there are enough.
    fn first_window(&self) -> i64 {
        let Filter { since_us: _, until_us: _, slug, tenant_id, actor, action, outcome, operation_id, text } =
            &self.filter;
        let is_open = slug.is_none()
            && tenant_id.is_none()
            && actor.is_none()
            && action.is_none()
            && outcome.is_none()
            && operation_id.is_none()
            && text.is_none();
        if is_open { i64::MAX } else { FIRST_WINDOW }
    }

    /// Where to find them. An operation's events are few, and so is what is left of a tenant's; then by whoever it was.
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
    rows(connection, sql, wanted, (low, high), limit).await
}

async fn rows(
    connection: &mut PgConnection,
    sql: String,
    wanted: &Wanted,
    (low, high): (i64, i64),
    limit: usize,
) -> Result<Vec<StoredEvent>> {
    let filter = &wanted.filter;
    let rows = sqlx::query(AssertSqlSafe(sql))
        // Unnamed, so that it is planned for these very values: see CONDITIONS.
        .persistent(false)
        .bind(low)
        .bind(high)
        .bind(&wanted.tenants)
        .bind(&wanted.actions)
        .bind(&wanted.actors)
        .bind(filter.operation_id)
        .bind(&filter.outcome)
        .bind(&wanted.uids)
        .bind(filter.since_us)
        .bind(filter.until_us)
        .bind(&filter.text)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await
        .map_err(doing("read the audit trail"))?;
    rows.iter().map(stored).collect::<Result<_, sqlx::Error>>().map_err(doing("read an audit event"))
}

fn stored(row: &PgRow) -> Result<StoredEvent, sqlx::Error> {
    Ok(StoredEvent {
        seq: row.try_get("seq")?,
        prev_hash: row.try_get("prev_hash")?,
        payload: row.try_get("payload")?,
        hash: row.try_get("hash")?,
        values: Vec::new(),
    })
}

/// Reads what stands beside the events.
async fn add_values(connection: &mut PgConnection, events: &mut [StoredEvent]) -> Result<()> {
    let seqs: Vec<i64> = events.iter().map(|event| event.seq).collect();
    let rows: Vec<(i64, String, String, Vec<u8>)> =
        sqlx::query_as("select seq, field, value, salt from control.audit_detail where seq = any($1)")
            .bind(seqs)
            .fetch_all(connection)
            .await
            .map_err(doing("read the values of audit events"))?;
    let mut by_seq = std::collections::HashMap::<i64, Vec<StoredValue>>::new();
    for (seq, field, value, salt) in rows {
        by_seq.entry(seq).or_default().push(StoredValue { field, value, salt });
    }
    for event in events {
        event.values = by_seq.remove(&event.seq).unwrap_or_default();
    }
    Ok(())
}

/// `None` if nothing up to `top` can match.
async fn resolve(connection: &mut PgConnection, filter: &Filter, top: i64) -> Result<Option<Wanted>> {
    let tenants = match (&filter.slug, filter.tenant_id) {
        (None, None) => None,
        (None, Some(id)) => Some(vec![id]),
        (Some(slug), id) => {
            let mut of_name = tenants_named(connection, slug).await?;
            of_name.retain(|known| id.is_none_or(|id| id == *known));
            Some(of_name)
        }
    };
    let actions = match &filter.action {
        None => None,
        Some(ActionFilter::Is(action)) => Some(vec![action.clone()]),
        Some(ActionFilter::BeginsWith(prefix)) => Some(actions_like(connection, prefix).await?),
    };
    let (actors, uids) = match &filter.actor {
        None => (None, None),
        Some(ActorFilter::Uid(uid)) => (None, Some(vec![i64::from(*uid)])),
        Some(ActorFilter::Name(name)) => {
            let actors = actors_named(connection, name).await?;
            let uids = actors.iter().map(|actor| uid_of(actor)).collect();
            (Some(actors), uids)
        }
    };
    let nobody = tenants.as_ref().is_some_and(Vec::is_empty)
        || actions.as_ref().is_some_and(Vec::is_empty)
        || actors.as_ref().is_some_and(Vec::is_empty);
    if nobody {
        return Ok(None);
    }
    let mut wanted = Wanted { tenants, actions, actors, uids, filter: filter.clone(), low: 1, high: top + 1 };
    if let Some(since) = filter.since_us {
        wanted.low = (first_since(connection, since, top).await? - SLACK).max(1);
    }
    if let Some(until) = filter.until_us {
        wanted.high = (first_since(connection, until, top).await? + SLACK).min(top + 1);
    }
    Ok((wanted.low < wanted.high).then_some(wanted))
}

/// The number in `ops1 (uid 1003)`.
fn uid_of(actor: &str) -> Option<i64> {
    actor.rsplit_once(" (uid ")?.1.strip_suffix(')')?.parse().ok()
}

async fn head_seq(connection: &mut PgConnection) -> Result<i64> {
    sqlx::query_scalar("select seq from control.audit_head")
        .fetch_one(connection)
        .await
        .map_err(doing("read the audit trail's head"))
}

async fn tenants_named(connection: &mut PgConnection, slug: &str) -> Result<Vec<Uuid>> {
    sqlx::query_scalar("select id from control.tenant where slug = $1")
        .bind(slug)
        .fetch_all(connection)
        .await
        .map_err(doing("look for the tenants of this name"))
}

/// All actions of the trail that begin so, each found by one step in the index.
async fn actions_like(connection: &mut PgConnection, prefix: &str) -> Result<Vec<String>> {
    sqlx::query_scalar(
        r#"with recursive known(action) as (
               (select action from control.audit_event order by action limit 1)
               union all
               select (select e.action from control.audit_event e where e.action > known.action order by e.action limit 1)
               from known where known.action is not null)
           select action from known where starts_with(action, $1)"#,
    )
    .bind(prefix)
    .fetch_all(connection)
    .await
    .map_err(doing("look for the actions that begin so"))
}

/// The actors as events show them: `name (uid …)` for each number that the account had, or the name alone.
async fn actors_named(connection: &mut PgConnection, name: &str) -> Result<Vec<String>> {
    sqlx::query_scalar(
        r#"with recursive known(value) as (
               (select d.value collate "C" from control.audit_detail d
                where d.field = 'actor' and d.value collate "C" >= $1 || ' (uid ' and d.value collate "C" < $1 || ' (uid!'
                order by d.value collate "C" limit 1)
               union all
               select (select d.value collate "C" from control.audit_detail d
                       where d.field = 'actor' and d.value collate "C" > known.value and d.value collate "C" < $1 || ' (uid!'
                       order by d.value collate "C" limit 1)
               from known where known.value is not null)
           select value from known where value is not null
           union
           select $1 where exists (select from control.audit_detail d where d.field = 'actor' and d.value collate "C" = $1)"#,
    )
    .bind(name)
    .fetch_all(connection)
    .await
    .map_err(doing("look for the actors of this name"))
}

/// The first event up to `top` that is not older than `at_us`, or the one after `top`: by halving, since times follow `seq`
/// but for a little. What was pruned was older.
async fn first_since(connection: &mut PgConnection, at_us: i64, top: i64) -> Result<i64> {
    sqlx::query_scalar(
        "with recursive search(low, high) as (
             select 1::bigint, $2 + 1
             union all
             select case when is_older then middle + 1 else low end, case when is_older then high else middle end
             from (select low, high, (low + high) / 2 as middle,
                          coalesce((select e.at_us < $1 from control.audit_event e where e.seq = (low + high) / 2), true)
                              as is_older
                   from search where low < high) halves)
         select low from search where low >= high",
    )
    .bind(at_us)
    .bind(top)
    .fetch_one(connection)
    .await
    .map_err(doing("find the time's place in the audit trail"))
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
