//! `audit key | rotate-key | acknowledge | redact | segments | hold | release | prune`: what keeps the trail, and what the
//! trail keeps.
//!
//! Invariant: a command that removes something for good requires `--confirm`, and says what it removed.

use tenantry_protocol::audit::{
    AuditAcknowledgeRequest, AuditHoldRequest, AuditPruneRequest, AuditRedactRequest, AuditReleaseRequest,
    AuditSegment,
};
use time::{Duration, OffsetDateTime};

use crate::cli::Context;
use crate::cli::args::{Acknowledge, Hold, Prune, Redact};
use crate::cli::error::CliError;
use crate::{format, trail};

pub(super) async fn key(context: &Context) -> Result<(), CliError> {
    let key = context.client().await?.audit_key().await?;
    if context.output.is_json() {
        return context.output.document(&key);
    }
    context.output.note(&format!("key {}, from event {} on", key.id, trail::seq(key.since_seq)));
    context.output.lines(&key.public_key)
}

pub(super) async fn rotate_key(context: &Context) -> Result<(), CliError> {
    let key = context.client().await?.audit_rotate_key().await?;
    if context.output.is_json() {
        return context.output.document(&key);
    }
    context.output.lines(&format!(
        "key {} signs from event {} on; the one before vouches for it.\n\
         Keep the new public key where the daemon cannot reach it: `tenantry audit key > trail-{}.pem`",
        key.id,
        trail::seq(key.since_seq),
        key.id
    ))
}

pub(super) async fn acknowledge(context: &Context, acknowledge: Acknowledge) -> Result<(), CliError> {
    let request = AuditAcknowledgeRequest { seq: acknowledge.seq, reason: acknowledge.reason };
    let event = context.client().await?.audit_acknowledge(request).await?;
    if context.output.is_json() {
        return context.output.document(&event);
    }
    context.output.lines(&format!(
        "the loss from event {} on is acknowledged, as event {}; the trail goes on from there, and every verification \
         names it",
        trail::seq(acknowledge.seq),
        trail::seq(event.seq)
    ))
}

pub(super) async fn redact(context: &Context, redact: Redact) -> Result<(), CliError> {
    let name = redact.tenant.as_ref().or(redact.actor.as_ref());
    let Some(name) = name.filter(|name| **name == redact.confirm) else {
        let name = name.map_or("", String::as_str);
        return Err(CliError::invalid(
            "confirm",
            format!("the confirmation is not the name; nothing was redacted. Give --confirm {name}"),
        ));
    };
    let what = match redact.tenant {
        Some(_) => format!("the tenant {name}"),
        None => format!("the account {name}"),
    };
    let request = AuditRedactRequest { slug: redact.tenant, actor: redact.actor, confirm: redact.confirm };
    let redacted = context.client().await?.audit_redact(request).await?;
    if context.output.is_json() {
        return context.output.document(&redacted);
    }
    context.output.lines(&format!(
        "{} of {} about {what} are gone; the events stay in the chain",
        format::counted(redacted.values, "value"),
        format::counted(redacted.events, "event"),
    ))
}

pub(super) async fn segments(context: &Context) -> Result<(), CliError> {
    let answer = context.client().await?.audit_segments().await?;
    if context.output.is_json() {
        return context.output.document(&answer);
    }
    segment_table(context, &answer.segments)?;
    for hold in &answer.holds {
        let about =
            hold.slug.as_ref().map_or_else(|| "everything".to_owned(), |slug| format!("tenant {slug}"));
        context.output.lines(&format!(
            "hold {} keeps {about}: {} (by {}, {} UTC)",
            hold.name,
            hold.reason,
            hold.placed_by,
            format::timestamp(hold.placed_at)
        ))?;
    }
    Ok(())
}

fn segment_table(context: &Context, segments: &[AuditSegment]) -> Result<(), CliError> {
    let rows = segments.iter().map(|segment| {
        vec![
            segment.from_seq.to_string(),
            segment.to_seq.to_string(),
            trail::segment(segment).to_owned(),
            segment.newest_at.map_or_else(|| "–".to_owned(), format::timestamp),
            if segment.held_by.is_empty() { "–".to_owned() } else { segment.held_by.join(", ") },
        ]
    });
    context.output.table(&["from", "to", "state", "newest event (UTC)", "held by"], rows.collect())
}

pub(super) async fn hold(context: &Context, hold: Hold) -> Result<(), CliError> {
    let request = AuditHoldRequest { name: hold.name, slug: hold.tenant, reason: hold.reason };
    let hold = context.client().await?.audit_hold(request).await?;
    if context.output.is_json() {
        return context.output.document(&hold);
    }
    let what =
        hold.slug.as_ref().map_or_else(|| "no events".to_owned(), |slug| format!("no events of {slug}"));
    context.output.lines(&format!(
        "hold {}: {what} can be pruned or redacted until `tenantry audit release {}`",
        hold.name, hold.name
    ))
}

pub(super) async fn release(context: &Context, name: String) -> Result<(), CliError> {
    let hold = context.client().await?.audit_release(AuditReleaseRequest { name }).await?;
    if context.output.is_json() {
        return context.output.document(&hold);
    }
    context.output.lines(&format!(
        "hold {} is over; it stood since {} UTC: {}",
        hold.name,
        format::timestamp(hold.placed_at),
        hold.reason
    ))
}

pub(super) async fn prune(context: &Context, prune: Prune) -> Result<(), CliError> {
    let days = prune.keep_days.map(|days| OffsetDateTime::now_utc() - Duration::days(days.into()));
    let Some(before) = prune.before.or(days) else {
        return Err(CliError::invalid("before", "say what is old enough: --before TIME or --keep-days N"));
    };
    let request = AuditPruneRequest { before, dry_run: prune.dry_run };
    let pruned = context.client().await?.audit_prune(request).await?;
    if context.output.is_json() {
        return context.output.document(&pruned);
    }
    if !pruned.segments.is_empty() {
        segment_table(context, &pruned.segments)?;
    }
    for why in &pruned.kept {
        context.output.lines(&format!("kept: {why}"))?;
    }
    let events = format::counted(pruned.events, "event");
    let segments = format::counted(pruned.segments.len() as u64, "segment");
    context.output.lines(&match (pruned.segments.is_empty(), prune.dry_run) {
        (true, _) => {
            format!("nothing is pruned: no sealed segment is older than {} UTC", format::timestamp(before))
        }
        (false, true) => {
            format!("{events} in {segments} would be pruned; --confirm in place of --dry-run prunes them")
        }
        (false, false) => format!("{events} in {segments} are pruned; the last checkpoint of each stays"),
    })
}
