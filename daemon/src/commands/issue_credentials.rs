//! `issue_credentials`: sets a new secret on the tenant's current login role and returns it once.
//!
//! The secret is made here, goes to the server as a verifier, and is in the answer; it is stored and logged nowhere.
//! The intent is on record before the server changes, the outcome after.

use std::sync::Arc;
use std::time::Instant;

use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::id::OperationId;
use tenantry_protocol::operation::{Operation, OperationKind, OperationState};
use tenantry_protocol::session::Role;
use tenantry_protocol::tenant::{Credentials, IssueCredentialsRequest, Tenant, TenantState};
use tenantry_protocol::watch::EventBody;
use time::OffsetDateTime;

use crate::audit;
use crate::model::audit_chain::{Entry, Outcome};
use crate::pipeline::Actor;
use crate::postgres::credentials::Issue;
use crate::postgres::secret::Password;
use crate::postgres::target::Target;
use crate::postgres::{self, credentials, error::doing, operations, tenant_ddl, tenants};

use super::idempotency::Key;
use super::{App, Caller, errors};

pub async fn issue_credentials(
    app: &Arc<App>,
    caller: &Caller,
    request: IssueCredentialsRequest,
) -> Result<Credentials, ApiError> {
    app.authorise(caller, Role::Operator, "credentials.issue").await?;
    let same = IssueCredentialsRequest { idempotency_key: None, ..request.clone() };
    let key = Key::new(caller, "issue_credentials", request.idempotency_key.as_deref(), &same)?;
    let tenant = app.find_tenant(&request.slug).await?;
    let target = Arc::clone(app.target(tenant.target.as_str())?);
    let (task, actor) = (Arc::clone(app), caller.actor());
    app.detached(async move {
        let _turn = task.secrets.wait(tenant.id).await;
        if let Some(operation) = task.replay(key.as_ref()).await? {
            let issued_at = task.find_operation(operation).await?.requested_at;
            return Ok(answer(&tenant, &target, None, issued_at));
        }
        if tenant.state != TenantState::Active {
            return Err(not_active(&tenant, tenant.state.name()));
        }
        issue(&task, &actor, &tenant, &target, key).await
    })
    .await
}

fn not_active(tenant: &Tenant, state: &str) -> ApiError {
    let message = format!(
        "{} is {state}, and only an active tenant gets credentials: look at it with `tenantry tenant show {0}`",
        tenant.slug
    );
    ApiError::new(ErrorCode::Precondition, message)
}

async fn issue(
    app: &App,
    actor: &Actor,
    tenant: &Tenant,
    target: &Target,
    key: Option<Key>,
) -> Result<Credentials, ApiError> {
    let begin = Instant::now();
    let mut operation = new_operation(actor, tenant);
    let intent = entry("credentials.issue.intent", actor, tenant, operation.id, None, None);
    app.record_alone(&intent).await.map_err(errors::control)?;
    let password = Password::generate();
    let set = credentials::issue(target, &tenant.placement, &password.verifier()).await;
    let outcome = if matches!(set, Ok(Issue::Done)) { Outcome::Ok } else { Outcome::Failed };
    let duration_ms = begin.elapsed().as_secs_f64() * 1_000.0;
    operation.duration_ms = Some(duration_ms);
    let entry = entry("credentials.issue", actor, tenant, operation.id, Some(outcome), Some(duration_ms));
    if outcome != Outcome::Ok {
        app.record_alone(&entry).await.map_err(errors::control)?;
        return Err(match set {
            Err(error) => errors::target(target.name(), error),
            Ok(_) => not_active(tenant, "being removed"),
        });
    }
    let (issued_at, seq) =
        record(app, tenant, &operation, key.as_ref(), &entry).await.map_err(errors::control)?;
    app.events.publish(EventBody::Audit { seq });
    if let Ok(Some(tenant)) = tenants::by_id(app.control.pool(), tenant.id).await {
        app.events.publish(EventBody::Tenant { tenant: Box::new(tenant) });
    }
    Ok(answer(tenant, target, Some(&password), issued_at))
}

async fn record(
    app: &App,
    tenant: &Tenant,
    operation: &Operation,
    key: Option<&Key>,
    entry: &Entry,
) -> postgres::Result<(OffsetDateTime, i64)> {
    let mut tx = app.control.begin().await?;
    let role = tenant_ddl::current_slot(&tenant.placement);
    let issued_at = tenants::set_credentials_issued(&mut tx, tenant.id, &role).await?;
    operations::insert(&mut tx, operation, None, app.control.epoch()).await?;
    operations::update(&mut tx, operation).await?;
    if let Some(key) = key {
        operations::insert_key(&mut tx, key.lend(), operation.id).await?;
    }
    let seq = audit::record(&mut tx, entry).await?;
    tx.commit().await.map_err(doing("commit the issue of credentials"))?;
    Ok((issued_at, seq))
}

fn new_operation(actor: &Actor, tenant: &Tenant) -> Operation {
    Operation {
        id: OperationId::generate(),
        kind: OperationKind::IssueCredentials,
        tenant_id: tenant.id,
        slug: tenant.slug.clone(),
        target: tenant.target.clone(),
        state: OperationState::Succeeded,
        steps: Vec::new(),
        actor: actor.name.clone(),
        requested_at: OffsetDateTime::now_utc(),
        duration_ms: None,
        // One statement, bounded by the target's own timeouts.
        budget_ms: 60_000,
    }
}

fn entry(
    action: &'static str,
    actor: &Actor,
    tenant: &Tenant,
    operation: OperationId,
    outcome: Option<Outcome>,
    duration_ms: Option<f64>,
) -> Entry {
    Entry {
        action,
        actor_uid: actor.uid,
        actor: actor.name.clone(),
        tenant_id: Some(tenant.id.as_uuid()),
        slug: Some(tenant.slug.to_string()),
        operation_id: Some(operation.as_uuid()),
        outcome,
        duration_ms,
        detail: Some(tenant_ddl::current_slot(&tenant.placement)),
    }
}

fn answer(
    tenant: &Tenant,
    target: &Target,
    password: Option<&Password>,
    issued_at: OffsetDateTime,
) -> Credentials {
    let (host, port) = target.endpoint();
    Credentials {
        slug: tenant.slug.clone(),
        role: tenant_ddl::current_slot(&tenant.placement),
        password: password.map(|password| password.expose().to_owned()),
        host,
        port,
        database: target.database().to_owned(),
        issued_at,
    }
}
