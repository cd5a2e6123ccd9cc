//! `issue_credentials`, `rotate_credentials` and `finish_rotation`: a tenant's secrets and its two login slots.
//!
//! A secret is made here, goes to the server as a verifier, and is in the answer; it is stored and logged nowhere.
//! The intent is on record before the server changes, the outcome after.

use std::sync::Arc;
use std::time::Instant;

use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::id::OperationId;
use tenantry_protocol::operation::{Operation, OperationKind, OperationState};
use tenantry_protocol::session::Role;
use tenantry_protocol::tenant::{
    Credentials, FinishRotationRequest, IssueCredentialsRequest, RotateCredentialsRequest, RotationFinished,
    Tenant, TenantState,
};
use tenantry_protocol::watch::EventBody;
use time::OffsetDateTime;

use crate::audit;
use crate::model::audit_chain::{Entry, Outcome};
use crate::pipeline::Actor;
use crate::postgres::bookkeeping::Mark;
use crate::postgres::credentials::Issue;
use crate::postgres::operations::Context;
use crate::postgres::secret::Password;
use crate::postgres::target::Target;
use crate::postgres::{self, credentials, error::doing, operations, tenant_ddl, tenants};

use super::idempotency::Key;
use super::{App, Caller, errors};

/// What is done to a tenant's logins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// A new secret on the current slot.
    Issue,
    /// The other slot, opened beside the current one.
    Rotate,
    /// The slot before the rotation, closed.
    Finish,
}

/// A change of secrets on its way.
struct Job<'a> {
    change: Change,
    actor: &'a Actor,
    tenant: &'a Tenant,
    target: &'a Target,
    mark: Mark,
    /// The login role that is changed.
    role: String,
    /// The login role that works beside the current one when this is done.
    previous: Option<String>,
    key: Option<Key>,
}

pub async fn issue_credentials(
    app: &Arc<App>,
    caller: &Caller,
    request: IssueCredentialsRequest,
) -> Result<Credentials, ApiError> {
    app.authorise(caller, Role::Operator, "credentials.issue").await?;
    let same = IssueCredentialsRequest { idempotency_key: None, ..request.clone() };
    let key = Key::new(caller, "issue_credentials", request.idempotency_key.as_deref(), &same)?;
    secret(app, caller, Change::Issue, &request.slug, key).await
}

pub async fn rotate_credentials(
    app: &Arc<App>,
    caller: &Caller,
    request: RotateCredentialsRequest,
) -> Result<Credentials, ApiError> {
    app.authorise(caller, Role::Operator, "credentials.rotate").await?;
    let same = RotateCredentialsRequest { idempotency_key: None, ..request.clone() };
    let key = Key::new(caller, "rotate_credentials", request.idempotency_key.as_deref(), &same)?;
    secret(app, caller, Change::Rotate, &request.slug, key).await
}

async fn secret(
    app: &Arc<App>,
    caller: &Caller,
    change: Change,
    slug: &str,
    key: Option<Key>,
) -> Result<Credentials, ApiError> {
    let id = app.find_tenant(slug).await?.id;
    let (task, actor) = (Arc::clone(app), caller.actor());
    app.detached(async move {
        let _turn = task.secrets.wait(id).await;
        // Read anew: whoever had the turn before may have changed it.
        let tenant = task.find_tenant(&id.to_string()).await?;
        let target = Arc::clone(task.target(tenant.target.as_str())?);
        if let Some(operation) = task.replay(key.as_ref()).await? {
            let issued_at = task.find_operation(operation).await?.requested_at;
            return Ok(answer(&tenant, &target, &current(&tenant), None, issued_at));
        }
        let job = job(&task, change, &actor, &tenant, &target, key).await?;
        let password = Password::generate();
        let verifier = password.verifier();
        let effect = async {
            let issued = credentials::issue(&target, job.mark, &job.role, &verifier).await?;
            Ok((issued == Issue::Done).then_some(0))
        };
        let (_, issued_at) = Box::pin(run(&task, &job, effect)).await?;
        Ok(answer(&tenant, &target, &job.role, Some(&password), issued_at))
    })
    .await
}

