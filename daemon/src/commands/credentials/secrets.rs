//! `issue_credentials`, `rotate_credentials` and `finish_rotation`: a tenant's secrets and its two login slots.
//!
//! Each is an operation of the pipeline like any other: intent, effect and outcome are on record, a daemon that takes it
//! over closes a login that nobody works with, and the trail records the end whatever fails. The difference is that a
//! caller waits for the answer. A secret is made here, sent to the server as a verifier, and returned only in the answer
//! to the call that requested it. It is never stored or logged, so after an interrupted call the caller has to ask again.

use std::sync::Arc;

use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::id::OperationId;
use tenantry_protocol::operation::{Operation, OperationState};
use tenantry_protocol::tenant::{
    Credentials, FinishRotationRequest, IssueCredentialsRequest, RotateCredentialsRequest, RotationFinished,
    Tenant, TenantState,
};
use time::OffsetDateTime;

use crate::model::operation::Kind;
use crate::pipeline::{Actor, ChangeJob, OperationArguments};
use crate::postgres::control::tenants;
use crate::postgres::secret::{Password, Verifier};
use crate::postgres::target::Target;
use crate::postgres::target::location;
use crate::postgres::tenant_ddl;

use crate::commands::idempotency::Ask;
use crate::commands::{App, Caller, errors};

/// A requested change of secrets.
struct SecretChange {
    kind: Kind,
    actor: Actor,
    ask: Ask,
}

pub async fn issue_credentials(
    app: &Arc<App>,
    caller: &Caller,
    request: IssueCredentialsRequest,
) -> Result<Credentials, ApiError> {
    let same = IssueCredentialsRequest { idempotency_key: None, ..request.clone() };
    let ask = Ask::new(caller, "issue_credentials", request.idempotency_key.as_deref(), &same)?;
    secret(app, caller, Kind::IssueCredentials, &request.slug, ask).await
}

pub async fn rotate_credentials(
    app: &Arc<App>,
    caller: &Caller,
    request: RotateCredentialsRequest,
) -> Result<Credentials, ApiError> {
    let same = RotateCredentialsRequest { idempotency_key: None, ..request.clone() };
    let ask = Ask::new(caller, "rotate_credentials", request.idempotency_key.as_deref(), &same)?;
    secret(app, caller, Kind::RotateCredentials, &request.slug, ask).await
}

async fn secret(
    app: &Arc<App>,
    caller: &Caller,
    kind: Kind,
    slug: &str,
    ask: Ask,
) -> Result<Credentials, ApiError> {
    let id = app.find_tenant(slug).await?.id;
    let (task, asked) = (Arc::clone(app), SecretChange { kind, actor: app.actor(caller), ask });
    app.detached(async move {
        let _turn = task.secrets.wait(id).await;
        task.let_verification_end(id).await;
        // Read again: the previous holder of the turn may have changed the tenant.
        let tenant = task.find_tenant(&id.to_string()).await?;
        let target = Arc::clone(task.target(tenant.target.as_str())?);
        if let Some(earlier) = task.replay(&asked.ask).await? {
            let issued_at = replayed(&task, earlier).await?.requested_at;
            return Ok(answer(&tenant, &target, &current(&tenant), None, issued_at));
        }
        let login = login(kind, &tenant)?;
        let password = Password::generate();
        let verifier = Some(password.verifier());
        run(&task, asked, &tenant, &target, login.clone(), verifier).await?;
        let tenant = task.find_tenant(&id.to_string()).await?;
        let issued_at = tenant.credentials.as_ref().map_or(tenant.updated_at, |issued| issued.issued_at);
        Ok(answer(&tenant, &target, &login, Some(&password), issued_at))
    })
    .await
}

pub async fn finish_rotation(
    app: &Arc<App>,
    caller: &Caller,
    request: FinishRotationRequest,
) -> Result<RotationFinished, ApiError> {
    let same = FinishRotationRequest { idempotency_key: None, ..request.clone() };
    let ask = Ask::new(caller, "finish_rotation", request.idempotency_key.as_deref(), &same)?;
    let id = app.find_tenant(&request.slug).await?.id;
    let kind = Kind::FinishRotation;
    let (task, asked) = (Arc::clone(app), SecretChange { kind, actor: app.actor(caller), ask });
    app.detached(async move {
        let _turn = task.secrets.wait(id).await;
        task.let_verification_end(id).await;
        // Read again: the previous holder of the turn may have changed the tenant.
        let tenant = task.find_tenant(&id.to_string()).await?;
        let target = Arc::clone(task.target(tenant.target.as_str())?);
        let role = current(&tenant);
        if let Some(earlier) = task.replay(&asked.ask).await? {
            replayed(&task, earlier).await?;
            let closed = tenant_ddl::other_slot(&tenant.placement, &role);
            return Ok(RotationFinished { slug: tenant.slug, role, closed, sessions_ended: 0 });
        }
        let closed = login(kind, &tenant)?;
        let operation = run(&task, asked, &tenant, &target, closed.clone(), None).await?;
        let ended = operation.steps.iter().find_map(|step| step.count).map_or(0, |count| count.done);
        Ok(RotationFinished { slug: tenant.slug, role, closed, sessions_ended: ended.into() })
    })
    .await
}

