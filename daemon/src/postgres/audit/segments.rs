//! Segments of the trail, the holds that protect them, and pruning, which the database checks itself.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool, Row as _};
use tenantry_protocol::audit::{AuditHold, AuditSegment};
use time::OffsetDateTime;

use crate::postgres::error::{Error, Result, doing};

/// A segment, and what is recorded when it is pruned.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    pub number: i64,
    pub wire: AuditSegment,
    /// The hash of its last event, as it was signed.
    pub hash: Option<Vec<u8>>,
}

/// All segments, oldest first, including pruned ones.
pub async fn segments(pool: &PgPool) -> Result<Vec<Segment>> {
    let rows = sqlx::query(
        "select s.number, s.from_seq, s.to_seq, s.pruned_at is not null as is_pruned,
                exists (select from control.audit_head h where h.seq > s.to_seq) as is_ended,
                (select c.hash from control.audit_checkpoint c where c.seq = s.to_seq) as hash,
                (select e.at_us from control.audit_event e
                 where e.seq >= s.from_seq and e.seq <= s.to_seq order by e.seq desc limit 1) as newest_us,
                case when s.pruned_at is null then array(select control.audit_holds_on(s.from_seq, s.to_seq)) else '{}' end
                    as held_by
         from control.audit_segment s order by s.number",
    )
    .fetch_all(pool)
    .await
    .map_err(doing("read the audit trail's segments"))?;
    rows.iter()
        .map(segment)
        .collect::<Result<_, sqlx::Error>>()
        .map_err(doing("read a segment of the audit trail"))
}

fn segment(row: &PgRow) -> Result<Segment, sqlx::Error> {
    let at = |us: i64| OffsetDateTime::from_unix_timestamp_nanos(i128::from(us) * 1_000).ok();
    let hash: Option<Vec<u8>> = row.try_get("hash")?;
    let wire = AuditSegment {
        from_seq: row.try_get("from_seq")?,
        to_seq: row.try_get("to_seq")?,
        is_sealed: row.try_get::<bool, _>("is_ended")? && hash.is_some(),
        is_pruned: row.try_get("is_pruned")?,
        newest_at: row.try_get::<Option<i64>, _>("newest_us")?.and_then(at),
        held_by: row.try_get("held_by")?,
    };
    Ok(Segment { number: row.try_get("number")?, wire, hash })
}

/// The active holds, oldest first.
pub async fn holds(pool: &PgPool) -> Result<Vec<AuditHold>> {
    let rows = sqlx::query(
        "select name, slug, reason, placed_by, placed_at from control.audit_hold
         where released_at is null order by placed_at, name",
    )
    .fetch_all(pool)
    .await
    .map_err(doing("read the holds on the audit trail"))?;
    rows.iter().map(hold).collect::<Result<_, sqlx::Error>>().map_err(doing("read a hold on the audit trail"))
}

/// Places a hold; `None` if there is an active hold with this name.
pub async fn place_hold(
    tx: &mut PgConnection,
    name: &str,
    slug: Option<&str>,
    reason: &str,
    by: &str,
) -> Result<Option<AuditHold>> {
    let row = sqlx::query(
        "insert into control.audit_hold (name, slug, reason, placed_by) values ($1, $2, $3, $4)
         on conflict (name) where released_at is null do nothing
         returning name, slug, reason, placed_by, placed_at",
    )
    .bind(name)
    .bind(slug)
    .bind(reason)
    .bind(by)
    .fetch_optional(tx)
    .await
    .map_err(doing("place a hold on the audit trail"))?;
    row.as_ref().map(hold).transpose().map_err(doing("read a hold on the audit trail"))
}

/// Releases a hold; `None` if there is no active hold with this name.
pub async fn release_hold(tx: &mut PgConnection, name: &str) -> Result<Option<AuditHold>> {
    let row = sqlx::query(
        "update control.audit_hold set released_at = now() where name = $1 and released_at is null
         returning name, slug, reason, placed_by, placed_at",
    )
    .bind(name)
    .fetch_optional(tx)
    .await
    .map_err(doing("release a hold on the audit trail"))?;
    row.as_ref().map(hold).transpose().map_err(doing("read a hold on the audit trail"))
}

fn hold(row: &PgRow) -> Result<AuditHold, sqlx::Error> {
    Ok(AuditHold {
        name: row.try_get("name")?,
        slug: row.try_get("slug")?,
        reason: row.try_get("reason")?,
        placed_by: row.try_get("placed_by")?,
        placed_at: row.try_get("placed_at")?,
    })
}

/// Drops the oldest segment and returns the number of values that were dropped with it.
/// [`Error::Refused`] says why this failed.
pub async fn prune(tx: &mut PgConnection, number: i64, before: OffsetDateTime) -> Result<i64> {
    // Raised by `control.prune_audit_segment` itself.
    const REFUSED: &str = "55000";
    const LOCKED: &str = "55P03";
    let pruned = sqlx::query_scalar("select control.prune_audit_segment($1, $2)")
        .bind(number)
        .bind(before)
        .fetch_one(tx)
        .await
        .map_err(doing("prune the audit trail"));
    pruned.map_err(|error| match error.server() {
        Some(server) if server.sqlstate == REFUSED => Error::Refused(server.message),
        Some(server) if server.is(LOCKED) => {
            Error::Refused("the trail is being read just now, by a verification or a backup".to_owned())
        }
        _ => error,
    })
}
