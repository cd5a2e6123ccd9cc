//! What an effect asks of the daemon, and the event that the answer becomes.
//!
//! Invariant: both matches name every effect, so that a new one does not compile before it has an answer here, and one for a daemon
//! that cannot be asked.

use tenantry_protocol::id::TenantId;
use tenantry_protocol::isolation::VerifyIsolationRequest;
use tenantry_protocol::operation::{CancelRequest, OperationsRequest, RetryRequest};
use tenantry_protocol::tenant::{IssueCredentialsRequest, OperationStarted, TenantChangeRequest};
use tenantry_protocol::{ApiError, ErrorCode};

use super::super::event::{Effect, Event};
use super::super::link::{self, Events};
use super::super::state::operations;
use super::super::ticket::Ticket;
use super::{clean, fresh_key, trail, upgrades};
use crate::client::{Client, ClientError};
use crate::text;

/// Does what an effect asks for and sends the answer back. A console that is gone needs none.
pub(super) async fn perform(effect: Effect, client: Option<Client>, events: Events) {
    let answer = match client {
        Some(client) => call(effect, &client, &events).await,
        None => {
            let said = "there is no connection to the daemon now; it is being tried again";
            refused(effect, ApiError::new(ErrorCode::Unavailable, said))
        }
    };
    if let Some(answer) = answer {
        let _ = events.send(answer).await;
    }
}

async fn call(effect: Effect, client: &Client, events: &Events) -> Option<Event> {
    match effect {
        Effect::LoadTenants => {
            let loaded = link::load_tenants(client, events).await;
            loaded.err().map(|error| Event::Lost(text::line(&error.to_string())))
        }
        Effect::LoadBlueprints => link::load_blueprints(client, events).await.ok().and(None),
        Effect::LoadDetail(id) => {
            let detail = client.tenant(id.clone()).await.map(|detail| Box::new(text::wire(detail)));
            Some(Event::Detail { id, result: clean(detail) })
        }
        Effect::LoadOperation(id) => {
            let operation = client.operation(id.to_string()).await.ok();
            operation.map(|operation| Event::Operation(Box::new(text::wire(operation))))
        }
        Effect::LoadOperations => {
            let request = OperationsRequest { limit: Some(operations::PAGE), ..OperationsRequest::default() };
            let result = clean(client.operations(request).await);
            Some(Event::Operations(result.map(|answer| text::wire(answer).operations)))
        }
        effect @ (Effect::LoadUpgrades
        | Effect::LoadUpgrade { .. }
        | Effect::PlanUpgrade { .. }
        | Effect::RehearseUpgrade { .. }
        | Effect::BeginUpgrade { .. }
        | Effect::Steer { .. }) => upgrades::call(effect, client).await,
        Effect::LoadPreview(id) => {
            let preview = client.rollback_preview(id.to_string()).await;
            Some(Event::Preview { id, result: clean(preview.map(|preview| Box::new(text::wire(preview)))) })
        }
        Effect::Plan { ticket, request } => {
            let result = clean(client.plan(*request).await.map(|plan| Box::new(text::wire(plan))));
            Some(Event::Planned { ticket, key: fresh_key(), result })
        }
        Effect::Provision { ticket, request } => begun(ticket, client.provision(*request).await),
        Effect::Rollback { ticket, mut request } => {
            request.idempotency_key.get_or_insert_with(fresh_key);
            begun(ticket, client.rollback(request).await)
        }
        Effect::IssueCredentials { ticket, slug } => {
            let request = IssueCredentialsRequest { slug, idempotency_key: None };
            Some(Event::Credentials { ticket, result: clean(client.issue_credentials(request).await) })
        }
        Effect::SuspendTenant { ticket, id } => begun(ticket, client.suspend(change_of(id)).await),
        Effect::ResumeTenant { ticket, id } => begun(ticket, client.resume(change_of(id)).await),
        Effect::Verify { ticket, id } => begun(ticket, client.verify_isolation(verification_of(id)).await),
        Effect::RetryOperation { ticket, id } => {
            let request = RetryRequest { operation: id.to_string(), idempotency_key: Some(fresh_key()) };
            begun(ticket, client.retry(request).await)
        }
        Effect::Cancel(id) => {
            let cancelled = client.cancel(CancelRequest { operation: id.to_string() }).await;
            Some(Event::Cancelling(clean(cancelled.map(|operation| Box::new(text::wire(operation))))))
        }
        Effect::LoadAudit { ticket, query, before, pace } => {
            Some(trail::load(ticket, *query, before, pace, client).await)
        }
        Effect::LoadTrail => {
            link::load_trail(client, events, None).await;
            None
        }
        Effect::VerifyTrail(ticket) => Some(trail::verify(ticket, client).await),
        Effect::Verification { ticket, id } => Some(trail::verification(ticket, id, client).await),
        Effect::Export { ticket, request, path } => {
            Some(trail::export(ticket, *request, &path, client, events).await)
        }
        // The runner performs these itself.
        Effect::Quit | Effect::Suspend | Effect::DropInput | Effect::StopExport | Effect::Copy(_) => None,
    }
}