pub async fn finish_rotation(
    app: &Arc<App>,
    caller: &Caller,
    request: FinishRotationRequest,
) -> Result<RotationFinished, ApiError> {
    app.authorise(caller, Role::Operator, "credentials.finish").await?;
    let same = FinishRotationRequest { idempotency_key: None, ..request.clone() };
    let key = Key::new(caller, "finish_rotation", request.idempotency_key.as_deref(), &same)?;
    let id = app.find_tenant(&request.slug).await?.id;
    let (task, actor) = (Arc::clone(app), caller.actor());
    app.detached(async move {
        let _turn = task.secrets.wait(id).await;
        // Read anew: whoever had the turn before may have changed it.
        let tenant = task.find_tenant(&id.to_string()).await?;
        let target = Arc::clone(task.target(tenant.target.as_str())?);
        let role = current(&tenant);
        if task.replay(key.as_ref()).await?.is_some() {
            let closed = tenant_ddl::other_slot(&tenant.placement, &role);
            return Ok(RotationFinished { slug: tenant.slug, role, closed, sessions_ended: 0 });
        }
        let job = job(&task, Change::Finish, &actor, &tenant, &target, key).await?;
        let ready = target.ready().await.map_err(|error| errors::target(target.name(), error))?;
        let effect = async { credentials::close_slot(&target, &ready, job.mark, &job.role).await.map(Some) };
        let (sessions_ended, _) = Box::pin(run(&task, &job, effect)).await?;
        Ok(RotationFinished { slug: tenant.slug.clone(), role, closed: job.role, sessions_ended })
    })
    .await
}

/// The login role that the tenant's newest secret is for.
fn current(tenant: &Tenant) -> String {
    let issued = tenant.credentials.as_ref().map(|issued| issued.role.clone());
    issued.unwrap_or_else(|| tenant_ddl::first_slot(&tenant.placement))
}

async fn job<'a>(
    app: &App,
    change: Change,
    actor: &'a Actor,
    tenant: &'a Tenant,
    target: &'a Target,
    key: Option<Key>,
) -> Result<Job<'a>, ApiError> {
    if tenant.state != TenantState::Active {
        return Err(not_active(tenant, tenant.state.name()));
    }
    let refuse = |message| Err(ApiError::new(ErrorCode::Precondition, message));
    let before = tenant.credentials.as_ref().and_then(|issued| issued.previous_role.clone());
    let now = current(tenant);
    let (role, previous) = match (change, before) {
        (Change::Issue, before) => (now, before),
        (Change::Rotate, _) if tenant.credentials.is_none() => {
            return refuse(format!(
                "{0} has no credentials to rotate: issue them with `tenantry tenant credentials {0} issue`",
                tenant.slug
            ));
        }
        (Change::Rotate, None) => (tenant_ddl::other_slot(&tenant.placement, &now), Some(now)),
        (Change::Rotate, Some(old)) => {
            return refuse(format!(
                "{0} is being rotated already: close {old} with `tenantry tenant credentials {0} finish`; for another \
                 secret on {now}, `issue`",
                tenant.slug
            ));
        }
        (Change::Finish, Some(old)) => (old, None),
        (Change::Finish, None) => {
            return refuse(format!(
                "{0} has no rotation to finish: begin one with `tenantry tenant credentials {0} rotate`",
                tenant.slug
            ));
        }
    };
    let fence = app.control.may_write().map_err(errors::control)?;
    let build = tenants::build_of(app.control.pool(), tenant.id).await.map_err(errors::control)?;
    let Some(build) = build else { return Err(errors::internal()) };
    Ok(Job { change, actor, tenant, target, mark: Mark { build, fence }, role, previous, key })
}

fn not_active(tenant: &Tenant, state: &str) -> ApiError {
    let message = format!(
        "{} is {state}, and only an active tenant gets credentials: look at it with `tenantry tenant show {0}`",
        tenant.slug
    );
    ApiError::new(ErrorCode::Precondition, message)
}

