//! `audit_segments`, `audit_hold`, `audit_release`, `audit_prune`: which parts of the trail are kept, and for how long.

use std::sync::Arc;

use tenantry_protocol::audit::{
    AuditHold, AuditHoldRequest, AuditPruneRequest, AuditPruned, AuditReleaseRequest, AuditSegment,
    AuditSegments, AuditSegmentsRequest,
};
use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::watch::EventBody;
use time::{Duration, OffsetDateTime};

use crate::model::audit_chain::{Actor, Entry, Outcome};
use crate::postgres::Error;
use crate::postgres::audit::filter;
use crate::postgres::audit::segments::{self, Segment};

use crate::commands::operations::list::parse_slug;
use crate::commands::{App, Caller, errors};

/// Younger events always stay; the database enforces this as well.
const LEAST_AGE: Duration = Duration::days(30);
const LONGEST_NAME: usize = 40;
const LONGEST_REASON: usize = 500;

pub async fn audit_segments(
    app: &Arc<App>,
    _: &Caller,
    _request: AuditSegmentsRequest,
) -> Result<AuditSegments, ApiError> {
    let pool = app.control.pool();
    let segments = segments::segments(pool).await.map_err(errors::control)?;
    let holds = segments::holds(pool).await.map_err(errors::control)?;
    Ok(AuditSegments { segments: segments.into_iter().map(|segment| segment.wire).collect(), holds })
}

pub async fn audit_hold(
    app: &Arc<App>,
    caller: &Caller,
    request: AuditHoldRequest,
) -> Result<AuditHold, ApiError> {
    check_name(&request.name)?;
    let slug = request.slug.as_deref().map(parse_slug).transpose()?;
    let reason = reason(&request.reason)?;
    let (task, actor) = (Arc::clone(app), app.actor(caller));
    app.detached(async move { task.place_hold(actor, &request.name, slug.as_deref(), &reason).await }).await
}

pub async fn audit_release(
    app: &Arc<App>,
    caller: &Caller,
    request: AuditReleaseRequest,
) -> Result<AuditHold, ApiError> {
    check_name(&request.name)?;
    let (task, actor) = (Arc::clone(app), app.actor(caller));
    app.detached(async move { task.release_hold(actor, &request.name).await }).await
}

pub async fn audit_prune(
    app: &Arc<App>,
    caller: &Caller,
    request: AuditPruneRequest,
) -> Result<AuditPruned, ApiError> {
    if request.before > OffsetDateTime::now_utc() - LEAST_AGE {
        let message = format!(
            "events are kept for at least {} days: before may be {} at the latest",
            LEAST_AGE.whole_days(),
            (OffsetDateTime::now_utc() - LEAST_AGE).date()
        );
        return Err(ApiError::invalid("before", message));
    }
    let (task, actor) = (Arc::clone(app), app.actor(caller));
    app.detached(async move { task.prune(&actor, request).await }).await
}

impl App {
    async fn place_hold(
        &self,
        actor: Actor,
        name: &str,
        slug: Option<&str>,
        reason: &str,
    ) -> Result<AuditHold, ApiError> {
        let mut tx = self.trail.begin().await.map_err(errors::control)?;
        if let Some(slug) = slug
            && filter::tenants_named(&mut tx, slug).await.map_err(errors::control)?.is_empty()
        {
            let message = format!("no tenant has or had the name {slug}: the hold would keep nothing");
            return Err(ApiError::new(ErrorCode::NotFound, message).on_field("slug"));
        }
        let placed = segments::place_hold(&mut tx, name, slug, reason, &actor.name)
            .await
            .map_err(errors::control)?
            .ok_or_else(|| {
                let message =
                    format!("a hold named {name} stands already: release it first, or use another name");
                ApiError::new(ErrorCode::Conflict, message).on_field("name")
            })?;
        let entry = Entry {
            slug: slug.map(str::to_owned),
            outcome: Some(Outcome::Ok),
            detail: Some(reason.to_owned()),
            ..Entry::new("audit.hold", actor).fact("hold", name)
        };
        let seq = tx.record(&entry).await.map_err(errors::control)?;
        tx.commit("commit a hold on the audit trail").await.map_err(errors::control)?;
        self.events.publish(EventBody::Audit { seq });
        Ok(placed)
    }

    async fn release_hold(&self, actor: Actor, name: &str) -> Result<AuditHold, ApiError> {
        let mut tx = self.trail.begin().await.map_err(errors::control)?;
        let released =
            segments::release_hold(&mut tx, name).await.map_err(errors::control)?.ok_or_else(|| {
                let message =
                    format!("no hold named {name} stands: `tenantry audit segments` shows those that do");
                ApiError::new(ErrorCode::NotFound, message).on_field("name")
            })?;
        let entry = Entry {
            slug: released.slug.clone(),
            outcome: Some(Outcome::Ok),
            ..Entry::new("audit.release", actor).fact("hold", name)
        };
        let seq = tx.record(&entry).await.map_err(errors::control)?;
        tx.commit("commit the release of a hold").await.map_err(errors::control)?;
        self.events.publish(EventBody::Audit { seq });
        Ok(released)
    }

