//! The audit trail in words: a whole event, a verdict, the state of the trail. For the console and the command line.
//!
//! Reports only what the daemon said; whether the chain holds is never judged here. Pure; the caller passes the time.

use tenantry_protocol::audit::{AuditBreak, AuditEvent, AuditSegment, AuditVerdict, TrailStatus};
use time::OffsetDateTime;

use crate::{format, text};

const NONE: &str = "–";

/// Everything about an event, as names and values. A value that was not recorded is left out, unless every event has it.
pub(crate) fn facts(event: &AuditEvent) -> Vec<(String, String)> {
    let said = |value: &Option<String>| value.clone();
    let hidden = |name: &str| {
        let gone = event.redacted.iter().any(|redacted| redacted == name);
        gone.then(|| "redacted".to_owned())
    };
    let mut facts = vec![
        ("event", Some(event.seq.to_string())),
        ("action", Some(event.action.clone())),
        ("at", Some(format!("{} UTC", format::instant(event.at)))),
        ("outcome", Some(outcome(event).to_owned())),
        ("took", event.duration_ms.map(format::duration)),
        ("by", Some(hidden("actor").unwrap_or_else(|| event.actor.clone()))),
        ("uid", event.actor_uid.map(|uid| uid.to_string())),
        ("role", said(&event.role)),
        ("claimed", said(&event.claimed).or_else(|| hidden("claimed"))),
        ("tenant", said(&event.slug).or_else(|| hidden("slug"))),
        ("tenant id", said(&event.tenant_id)),
        ("operation", said(&event.operation_id)),
        ("detail", said(&event.detail).or_else(|| hidden("detail"))),
        ("request", said(&event.request)),
    ];
    let more = event.facts.iter().map(|(name, value)| (name.as_str(), Some(value.clone())));
    facts.extend(more);
    facts.push(("hash", Some(event.hash.clone())));
    facts.push(("prev", Some(event.prev_hash.clone())));
    if !event.intact {
        facts.push(("CHANGED", Some("its values are not what its hash says: verify the trail".to_owned())));
    }
    facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// An intent has no outcome, and is found by the word `intent`.
pub(crate) fn outcome(event: &AuditEvent) -> &str {
    let none = if event.action.ends_with(".intent") { "intent" } else { NONE };
    event.outcome.as_deref().unwrap_or(none)
}

/// One event on a line, for a stream of events.
pub(crate) fn line(event: &AuditEvent) -> String {
    let took = event.duration_ms.map(|ms| format!(" {}", format::duration(ms))).unwrap_or_default();
    let detail = event.detail.as_ref().map(|detail| format!(" · {}", text::line(detail))).unwrap_or_default();
    format!(
        "{:>6}  {}  {:<20} {:<26} {:<16} {}{took}{detail}",
        event.seq,
        format::timestamp(event.at),
        event.actor,
        event.action,
        event.slug.as_deref().unwrap_or(NONE),
        outcome(event)
    )
}

/// `edited at 41`
pub(crate) fn trouble(broken: &AuditBreak) -> String {
    format!("{} at {}", broken.kind.name(), seq(broken.seq))
}

/// What is wrong with the trail: what stops the daemon from changing anything, or else what a verification found.
pub(crate) fn wrong(trail: &TrailStatus) -> Option<&AuditBreak> {
    trail.trouble.as_ref().or(trail.found.as_ref())
}

/// The state of the trail: `✓ verified to 48,211 (3 m ago)`, not yet verified, or what is wrong with it.
pub(crate) fn standing(trail: &TrailStatus, now: OffsetDateTime) -> String {
    if let Some(broken) = wrong(trail) {
        return format!("✗ {}: {}", trouble(broken), broken.message);
    }
    let anchored = trail.anchored_to.map(|to| format!(", anchored to {}", seq(to))).unwrap_or_default();
    match (trail.verified_to, trail.verified_at) {
        (Some(to), at) => {
            let ago = at.map(|at| format!(" ({})", format::ago(at, now))).unwrap_or_default();
            format!("✓ verified to {}{ago}{anchored}", seq(to))
        }
        (None, _) => format!("· not verified yet{anchored}"),
    }
}

/// What a verification found, in a few words.
pub(crate) fn headline(verdict: &AuditVerdict) -> String {
    match &verdict.broken {
        None => format!("✓ the trail is whole: {}", format::counted(looked_at(verdict), "event")),
        Some(broken) => format!("✗ the trail is not what it was: {}", trouble(broken)),
    }
}

fn looked_at(verdict: &AuditVerdict) -> u64 {
    u64::try_from(verdict.to_seq - verdict.from_seq + 1).unwrap_or_default()
}

/// What a verification found, the most important part first.
pub(crate) fn verdict(verdict: &AuditVerdict) -> Vec<String> {
    let range = format!("{} to {}", seq(verdict.from_seq), seq(verdict.to_seq));
    let took = format::duration(verdict.duration_ms);
    let headline = headline(verdict);
    let mut lines = match &verdict.broken {
        None => vec![format!("{headline}, {range}, checked in {took}")],
        Some(broken) => {
            vec![headline, format!("  {}", broken.message), format!("  looked at {range} in {took}")]
        }
    };
    let to = |reached: Option<i64>| reached.map_or_else(|| "nothing".to_owned(), seq);
    lines.extend([
        format!("  signed to    {}", to(verdict.signed_to)),
        format!("  anchored to  {}", to(verdict.anchored_to)),
        format!("  last hash    {}", verdict.hash),
    ]);
    if verdict.from_seq > 1 {
        lines.push(format!("  pruned       what was before {}", seq(verdict.from_seq)));
    }
    if verdict.redacted > 0 {
        lines.push(format!("  redacted     {}", format::counted(verdict.redacted, "personal value")));
    }
    lines.extend(verdict.acknowledged.iter().map(|loss| format!("  acknowledged {loss}")));
    if !verdict.limits.is_empty() {
        lines.push("what this cannot promise:".to_owned());
        lines.extend(verdict.limits.iter().map(|limit| format!("  {limit}")));
    }
    lines
}

/// `open`, `sealed`, `pruned`
pub(crate) const fn segment(segment: &AuditSegment) -> &'static str {
    match (segment.is_pruned, segment.is_sealed) {
        (true, _) => "pruned",
        (false, true) => "sealed",
        (false, false) => "open",
    }
}