/// The answer of a daemon that cannot be asked.
fn refused(effect: Effect, error: ApiError) -> Option<Event> {
    match effect {
        Effect::Plan { ticket, .. } => Some(Event::Planned { ticket, key: fresh_key(), result: Err(error) }),
        Effect::Provision { ticket, .. }
        | Effect::Rollback { ticket, .. }
        | Effect::SuspendTenant { ticket, .. }
        | Effect::ResumeTenant { ticket, .. }
        | Effect::Verify { ticket, .. }
        | Effect::RetryOperation { ticket, .. } => Some(Event::Started { ticket, result: Err(error) }),
        Effect::Cancel(_) => Some(Event::Cancelling(Err(error))),
        Effect::IssueCredentials { ticket, .. } => Some(Event::Credentials { ticket, result: Err(error) }),
        Effect::LoadDetail(id) => Some(Event::Detail { id, result: Err(error) }),
        Effect::LoadPreview(id) => Some(Event::Preview { id, result: Err(error) }),
        Effect::LoadOperations => Some(Event::Operations(Err(error))),
        Effect::LoadUpgrades => Some(Event::Upgrades(Err(error))),
        Effect::LoadUpgrade { ticket, .. } => Some(Event::UpgradeStatus { ticket, result: Err(error) }),
        Effect::PlanUpgrade { ticket, .. } | Effect::RehearseUpgrade { ticket, .. } => {
            Some(Event::UpgradePlanned { ticket, key: fresh_key(), result: Err(error) })
        }
        Effect::BeginUpgrade { ticket, .. } => Some(Event::UpgradeBegun { ticket, result: Err(error) }),
        Effect::Steer { hand, .. } => Some(Event::Steered { hand, result: Err(error) }),
        Effect::LoadAudit { ticket, before, .. } => Some(Event::Audit { ticket, before, result: Err(error) }),
        Effect::VerifyTrail(ticket) | Effect::Verification { ticket, .. } => {
            Some(Event::Verification { ticket, result: Err(error) })
        }
        Effect::Export { ticket, .. } => Some(Event::Exported { ticket, result: Err(error.message) }),
        // All of these are loaded when the connection is back.
        Effect::LoadTenants | Effect::LoadBlueprints | Effect::LoadTrail | Effect::LoadOperation(_) => None,
        Effect::Quit | Effect::Suspend | Effect::DropInput | Effect::StopExport | Effect::Copy(_) => None,
    }
}

/// The answer to a call that begins an operation.
fn begun(ticket: Ticket, result: Result<OperationStarted, ClientError>) -> Option<Event> {
    let result = clean(result).map(|started| Box::new(text::wire(started.operation)));
    Some(Event::Started { ticket, result })
}

fn change_of(id: TenantId) -> TenantChangeRequest {
    TenantChangeRequest { slug: id.to_string(), idempotency_key: Some(fresh_key()) }
}

fn verification_of(id: TenantId) -> VerifyIsolationRequest {
    VerifyIsolationRequest { slug: id.to_string(), idempotency_key: Some(fresh_key()) }
}
