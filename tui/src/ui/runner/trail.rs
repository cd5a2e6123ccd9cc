//! Effects about the audit trail: reading, verifying and exporting it.
//!
//! Invariant: what arrives is made harmless for a terminal here. The bytes of an export go to a file and are left as they
//! are. Progress may be dropped while the console is busy; an end never is.

use std::path::PathBuf;
use std::time::Duration;

use tenantry_protocol::audit::{
    AuditExportRequest, AuditFilter, AuditRequest, AuditVerificationRequest, AuditVerifyRequest,
};

use super::super::event::{Event, Pace};
use super::super::link::Events;
use super::super::state::audit::PAGE;
use super::super::state::audit::export::ExportProgress;
use super::super::ticket::Ticket;
use super::clean;
use crate::client::{Client, Overwrite, export_to};
use crate::{format, text};

/// How long to wait for the end of a verification before its progress is reported.
const STEP_MS: u64 = 300;
/// The pause between two readings of a trail that grows all the time.
const REST: Duration = Duration::from_millis(400);

/// A page of events.
pub(super) async fn load(
    ticket: Ticket,
    query: AuditFilter,
    before: Option<i64>,
    pace: Pace,
    client: &Client,
) -> Event {
    if pace == Pace::Rested {
        tokio::time::sleep(REST).await;
    }
    let request = AuditRequest { filter: query, before, limit: Some(PAGE) };
    let result = clean(client.audit(request).await.map(|answer| Box::new(text::wire(answer))));
    Event::Audit { ticket, before, result }
}

/// Begins a verification.
pub(super) async fn verify(ticket: Ticket, client: &Client) -> Event {
    let begun = client.audit_verify(AuditVerifyRequest::default()).await;
    Event::Verification { ticket, result: clean(begun.map(|far| Box::new(text::wire(far)))) }
}

/// How far a verification is.
pub(super) async fn verification(ticket: Ticket, id: String, client: &Client) -> Event {
    let request = AuditVerificationRequest { id, wait_ms: STEP_MS };
    let far = client.audit_verification(request).await;
    Event::Verification { ticket, result: clean(far.map(|far| Box::new(text::wire(far)))) }
}

pub(super) async fn export(
    ticket: Ticket,
    request: AuditExportRequest,
    name: &str,
    client: &Client,
    events: &Events,
) -> Event {
    let mut heard = |part: &tenantry_protocol::audit::AuditExportPart| {
        let progress =
            ExportProgress { events: part.events, searched_to: part.searched_to, to_seq: part.to_seq };
        let _ = events.try_send(Event::Exporting { ticket, progress });
    };
    let result = export_to(client, request, &at_home(name), Overwrite::Never, &mut heard).await;
    let result = result.map(|exported| {
        format!(
            "{} in {}, {}",
            format::counted(exported.events, "event"),
            exported.file.display(),
            format::bytes(exported.bytes)
        )
    });
    let result = result.map_err(|error| error.to_string());
    Event::Exported { ticket, result: result.map(|said| text::line(&said)).map_err(|why| text::line(&why)) }
}

/// `~/` means the home folder, as in every shell.
fn at_home(name: &str) -> PathBuf {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    match (name.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(name),
    }
}

/// The folder that relative names refer to.
pub(super) fn folder() -> String {
    std::env::current_dir().map_or_else(|_| ".".to_owned(), |folder| text::line(&folder.to_string_lossy()))
}
