//! `audit list | show`, and the dispatch of the other commands about the trail.
//!
//! Reads only. A search that pauses before its page is full is continued here, so that nobody gets half a page.

pub(super) mod anchors;
pub(super) mod export;
pub(super) mod follow;
pub(super) mod keep;
pub(super) mod offline;
pub(super) mod verify;

use tenantry_protocol::audit::{AuditEvent, AuditFilter, AuditRequest, AuditResponse};
use tenantry_protocol::{ApiError, ErrorCode};

use super::Context;
use super::args::{Audit, AuditList};
use super::error::CliError;
use super::output::meter::Meter;
use crate::client::{Client, ClientError};
use crate::{format, trail};

/// Rows if no number was asked for.
pub(super) const PAGE: u32 = 50;

pub(in crate::cli) async fn run(context: &Context, command: Audit) -> Result<(), CliError> {
    match command {
        Audit::List(list) if list.follow => follow::run(context, list).await,
        Audit::List(list) => self::list(context, list).await,
        Audit::Show { seq } => show(context, seq).await,
        Audit::Verify(verify) => verify::run(context, verify).await,
        Audit::Export(export) => export::run(context, export).await,
        Audit::Key => keep::key(context).await,
        Audit::RotateKey => keep::rotate_key(context).await,
        Audit::Acknowledge(acknowledge) => keep::acknowledge(context, acknowledge).await,
        Audit::Redact(redact) => keep::redact(context, redact).await,
        Audit::Segments => keep::segments(context).await,
        Audit::Hold(hold) => keep::hold(context, hold).await,
        Audit::Release { name } => keep::release(context, name).await,
        Audit::Prune(prune) => keep::prune(context, prune).await,
    }
}

async fn list(context: &Context, list: AuditList) -> Result<(), CliError> {
    let client = context.client().await?;
    let filter = AuditFilter::from(list.filter);
    let rows = list.limits.limit.unwrap_or(PAGE);
    let answer = search(context, &client, &filter, list.limits.before, rows).await?;
    if context.output.is_json() {
        return context.output.document(&answer);
    }
    if answer.events.is_empty() {
        return context.output.lines("no events match; `tenantry audit list` shows the newest of all");
    }
    let header = ["seq", "time (UTC)", "actor", "action", "tenant", "outcome", "took", "hash"];
    context.output.table(&header, answer.events.iter().map(row).collect())
}

/// A page, which is full unless the trail has no more: a search that paused is continued.
pub(super) async fn search(
    context: &Context,
    client: &Client,
    filter: &AuditFilter,
    mut before: Option<i64>,
    rows: u32,
) -> Result<AuditResponse, ClientError> {
    let mut meter = Meter::new(context.output, "searching", format::count);
    let mut page: Option<AuditResponse> = None;
    loop {
        let found = page.as_ref().map_or(0, |page| page.events.len());
        let left = rows.saturating_sub(u32::try_from(found).unwrap_or(u32::MAX));
        let request = AuditRequest { filter: filter.clone(), before, limit: Some(left.max(1)) };
        let answer = client.audit(request).await?;
        // A search that stood still would be repeated for ever.
        let paused = answer.searched_to.filter(|to| before.is_none_or(|before| *to < before));
        let whole = match &mut page {
            None => page.insert(answer),
            Some(page) => {
                page.events.extend(answer.events);
                page.searched_to = answer.searched_to;
                page
            }
        };
        match paused {
            Some(to) if whole.events.len() < rows as usize => {
                let amount = |seq: i64| u64::try_from(seq).unwrap_or_default();
                meter.at(amount(whole.trail.head_seq - to), amount(whole.trail.head_seq));
                before = Some(to);
            }
            _ => return Ok(page.unwrap_or_else(nothing)),
        }
    }
}

/// The answer before anybody has answered.
fn nothing() -> AuditResponse {
    AuditResponse { events: Vec::new(), searched_to: None, trail: Default::default() }
}

/// Shows the event itself; it can only be read as part of a page.
async fn show(context: &Context, seq: i64) -> Result<(), CliError> {
    let request =
        AuditRequest { before: Some(seq.saturating_add(1)), limit: Some(1), ..AuditRequest::default() };
    let answer = context.client().await?.audit(request).await?;
    let Some(event) = answer.events.into_iter().find(|event| event.seq == seq) else {
        let message = if seq > answer.trail.head_seq {
            format!("there is no event {seq}: the newest is {}", answer.trail.head_seq)
        } else {
            format!("there is no event {seq} any more; `tenantry audit segments` shows what was pruned")
        };
        return Err(ClientError::Api(ApiError::new(ErrorCode::NotFound, message).on_field("seq")).into());
    };
    if context.output.is_json() {
        return context.output.document(&event);
    }
    // A value of several lines stays in its column.
    let beside = |value: &str| value.replace('\n', "\n           ");
    let facts = trail::facts(&event);
    let lines: Vec<String> =
        facts.iter().map(|(name, value)| format!("{name:<10} {}", beside(value))).collect();
    context.output.lines(&lines.join("\n"))
}

fn row(event: &AuditEvent) -> Vec<String> {
    vec![
        event.seq.to_string(),
        format::timestamp(event.at),
        event.actor.clone(),
        event.action.clone(),
        event.slug.clone().unwrap_or_else(|| "–".to_owned()),
        trail::outcome(event).to_owned(),
        event.duration_ms.map(format::duration).unwrap_or_else(|| "–".to_owned()),
        event.hash.chars().take(12).collect(),
    ]
}
