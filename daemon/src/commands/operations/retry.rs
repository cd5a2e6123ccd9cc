//! `retry`: repeats an operation that was undone, cancelled or left for a person.
//!
//! A new operation with a new id; the old one keeps its history.

use std::sync::Arc;

use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::operation::{OperationState, RetryRequest};
use tenantry_protocol::tenant::{OperationStarted, ProvisionRequest, Tenant};
use tenantry_protocol::upgrade::Course;

use crate::model::operation::{Kind, Progress, Seeding};
use crate::pipeline::OperationArguments;
use crate::postgres::control::operations::{self, StoredOperation};
use crate::postgres::control::tenants;

use crate::commands::idempotency::Ask;
use crate::commands::tenants::{change, provision, upgrade};
use crate::commands::upgrades::rehearse;
use crate::commands::{App, Caller, errors};

pub async fn retry(
    app: &Arc<App>,
    caller: &Caller,
    request: RetryRequest,
) -> Result<OperationStarted, ApiError> {
    let same = RetryRequest { idempotency_key: None, ..request.clone() };
    let ask = Ask::new(caller, "retry", request.idempotency_key.as_deref(), &same)?;
    if let Some(started) = app.replayed(&ask).await? {
        return Ok(started);
    }
    let id = super::show::parse_id("operation", &request.operation)?;
    let ask = ask.again(id);
    // Makes sure that an unknown operation gets the usual error.
    app.find_operation(id).await?;
    let stored = operations::stored(app.control.pool(), id).await.map_err(errors::control)?;
    let Some(stored) = stored else { return Err(errors::internal()) };
    let kind = kind_of(&stored)?;
    let tenant = tenants::by_id(app.control.pool(), stored.operation.tenant_id).await;
    let Some(tenant) = tenant.map_err(errors::control)? else { return Err(errors::internal()) };
    // The first answer would have carried the secret, and the answer to a retry has no field for one.
    if let Some(command) = kind.command_of_secrets(&tenant.slug) {
        let message = format!("secrets are asked for anew, not retried: `{command}`");
        return Err(ApiError::new(ErrorCode::Precondition, message).on_field("operation"));
    }
    match kind {
        Kind::Provision { seed, .. }
            if !matches!(stored.operation.state, OperationState::NeedsAttention { .. }) =>
        {
            Box::pin(provision::provision_again(app, caller, again(&tenant, seed), ask)).await
        }
        // The remains of a build that could not be undone can only be removed.
        Kind::Provision { .. } => {
            let kind = Kind::Rollback { archive: crate::model::operation::Archiving::Without };
            Box::pin(begin(app, caller, tenant, kind, serde_json::Value::Null, ask)).await
        }
        // The tenant may have changed since, and may have a later version.
        Kind::Upgrade => {
            let arguments: OperationArguments = serde_json::from_value(stored.arguments).unwrap_or_default();
            if arguments.course() == Course::Back {
                check_way_back(app, &tenant, &arguments).await?;
            }
            let arguments =
                upgrade::arguments_for(app, &tenant, arguments.version, arguments.course()).await?;
            let arguments = serde_json::to_value(arguments).unwrap_or_default();
            Box::pin(begin(app, caller, tenant, kind, arguments, ask)).await
        }
        kind => Box::pin(begin(app, caller, tenant, kind, stored.arguments, ask)).await,
    }
}

/// A tenant goes back once more only from the version that it was to go back from, and only where the way is proven.
async fn check_way_back(
    app: &Arc<App>,
    tenant: &Tenant,
    arguments: &OperationArguments,
) -> Result<(), ApiError> {
    let (Some(from), Some(to)) = (arguments.from, arguments.version) else { return Err(errors::internal()) };
    if tenant.version != from {
        let message = format!(
            "{} has version {} by now, and was to go back from {from}: `{}`",
            tenant.slug,
            tenant.version,
            upgrade::downgrade_command(tenant, to)
        );
        return Err(ApiError::new(ErrorCode::Precondition, message).on_field("operation"));
    }
    let target = Arc::clone(app.target(tenant.target.as_str())?);
    let from = Arc::clone(&app.blueprint(&tenant.blueprint, Some(from)).await?.blueprint);
    let to = Arc::clone(&app.blueprint(&tenant.blueprint, Some(to)).await?.blueprint);
    Box::pin(rehearse::check_way_back(app, &target, &from, &to)).await
}

fn kind_of(stored: &StoredOperation) -> Result<Kind, ApiError> {
    let operation = &stored.operation;
    let refuse = |why: &str| {
        let message = format!("the {} of {} {why}", operation.kind.name(), operation.slug);
        Err(ApiError::new(ErrorCode::Precondition, message).on_field("operation"))
    };
    match &operation.state {
        OperationState::Succeeded => return refuse("succeeded: there is nothing to do again"),
        state if !state.is_final() => return refuse("is still running: wait for it, or cancel it"),
        _ => {}
    }
    match Progress::of_journal(&stored.journal) {
        Ok(Some(progress)) => Ok(progress.kind()),
        _ => refuse("cannot be done again from its record: ask for it anew"),
    }
}

/// A request for the tenant from the same blueprint version.
fn again(tenant: &Tenant, seed: Seeding) -> ProvisionRequest {
    ProvisionRequest {
        slug: tenant.slug.to_string(),
        display_name: Some(tenant.display_name.clone()),
        labels: tenant.labels.clone(),
        blueprint: tenant.blueprint.to_string(),
        version: Some(tenant.version.to_string()),
        target: Some(tenant.target.to_string()),
        settings: tenant.settings.clone(),
        seed: seed == Seeding::With,
        approve: None,
        idempotency_key: None,
    }
}

async fn begin(
    app: &Arc<App>,
    caller: &Caller,
    tenant: Tenant,
    kind: Kind,
    arguments: serde_json::Value,
    ask: Ask,
) -> Result<OperationStarted, ApiError> {
    change::check_state(kind, &tenant)?;
    let kind = app.prepare_archive(kind, &tenant).await?;
    let arguments = serde_json::from_value::<Option<_>>(arguments).ok().flatten().unwrap_or_default();
    let (task, actor) = (Arc::clone(app), app.actor(caller));
    app.detached(async move { change::start(&task, actor, tenant, kind, arguments, ask).await }).await
}
