//! A filter of the trail in terms of its indexes: ids, whole actions, full names of actors, and a range of `seq`.
//!
//! The search and the export share these conditions.

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row as _};
use uuid::Uuid;

use crate::model::audit_reading::{StoredEvent, StoredValue};

use crate::postgres::error::{Result, doing};

/// Which events are wanted. Each field that is present must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Events about the tenants that have or had this name.
    pub slug: Option<String>,
    pub tenant_id: Option<Uuid>,
    pub actor: Option<ActorFilter>,
    pub action: Option<ActionFilter>,
    /// `intent` selects the events without an outcome.
    pub outcome: Option<String>,
    /// Microseconds since 1970: the first bound is included, and the second is not.
    pub since_us: Option<i64>,
    pub until_us: Option<i64>,
    pub operation_id: Option<Uuid>,
    pub text: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActorFilter {
    Uid(u32),
    /// An account's name, or the whole name as an event shows it.
    Name(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionFilter {
    Is(String),
    BeginsWith(String),
}

/// A filter in terms of the indexed columns, and the range of `seq` for its times.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub(super) tenants: Option<Vec<Uuid>>,
    pub(super) actions: Option<Vec<String>>,
    pub(super) actors: Option<Vec<String>>,
    /// The user ids of the actors, if all of them have one. They can be compared without reading the values.
    uids: Option<Vec<i64>>,
    pub(super) filter: EventFilter,
    pub(super) low: i64,
    pub(super) high: i64,
}

/// The most bytes of events and values that are read at once.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// How many events around the place of a time may be out of order. This covers a transaction's wait for the trail's head.
const SLACK: i64 = 1_000;

/// The condition on an event. An unnamed statement is planned with the values as constants, which removes `… is null or`.
pub(super) const CONDITIONS: &str = r#"
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

/// Resolves a filter; `None` if no event up to `top` can match.
pub async fn resolve(
    connection: &mut PgConnection,
    filter: &EventFilter,
    top: i64,
) -> Result<Option<Wanted>> {
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
    let mut wanted = Wanted {
        tenants,
        actions,
        actors,
        uids,
        filter: filter.clone(),
        low: 1,
        high: top.saturating_add(1),
    };
    if let Some(since) = filter.since_us {
        wanted.low = first_since(connection, since, top).await?.saturating_sub(SLACK).max(1);
    }
    if let Some(until) = filter.until_us {
        wanted.high = first_since(connection, until, top).await?.saturating_add(SLACK).min(wanted.high);
    }
    Ok((wanted.low < wanted.high).then_some(wanted))
}

/// The number in `ops1 (uid 1003)`.
pub fn uid_of(actor: &str) -> Option<i64> {
    actor.rsplit_once(" (uid ")?.1.strip_suffix(')')?.parse().ok()
}

pub async fn tenants_named(connection: &mut PgConnection, slug: &str) -> Result<Vec<Uuid>> {
    sqlx::query_scalar("select id from control.tenant where slug = $1")
        .bind(slug)
        .fetch_all(connection)
        .await
        .map_err(doing("look for the tenants of this name"))
}

/// All actions of the trail with this prefix. Each one takes one step in the index.
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

/// The actors as events show them: `name (uid …)` for each user id that the account has had, or the name alone.
pub async fn actors_named(connection: &mut PgConnection, name: &str) -> Result<Vec<String>> {
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

/// The first event up to `top` that is not older than `at_us`, or the place after `top`. This is a binary search, because
/// times follow `seq` except for small differences. A pruned event counts as older.
async fn first_since(connection: &mut PgConnection, at_us: i64, top: i64) -> Result<i64> {
    sqlx::query_scalar(
        "with recursive search(low, high) as (
             select 1::bigint, $2
             union all
             select case when is_older then middle + 1 else low end, case when is_older then high else middle end
             from (select low, high, low + (high - low) / 2 as middle,
                          coalesce((select e.at_us < $1 from control.audit_event e where e.seq = low + (high - low) / 2), true)
                              as is_older
                   from search where low < high) halves)
         select low from search where low >= high",
    )
    .bind(at_us)
    .bind(top.saturating_add(1))
    .fetch_one(connection)
    .await
    .map_err(doing("find the time's place in the audit trail"))
}

/// The events that a statement with [`CONDITIONS`] returns.
pub(super) async fn rows(
    connection: &mut PgConnection,
    sql: String,
    wanted: &Wanted,
    (low, high): (i64, i64),
    limit: usize,
) -> Result<Vec<StoredEvent>> {
    let filter = &wanted.filter;
    let rows = sqlx::query(AssertSqlSafe(sql))
        // Unnamed, so that it is planned for these very values; see CONDITIONS.
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

/// Reads the values stored beside the events, and cuts the list where they would take more than [`MOST_BYTES`]. Returns true
/// if events were cut off. At least one event stays, whatever its size.
pub async fn add_values(connection: &mut PgConnection, events: &mut Vec<StoredEvent>) -> Result<bool> {
    let kept = fitting(connection, events).await?;
    let is_cut = kept < events.len();
    events.truncate(kept);
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
    Ok(is_cut)
}

/// How many of the events can be read at once. The server knows the sizes of the values without reading them.
async fn fitting(connection: &mut PgConnection, events: &[StoredEvent]) -> Result<usize> {
    let seqs: Vec<i64> = events.iter().map(|event| event.seq).collect();
    let sizes: Vec<(i64, i64)> = sqlx::query_as(
        "select seq, sum(octet_length(value))::bigint from control.audit_detail where seq = any($1) group by seq",
    )
    .bind(seqs)
    .fetch_all(connection)
    .await
    .map_err(doing("measure the values of audit events"))?;
    let sizes: std::collections::HashMap<i64, i64> = sizes.into_iter().collect();
    let mut bytes = 0;
    let mut fits = |event: &StoredEvent| {
        bytes += event.payload.len() + sizes.get(&event.seq).map_or(0, |size| size.unsigned_abs() as usize);
        bytes <= MOST_BYTES
    };
    Ok(events.iter().take_while(|event| fits(event)).count().max(1))
}