/// Intent, effect, outcome. `effect` runs only here, behind the intent; it gives a number for the answer, or nothing if the tenant is not active any more.
async fn run(
    app: &App,
    job: &Job<'_>,
    effect: impl Future<Output = postgres::Result<Option<u64>>>,
) -> Result<(u64, OffsetDateTime), ApiError> {
    let begin = Instant::now();
    let mut operation = new_operation(job);
    app.record_alone(&entry(job, operation.id, None, None)).await.map_err(errors::control)?;
    let result = effect.await;
    let outcome = if matches!(result, Ok(Some(_))) { Outcome::Ok } else { Outcome::Failed };
    let duration_ms = begin.elapsed().as_secs_f64() * 1_000.0;
    operation.duration_ms = Some(duration_ms);
    let entry = entry(job, operation.id, Some(outcome), Some(duration_ms));
    let count = match result {
        Ok(Some(count)) => count,
        failed => {
            app.record_alone(&entry).await.map_err(errors::control)?;
            return Err(match failed {
                Err(error) => errors::target(job.target.name(), error),
                Ok(_) => not_active(job.tenant, "being changed or removed"),
            });
        }
    };
    let (issued_at, seq) = record(app, job, &operation, &entry).await.map_err(errors::control)?;
    app.events.publish(EventBody::Audit { seq });
    if let Ok(Some(tenant)) = tenants::by_id(app.control.pool(), job.tenant.id).await {
        app.events.publish(EventBody::Tenant { tenant: Box::new(tenant) });
    }
    Ok((count, issued_at))
}

async fn record(
    app: &App,
    job: &Job<'_>,
    operation: &Operation,
    entry: &Entry,
) -> postgres::Result<(OffsetDateTime, i64)> {
    let mut tx = app.control.begin().await?;
    let id = job.tenant.id;
    let issued_at = match job.change {
        Change::Finish => {
            tenants::set_rotation_finished(&mut tx, id).await?;
            OffsetDateTime::now_utc()
        }
        Change::Issue | Change::Rotate => {
            tenants::set_credentials_issued(&mut tx, id, &job.role, job.previous.as_deref()).await?
        }
    };
    operations::insert(&mut tx, operation, Context { epoch: app.control.epoch(), ..Context::default() })
        .await?;
    operations::update(&mut tx, operation).await?;
    if let Some(key) = &job.key {
        operations::insert_key(&mut tx, key.lend(), operation.id).await?;
    }
    let seq = audit::record(&mut tx, entry).await?;
    tx.commit().await.map_err(doing("commit the change of credentials"))?;
    Ok((issued_at, seq))
}

fn new_operation(job: &Job<'_>) -> Operation {
    Operation {
        id: OperationId::generate(),
        kind: match job.change {
            Change::Issue => OperationKind::IssueCredentials,
            Change::Rotate => OperationKind::RotateCredentials,
            Change::Finish => OperationKind::FinishRotation,
        },
        tenant_id: job.tenant.id,
        slug: job.tenant.slug.clone(),
        target: job.tenant.target.clone(),
        state: OperationState::Succeeded,
        steps: Vec::new(),
        actor: job.actor.name.clone(),
        requested_at: OffsetDateTime::now_utc(),
        duration_ms: None,
        // One statement, bounded by the target's own timeouts.
        budget_ms: 60_000,
    }
}

fn entry(job: &Job<'_>, operation: OperationId, outcome: Option<Outcome>, duration_ms: Option<f64>) -> Entry {
    let action = match (job.change, outcome) {
        (Change::Issue, None) => "credentials.issue.intent",
        (Change::Issue, Some(_)) => "credentials.issue",
        (Change::Rotate, None) => "credentials.rotate.intent",
        (Change::Rotate, Some(_)) => "credentials.rotate",
        (Change::Finish, None) => "credentials.finish.intent",
        (Change::Finish, Some(_)) => "credentials.finish",
    };
    Entry {
        action,
        actor_uid: job.actor.uid,
        actor: job.actor.name.clone(),
        tenant_id: Some(job.tenant.id.as_uuid()),
        slug: Some(job.tenant.slug.to_string()),
        operation_id: Some(operation.as_uuid()),
        outcome,
        duration_ms,
        detail: Some(job.role.clone()),
    }
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
        database: target.database().to_owned(),
        issued_at,
    }
}
