//! `audit_key`, `audit_rotate_key`, `audit_acknowledge`: the key that signs the trail, and the acknowledgement of a known
//! loss.

use std::sync::Arc;

use tenantry_protocol::audit::{
    AuditAcknowledgeRequest, AuditEvent, AuditKey, AuditKeyRequest, AuditRotateKeyRequest,
};
use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::watch::EventBody;

use crate::postgres::audit::filter::EventFilter;
use crate::postgres::audit::{facts, search};

use crate::commands::{App, Caller, errors};

/// The number of characters of a reason.
const LONGEST_REASON: usize = 500;

pub async fn audit_key(app: &Arc<App>, _: &Caller, _: AuditKeyRequest) -> Result<AuditKey, ApiError> {
    key(app).await
}

pub async fn audit_rotate_key(
    app: &Arc<App>,
    caller: &Caller,
    _: AuditRotateKeyRequest,
) -> Result<AuditKey, ApiError> {
    let (task, actor) = (Arc::clone(app), app.actor(caller));
    app.detached(async move {
        let seq = task.trail.rotate_key(actor).await.map_err(errors::control)?;
        task.events.publish(EventBody::Audit { seq });
        key(&task).await
    })
    .await
}

async fn key(app: &App) -> Result<AuditKey, ApiError> {
    let public = app.trail.public_key().map_err(errors::control)?;
    let since = facts::key_since(app.control.pool(), &public.to_hex()).await.map_err(errors::control)?;
    Ok(AuditKey { id: public.id(), public_key: public.to_pem(), since_seq: since.unwrap_or(1) })
}

pub async fn audit_acknowledge(
    app: &Arc<App>,
    caller: &Caller,
    request: AuditAcknowledgeRequest,
) -> Result<AuditEvent, ApiError> {
    let Some(trouble) = app.trail.trouble() else {
        let message =
            "the trail has no trouble that keeps it from being written: there is nothing to acknowledge";
        return Err(ApiError::new(ErrorCode::Precondition, message));
    };
    if trouble.seq != request.seq {
        let message = format!(
            "the trouble is at event {}, not {}: read it (`tenantry status`), then acknowledge that one",
            trouble.seq, request.seq
        );
        return Err(ApiError::new(ErrorCode::Precondition, message).on_field("seq"));
    }
    if request.reason.as_ref().is_some_and(|reason| reason.chars().count() > LONGEST_REASON) {
        let message = format!("a reason has at most {LONGEST_REASON} characters");
        return Err(ApiError::new(ErrorCode::InvalidArgument, message).on_field("reason"));
    }
    let (task, actor) = (Arc::clone(app), app.actor(caller));
    app.detached(async move {
        let acknowledged = task.trail.acknowledge(&trouble, actor, request.reason).await;
        let seq = acknowledged.map_err(errors::control)?;
        task.events.publish(EventBody::Audit { seq });
        let filter = EventFilter::default();
        let found = search::page(task.control.pool(), &filter, Some(seq + 1), 1).await;
        found.map_err(errors::control)?.events.into_iter().next().ok_or_else(errors::internal)
    })
    .await
}