/// `48,211`
pub(crate) fn seq(seq: i64) -> String {
    match u64::try_from(seq) {
        Ok(seq) => format::count(seq),
        Err(_) => seq.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use tenantry_protocol::audit::BreakKind;

    use super::*;
    use crate::ui::testing::{audit_event, now};

    #[test]
    fn an_event_shows_what_was_recorded_and_what_was_redacted() {
        let mut event = audit_event(41, "provision", "acme");
        event.facts.insert("grade".into(), "A".into());
        event.detail = None;
        event.redacted = vec!["detail".into(), "actor".into()];
        event.actor = String::new();
        let facts = facts(&event);
        let of = |name: &str| facts.iter().find(|fact| fact.0 == name).map(|fact| fact.1.as_str());
        assert_eq!((of("detail"), of("by"), of("grade")), (Some("redacted"), Some("redacted"), Some("A")));
        assert_eq!((of("claimed"), of("CHANGED")), (None, None));
    }

    #[test]
    fn a_trail_in_trouble_says_so_before_anything_else() {
        let mut trail = TrailStatus { head_seq: 48_211, ..TrailStatus::default() };
        assert_eq!(standing(&trail, now()), "· not verified yet");
        trail.verified_to = Some(48_000);
        trail.verified_at = Some(now() - time::Duration::minutes(3));
        assert_eq!(standing(&trail, now()), "✓ verified to 48,000 (3 m ago)");
        let message = "restore it".to_owned();
        trail.trouble = Some(AuditBreak { seq: 41, kind: BreakKind::Edited, message });
        assert_eq!(standing(&trail, now()), "✗ edited at 41: restore it");
        trail.found = trail.trouble.take();
        assert_eq!(standing(&trail, now()), "✗ edited at 41: restore it", "found, but it stops nothing");
    }
}
