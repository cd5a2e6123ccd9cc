//! `provision`: starts the creation of a tenant and answers at once.

use std::sync::Arc;

use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::id::TenantId;
use tenantry_protocol::name::PlacementName;
use tenantry_protocol::plan::{Plan, Severity};
use tenantry_protocol::tenant::{OperationStarted, ProvisionRequest};

use crate::model::plan_hash;
use crate::pipeline::{Actor, ProvisionJob};
use crate::postgres::Error;
use crate::postgres::control::tenants::NewTenant;

use super::resolve::{Resolved, taken};
use crate::commands::idempotency::Ask;
use crate::commands::{App, Caller, errors};

pub async fn provision(
    app: &Arc<App>,
    caller: &Caller,
    request: ProvisionRequest,
) -> Result<OperationStarted, ApiError> {
    let same = ProvisionRequest { idempotency_key: None, ..request.clone() };
    let ask = Ask::new(caller, "provision", request.idempotency_key.as_deref(), &same)?;
    // A key that was used leads to its operation, even if the name, the blueprint or the target has changed since.
    if let Some(started) = app.replayed(&ask).await? {
        return Ok(started);
    }
    provision_again(app, caller, request, ask).await
}

/// Provisions under a key that has already been looked up.
pub(in crate::commands) async fn provision_again(
    app: &Arc<App>,
    caller: &Caller,
    request: ProvisionRequest,
    ask: Ask,
) -> Result<OperationStarted, ApiError> {
    let (resolved, plan) = match prepare(app, &request).await {
        Ok(prepared) => prepared,
        // The same request, sent twice at once, may have taken the name or the last place a moment earlier.
        Err(error) => return app.replayed(&ask).await?.ok_or(error),
    };
    let (task, actor) = (Arc::clone(app), app.actor(caller));
    app.detached(async move { start(&task, actor, resolved, &plan.hash, ask).await }).await
}

async fn prepare(app: &App, request: &ProvisionRequest) -> Result<(Resolved, Plan), ApiError> {
    let resolved = app.resolve(request).await?;
    let plan = app.plan_of(&resolved).await?;
    check_plan(&plan, request.approve.as_deref())?;
    Ok((resolved, plan))
}

/// Checks that the plan is the approved one, and that no finding refuses it.
fn check_plan(plan: &Plan, approved: Option<&str>) -> Result<(), ApiError> {
    if let Some(approved) = approved
        && !plan_hash::is_approved(&plan.hash, approved)
    {
        let message = format!(
            "the plan is {} now, not the approved {}: look at it again with --plan, then approve it",
            &plan.hash[..plan_hash::SHORTEST_PREFIX],
            approved.escape_debug()
        );
        return Err(ApiError::new(ErrorCode::Precondition, message).on_field("approve"));
    }
    let refusals: Vec<String> = plan
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| match (&finding.file, finding.line) {
            (Some(file), Some(line)) => format!("{file}:{line} {}", finding.message),
            (Some(file), None) => format!("{file} {}", finding.message),
            _ => finding.message.clone(),
        })
        .collect();
    if refusals.is_empty() {
        return Ok(());
    }
    Err(ApiError::new(ErrorCode::Precondition, format!("preflight refuses: {}", refusals.join("; "))))
}

async fn start(
    app: &App,
    actor: Actor,
    resolved: Resolved,
    plan_hash: &str,
    ask: Ask,
) -> Result<OperationStarted, ApiError> {
    let slug = resolved.slug.clone();
    let tenant = NewTenant {
        id: TenantId::generate(),
        slug: resolved.slug,
        display_name: resolved.display_name,
        labels: resolved.labels,
        blueprint: resolved.blueprint.name.clone(),
        version: resolved.blueprint.version,
        tenancy: resolved.blueprint.tenancy,
        target: resolved.target.name().clone(),
        placement: PlacementName::from_random(rand::random()),
        settings: resolved.settings,
    };
    let job = ProvisionJob {
        actor,
        tenant,
        blueprint: resolved.blueprint,
        target: resolved.target,
        seed: resolved.seed,
        plan_hash,
        asked: ask.lend(),
    };
    match app.engine.provision(job).await {
        Ok(operation) => Ok(OperationStarted { operation, replayed: false }),
        // Two requests came at once. If they have the same key, the operation of the other one is also the answer to this
        // one.
        Err(Error::SlugTaken | Error::KeyTaken) => match app.replayed(&ask).await? {
            Some(started) => Ok(started),
            None => Err(taken(&slug, "new")),
        },
        Err(error) => Err(errors::control(error)),
    }
}

impl App {
    /// The operation that the key led to earlier, as an answer.
    pub(in crate::commands) async fn replayed(
        &self,
        ask: &Ask,
    ) -> Result<Option<OperationStarted>, ApiError> {
        let Some(id) = self.replay(ask).await? else { return Ok(None) };
        let operation = self.find_operation(id).await?;
        Ok(Some(OperationStarted { operation, replayed: true }))
    }
}
