//! Asks for a change of an existing tenant and waits for its end: what all such commands share.
//!
//! Invariant: a lost connection never loses the answer to "was it accepted?". Each request carries an idempotency key, one
//! of ours if the caller gave none, and is sent again with it.

use tenantry_protocol::archive::Archive;
use tenantry_protocol::isolation::VerifyIsolationRequest;
use tenantry_protocol::operation::{Operation, RetryRequest};
use tenantry_protocol::tenant::{
    OperationStarted, RetireRequest, RollbackRequest, TenantChangeRequest, TenantDetail, UpdateTenantRequest,
    UpgradeTenantRequest,
};

use super::Context;
use super::error::CliError;
use super::output::document::TenantChanged;
use super::output::progress;
use crate::client::{Client, ClientError, Follower};

/// A request that starts an operation on a tenant.
#[derive(Debug)]
pub(super) enum Change {
    Suspend(TenantChangeRequest),
    Resume(TenantChangeRequest),
    Update(UpdateTenantRequest),
    Upgrade(UpgradeTenantRequest),
    Retire(RetireRequest),
    Rollback(RollbackRequest),
    Retry(RetryRequest),
    Verify(VerifyIsolationRequest),
}

/// A change that succeeded, and the tenant afterwards.
pub(super) struct Done {
    pub(super) operation: Operation,
    pub(super) detail: TenantDetail,
}

impl Change {
    fn key(&mut self) -> &mut Option<String> {
        match self {
            Self::Suspend(request) | Self::Resume(request) => &mut request.idempotency_key,
            Self::Update(request) => &mut request.idempotency_key,
            Self::Upgrade(request) => &mut request.idempotency_key,
            Self::Retire(request) => &mut request.idempotency_key,
            Self::Rollback(request) => &mut request.idempotency_key,
            Self::Retry(request) => &mut request.idempotency_key,
            Self::Verify(request) => &mut request.idempotency_key,
        }
    }

    async fn send(&self, client: &Client) -> Result<OperationStarted, ClientError> {
        match self {
            Self::Suspend(request) => client.suspend(request.clone()).await,
            Self::Resume(request) => client.resume(request.clone()).await,
            Self::Update(request) => client.update_tenant(request.clone()).await,
            Self::Upgrade(request) => client.upgrade_tenant(request.clone()).await,
            Self::Retire(request) => client.retire(request.clone()).await,
            Self::Rollback(request) => client.rollback(request.clone()).await,
            Self::Retry(request) => client.retry(request.clone()).await,
            Self::Verify(request) => client.verify_isolation(request.clone()).await,
        }
    }
}

/// Sends the change, waits unless told otherwise, and prints; `said` is the readable line after a success.
pub(in crate::cli) async fn run(
    context: &Context,
    mut change: Change,
    no_wait: bool,
    said: impl FnOnce(&Done) -> String + Send,
) -> Result<(), CliError> {
    let client = context.client().await?;
    let (follower, started) = begin(&client, &mut change).await?;
    if no_wait {
        return accepted(context, &started.operation);
    }
    let done = finish(context, follower, started.operation).await?;
    if context.output.is_json() {
        return context.output.document(&TenantChanged {
            tenant: Some(&done.detail.tenant),
            operation: &done.operation,
            duration_ms: done.operation.duration_ms,
            archive: done.archive(),
        });
    }
    context.output.lines(&said(&done))
}

/// Waits for the end of the operation and returns the tenant as it is then.
pub(super) async fn finish(
    context: &Context,
    follower: Follower,
    started: Operation,
) -> Result<Done, CliError> {
    let (operation, client) = progress::wait(context, follower, started).await?;
    let detail = client.tenant(operation.tenant_id.to_string()).await?;
    Ok(Done { operation, detail })
}

/// Takes a place in the stream of events, then starts the operation; after a lost connection it sends the same key again.
pub(super) async fn begin(
    client: &Client,
    change: &mut Change,
) -> Result<(Follower, OperationStarted), ClientError> {
    change.key().get_or_insert_with(|| format!("tenantry-{}", uuid::Uuid::now_v7()));
    let follower = Follower::begin(client).await?;
    match change.send(client).await {
        Ok(started) => Ok((follower, started)),
        Err(error) if error.is_loss() => {
            let client = client.reconnect().await?;
            let follower = Follower::begin(&client).await?;
            let started = change.send(&client).await?;
            Ok((follower, started))
        }
        Err(error) => Err(error),
    }
}

/// What is printed about an operation that nobody waits for.
pub(super) fn accepted(context: &Context, operation: &Operation) -> Result<(), CliError> {
    if context.output.is_json() {
        let accepted = TenantChanged { tenant: None, operation, duration_ms: None, archive: None };
        return context.output.document(&accepted);
    }
    context.output.lines(&format!(
        "the {} of {} is accepted; follow it with `tenantry operation watch {}`",
        operation.kind.name().replace('_', " "),
        operation.slug,
        operation.id
    ))
}

impl Done {
    /// The archive that this operation made.
    pub(super) fn archive(&self) -> Option<&Archive> {
        self.detail.archives.iter().find(|archive| archive.operation_id == self.operation.id)
    }

    /// ` in 1.25 s`
    pub(super) fn time(&self) -> String {
        self.operation
            .duration_ms
            .map(|ms| format!(" in {}", crate::format::duration(ms)))
            .unwrap_or_default()
    }
}