    /// Prunes the oldest first. If a segment has to stay, all later ones stay too, since the trail has only one beginning.
    async fn prune(&self, actor: &Actor, request: AuditPruneRequest) -> Result<AuditPruned, ApiError> {
        let mut done = AuditPruned { segments: Vec::new(), events: 0, kept: Vec::new() };
        let segments = segments::segments(self.control.pool()).await.map_err(errors::control)?;
        for mut segment in segments.into_iter().filter(|segment| !segment.wire.is_pruned) {
            let kept = match why_kept(&segment.wire, request.before) {
                Some(why) => Err(why),
                None if request.dry_run => Ok(()),
                None => self.prune_one(actor, &segment, request.before).await?,
            };
            let wire = &mut segment.wire;
            if let Err(why) = kept {
                done.kept.push(format!("events {} to {} stay: {why}", wire.from_seq, wire.to_seq));
                break;
            }
            wire.is_pruned = !request.dry_run;
            done.events += u64::try_from(wire.to_seq - wire.from_seq + 1).unwrap_or(0);
            done.segments.push(segment.wire);
        }
        Ok(done)
    }

    /// The database decides, and gives the reason for a refusal.
    async fn prune_one(
        &self,
        actor: &Actor,
        segment: &Segment,
        before: OffsetDateTime,
    ) -> Result<Result<(), String>, ApiError> {
        let mut tx = self.trail.begin().await.map_err(errors::control)?;
        let values = match segments::prune(&mut tx, segment.number, before).await {
            Ok(values) => values,
            Err(Error::Refused(why)) => return Ok(Err(why)),
            Err(error) => return Err(errors::control(error)),
        };
        let hash = segment.hash.as_deref().map(|hash| data_encoding::HEXLOWER.encode(hash));
        let entry = Entry { outcome: Some(Outcome::Ok), ..Entry::new("audit.prune", actor.clone()) }
            .fact("from", segment.wire.from_seq)
            .fact("to", segment.wire.to_seq)
            .fact("hash", hash.unwrap_or_default())
            .fact("values", values);
        let seq = tx.record(&entry).await.map_err(errors::control)?;
        tx.commit("commit a pruning of the audit trail").await.map_err(errors::control)?;
        self.events.publish(EventBody::Audit { seq });
        Ok(Ok(()))
    }
}

/// Why a segment is not pruned, as far as this is known without reading it.
fn why_kept(segment: &AuditSegment, before: OffsetDateTime) -> Option<String> {
    if !segment.held_by.is_empty() {
        return Some(format!("held by {}: `tenantry audit release` ends a hold", segment.held_by.join(", ")));
    }
    match segment.newest_at {
        _ if !segment.is_sealed => Some("events are still added to them".to_owned()),
        Some(newest) if newest < before => None,
        Some(newest) => Some(format!("the newest is of {newest}, which is not before {before}")),
        None => Some("they are not there: verify the trail (`tenantry audit verify`)".to_owned()),
    }
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(is_name) {
        return Ok(());
    }
    let shown: String = name.chars().take(LONGEST_NAME).collect();
    let message = format!(
        "'{}' is no name of a hold: 1 to {LONGEST_NAME} small letters, digits and hyphens, as in case-2024-17",
        shown.escape_debug()
    );
    Err(ApiError::invalid("name", message))
}

fn reason(text: &str) -> Result<String, ApiError> {
    let text = text.trim();
    let problem = if text.is_empty() {
        "a hold needs a reason: a person who finds it in years must know whether it still stands".to_owned()
    } else if text.chars().count() > LONGEST_REASON {
        format!("the reason has more than {LONGEST_REASON} characters")
    } else if text.chars().any(char::is_control) {
        "the reason has a line end or another control character in it".to_owned()
    } else {
        return Ok(text.to_owned());
    };
    Err(ApiError::invalid("reason", problem))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_segment_says_why_it_stays() {
        let now = OffsetDateTime::UNIX_EPOCH + Duration::days(100);
        let sealed = AuditSegment {
            from_seq: 1,
            to_seq: 100,
            is_sealed: true,
            is_pruned: false,
            newest_at: Some(now - Duration::days(2)),
            held_by: Vec::new(),
        };
        assert_eq!(why_kept(&sealed, now), None);
        let cases = [
            (AuditSegment { is_sealed: false, ..sealed.clone() }, "still added"),
            (AuditSegment { newest_at: Some(now), ..sealed.clone() }, "not before"),
            (AuditSegment { newest_at: None, ..sealed.clone() }, "not there"),
            (AuditSegment { held_by: vec!["case-1".into()], ..sealed }, "held by case-1"),
        ];
        for (segment, why) in cases {
            let said = why_kept(&segment, now).unwrap();
            assert!(said.contains(why), "{said}");
        }
    }

    #[test]
    fn names_and_reasons_are_bounded() {
        check_name("case-2024-17").unwrap();
        for wrong in ["", "Case", "a b", "ä", &"x".repeat(41)] {
            assert_eq!(check_name(wrong).unwrap_err().field.as_deref(), Some("name"), "{wrong:?}");
        }
        assert_eq!(reason(" letter of 2024-05-01 ").unwrap(), "letter of 2024-05-01");
        for wrong in ["", "  ", "a\nb", &"x".repeat(501)] {
            assert_eq!(reason(wrong).unwrap_err().field.as_deref(), Some("reason"), "{wrong:?}");
        }
    }
}
