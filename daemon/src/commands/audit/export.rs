//! `audit_export`, `audit_export_read`: the trail in parts, for a file of the caller. An export is recorded in the trail
//! before anything is read, and again when the last part was returned or the caller stopped reading.

use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest as _, Sha256};
use tenantry_protocol::audit::{
    AuditExport, AuditExportPart, AuditExportReadRequest, AuditExportRequest, AuditFilter, ExportFormat,
};
use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::watch::EventBody;
use uuid::Uuid;

use crate::model::audit_chain::{Actor, Entry, Outcome};
use crate::postgres::audit::filter;
use crate::postgres::audit::filter::EventFilter;
use crate::postgres::error::doing;

use super::exports::{ExportOrder, ExportProgress, ExportSession, IDLE};
use super::request_filter;
use crate::commands::{App, Caller, errors};

pub async fn audit_export(
    app: &Arc<App>,
    caller: &Caller,
    request: AuditExportRequest,
) -> Result<AuditExport, ApiError> {
    let filter = request_filter::parse(&request.filter)?;
    if request.format == ExportFormat::Other {
        let message = "this daemon does not know the format; there are: jsonl, csv, ocsf";
        return Err(ApiError::invalid("format", message));
    }
    app.exports.check_room()?;
    let (task, actor) = (Arc::clone(app), app.actor(caller));
    Box::pin(app.detached(async move { open(&task, actor, request, filter).await })).await
}

async fn open(
    app: &Arc<App>,
    actor: Actor,
    request: AuditExportRequest,
    filter: EventFilter,
) -> Result<AuditExport, ApiError> {
    let begin = Instant::now();
    let intent = entry("audit.export.intent", &actor, request.format, &request.filter);
    app.record_export(&intent).await?;
    let pool = app.control.pool();
    let head = app.trail.head().await.map_err(errors::control)?;
    let mut connection =
        pool.acquire().await.map_err(|error| errors::control(doing("read the audit trail")(error)))?;
    let wanted = filter::resolve(&mut connection, &filter, head.seq).await.map_err(errors::control)?;
    drop(connection);
    let to_seq = head.seq;
    let is_whole = request.filter == AuditFilter::default();
    let filter = (!is_whole).then_some(request.filter);
    let order = ExportOrder { actor, format: request.format, filter, wanted, head, begin };
    let (id, session) = app.exports.open(order)?;
    tokio::spawn(watch_over(Arc::clone(app), id, session));
    Ok(AuditExport { id: id.to_string(), to_seq })
}

pub async fn audit_export_read(
    app: &Arc<App>,
    caller: &Caller,
    request: AuditExportReadRequest,
) -> Result<AuditExportPart, ApiError> {
    let (id, session) = app.exports.find(&request.id, caller.uid)?;
    let task = Arc::clone(app);
    // Not in the request's own future: a part that was counted must not be lost half-way.
    app.detached(async move {
        let mut progress = session.progress.lock().await;
        session.touch();
        let (part, next) = match session.next_part(&task.trail, &progress).await {
            Ok(next) => next,
            Err(error) => {
                if error.code == ErrorCode::Conflict {
                    task.end_export(id, &progress, Outcome::Failed).await?;
                }
                return Err(error);
            }
        };
        // Nobody gets the last part unless the end is on record; the caller can ask for it again.
        if part.is_last {
            task.end_export(id, &next, Outcome::Ok).await?;
        }
        *progress = next;
        session.touch();
        Ok(part)
    })
    .await
}

/// Ends an export that nobody reads any more.
async fn watch_over(app: Arc<App>, id: Uuid, session: Arc<ExportSession>) {
    loop {
        let idle = session.last_read().elapsed();
        if idle < IDLE {
            tokio::time::sleep(IDLE - idle).await;
            continue;
        }
        // An export is not idle while a part is being made.
        let progress = session.progress.lock().await;
        if session.last_read().elapsed() >= IDLE {
            if let Err(error) = app.end_export(id, &progress, Outcome::Failed).await {
                tracing::error!(error = %error.message, "the end of an export could not be recorded");
                app.exports.close(id);
            }
            return;
        }
    }
}

impl App {
    async fn record_export(&self, entry: &Entry) -> Result<(), ApiError> {
        let mut tx = self.trail.begin().await.map_err(errors::control)?;
        let seq = tx.record(entry).await.map_err(errors::control)?;
        tx.commit("commit an audit event").await.map_err(errors::control)?;
        self.events.publish(EventBody::Audit { seq });
        Ok(())
    }

    /// Records how the export ended and removes it. Does nothing if that was done already. The caller holds `progress`
    /// meanwhile.
    async fn end_export(
        &self,
        id: Uuid,
        progress: &ExportProgress,
        outcome: Outcome,
    ) -> Result<(), ApiError> {
        let Some(session) = self.exports.get(id) else { return Ok(()) };
        let order = &session.order;
        let filter = order.filter.clone().unwrap_or_default();
        let ended = Entry {
            outcome: Some(outcome),
            duration_ms: Some(order.begin.elapsed().as_secs_f64() * 1_000.0),
            ..entry("audit.export", &order.actor, order.format, &filter)
        };
        let ended = ended
            .fact("events", progress.events)
            .fact("to_seq", order.head.seq)
            .fact("sha256", progress.sha256());
        self.record_export(&ended).await?;
        self.exports.close(id);
        Ok(())
    }
}

/// The tenant's name is in a field of its own, so that a redaction of the name finds it.
fn entry(action: &'static str, actor: &Actor, format: ExportFormat, filter: &AuditFilter) -> Entry {
    let format = match format {
        ExportFormat::Jsonl => "jsonl",
        ExportFormat::Csv => "csv",
        ExportFormat::Ocsf => "ocsf",
        ExportFormat::Other => "other",
    };
    let digest = serde_json::to_vec(filter).unwrap_or_default();
    Entry {
        slug: filter.slug.clone(),
        request: Some(Sha256::digest(&digest).into()),
        detail: described(filter),
        ..Entry::new(action, actor.clone()).fact("format", format)
    }
}

/// The filter on one line, without the tenant's name.
fn described(filter: &AuditFilter) -> Option<String> {
    let AuditFilter { slug: _, tenant_id, actor, action, outcome, since, until, operation_id, text } = filter;
    let fields = [
        ("tenant_id", tenant_id.clone()),
        ("actor", actor.clone()),
        ("action", action.clone()),
        ("outcome", outcome.clone()),
        ("since", since.map(|at| at.to_string())),
        ("until", until.map(|at| at.to_string())),
        ("operation_id", operation_id.clone()),
        ("text", text.clone()),
    ];
    let parts: Vec<String> =
        fields.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?))).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}