/// The result of an earlier call with the same key.
async fn replayed(app: &App, earlier: OperationId) -> Result<Operation, ApiError> {
    let operation = app.find_operation(earlier).await?;
    let refuse = |message| Err(ApiError::new(ErrorCode::Conflict, message).on_field("idempotency_key"));
    match &operation.state {
        OperationState::Succeeded => Ok(operation),
        state if !state.is_final() => refuse(format!(
            "operation {earlier}, which this key led to, is {}: wait for its end, and ask again with a new key",
            state.name()
        )),
        state => {
            let why = state.failure().map_or_else(String::new, |failure| format!(" ({})", failure.summary()));
            refuse(format!(
                "operation {earlier}, which this key led to, is {}{why}: ask again with a new key",
                state.name()
            ))
        }
    }
}

/// The login role that the tenant's newest secret is for.
fn current(tenant: &Tenant) -> String {
    let issued = tenant.credentials.as_ref().map(|issued| issued.role.clone());
    issued.unwrap_or_else(|| tenant_ddl::first_slot(&tenant.placement))
}

/// The login role that is to be opened or closed.
fn login(kind: Kind, tenant: &Tenant) -> Result<String, ApiError> {
    if tenant.state != TenantState::Active {
        return Err(not_active(tenant));
    }
    let refuse = |message| Err(ApiError::new(ErrorCode::Precondition, message));
    let (before, slug) =
        (tenant.credentials.as_ref().and_then(|issued| issued.previous_role.clone()), &tenant.slug);
    let now = current(tenant);
    match (kind, before) {
        (Kind::FinishRotation, Some(old)) => Ok(old),
        (Kind::FinishRotation, None) => refuse(format!(
            "{slug} has no rotation to finish: begin one with `tenantry tenant credentials {slug} rotate`"
        )),
        (Kind::RotateCredentials, _) if tenant.credentials.is_none() => refuse(format!(
            "{slug} has no credentials to rotate: issue them with `tenantry tenant credentials {slug} issue`"
        )),
        (Kind::RotateCredentials, None) => Ok(tenant_ddl::other_slot(&tenant.placement, &now)),
        (Kind::RotateCredentials, Some(old)) => refuse(format!(
            "{slug} is being rotated already: close {old} with `tenantry tenant credentials {slug} finish`; for another \
             secret on {now}, `issue`"
        )),
        _ => Ok(now),
    }
}

fn not_active(tenant: &Tenant) -> ApiError {
    let message = format!(
        "{0} is {1}, and only an active tenant gets credentials: look at it with `tenantry tenant show {0}`",
        tenant.slug,
        tenant.state.name()
    );
    ApiError::new(ErrorCode::Precondition, message)
}

/// Runs the operation, and waits until it has succeeded.
async fn run(
    app: &App,
    asked: SecretChange,
    tenant: &Tenant,
    target: &Arc<Target>,
    login: String,
    secret: Option<Verifier>,
) -> Result<Operation, ApiError> {
    let build = tenants::build_of(app.control.pool(), tenant.id).await.map_err(errors::control)?;
    let Some(build) = build else { return Err(errors::internal()) };
    let job = ChangeJob {
        actor: asked.actor,
        kind: asked.kind,
        tenant: tenant.clone(),
        target: Arc::clone(target),
        build,
        arguments: OperationArguments { login: Some(login), ..OperationArguments::default() },
        secret,
        asked: asked.ask.lend(),
        lane: None,
    };
    match Box::pin(app.engine.change_and_wait(job)).await.map_err(errors::control)? {
        Some(operation) if operation.state == OperationState::Succeeded => Ok(operation),
        Some(operation) => Err(failed(&operation)),
        None => Err(not_active(&app.find_tenant(&tenant.id.to_string()).await?)),
    }
}

/// The answer to the caller if the operation did not succeed, or if its daemon lost it.
fn failed(operation: &Operation) -> ApiError {
    let Some(failure) = operation.state.failure() else {
        let message = "the operation was interrupted, and its secret is with nobody: ask again; `tenantry operation list` \
                       says what became of it, and `tenantry status` which daemon to ask";
        return ApiError::new(ErrorCode::Unavailable, message);
    };
    let code = if failure.sqlstate.is_some() || failure.hint.is_some() {
        // The server refused, or could not be reached.
        ErrorCode::Unavailable
    } else {
        ErrorCode::Precondition
    };
    let hint = failure.hint.as_ref().map(|hint| format!(": {hint}")).unwrap_or_default();
    ApiError::new(code, format!("{}{hint}", failure.summary()))
}

fn answer(
    tenant: &Tenant,
    target: &Target,
    role: &str,
    password: Option<&Password>,
    issued_at: OffsetDateTime,
) -> Credentials {
    let (host, port) = target.endpoint();
    Credentials {
        slug: tenant.slug.clone(),
        role: role.to_owned(),
        password: password.map(|password| password.expose().to_owned()),
        host,
        port,
        database: location::database_of(target, tenant.tenancy, &tenant.placement).to_owned(),
        issued_at,
    }
}
