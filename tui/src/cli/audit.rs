//! `audit list`: the newest events of the trail.
//! Reads only. Older pages by `--before`; whether the chain holds is not this command's to say.

use tenantry_protocol::audit::{AuditEvent, AuditFilter, AuditRequest};

use super::Context;
use super::args::Audit;
use super::error::CliError;
use crate::format;

pub(super) async fn run(context: &Context, command: Audit) -> Result<(), CliError> {
    let Audit::List { tenant, before, limit } = command;
    let answer = context
        .client()
        .await?
        .audit(AuditRequest { filter: AuditFilter { slug: tenant, ..AuditFilter::default() }, before, limit })
        .await?;
    if context.output.is_json() {
        return context.output.document(&answer);
    }
    if answer.events.is_empty() {
        return context.output.lines("no events match; `tenantry audit list` shows the newest of all");
    }
    let header = ["seq", "time (UTC)", "actor", "action", "tenant", "outcome", "took", "hash"];
    context.output.table(&header, answer.events.iter().map(row).collect())
}

fn row(event: &AuditEvent) -> Vec<String> {
    let dash = || "–".to_owned();
    vec![
        event.seq.to_string(),
        format::timestamp(event.at),
        event.actor.clone(),
        event.action.clone(),
        event.slug.clone().unwrap_or_else(dash),
        event.outcome.clone().unwrap_or_else(dash),
        event.duration_ms.map(format::duration).unwrap_or_else(dash),
        event.hash.chars().take(12).collect(),
    ]
}
