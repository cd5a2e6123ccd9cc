//! What all changes of an existing tenant have in common: the policy, the key, the state, and the start.

use std::sync::Arc;

use serde::Serialize;
use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::tenant::state::TenantStage;
use tenantry_protocol::tenant::{OperationStarted, Tenant};

use crate::model::operation::Kind;
use crate::model::tenant::beginning;
use crate::pipeline::{Actor, ChangeJob, OperationArguments};
use crate::postgres::Error;
use crate::postgres::control::tenants;

use crate::commands::idempotency::Ask;
use crate::commands::{App, Caller, errors};

/// A requested change, before anything about it has been checked.
pub(super) struct TenantChange<'a, Request> {
    /// The RPC's name, which the policy uses as well.
    pub(super) method: &'static str,
    pub(super) slug: &'a str,
    pub(super) key: Option<&'a str>,
    /// The part that must be the same when the key is used again.
    pub(super) same: &'a Request,
}

/// Checks and starts a change. `decide` looks at the tenant and returns what is to be done, or why the change is refused.
pub(super) async fn change<Request: Serialize + Sync>(
    app: &Arc<App>,
    caller: &Caller,
    asked: TenantChange<'_, Request>,
    decide: impl FnOnce(&Tenant) -> Result<(Kind, OperationArguments), ApiError>,
) -> Result<OperationStarted, ApiError> {
    let ask = Ask::new(caller, asked.method, asked.key, asked.same)?;
    if let Some(started) = app.replayed(&ask).await? {
        return Ok(started);
    }
    let tenant = app.find_tenant(asked.slug).await?;
    app.let_verification_end(tenant.id).await;
    let decided = decide(&tenant).and_then(|decided| check_state(decided.0, &tenant).map(|()| decided));
    let prepared = match decided {
        Ok((kind, arguments)) => app.prepare_archive(kind, &tenant).await.map(|kind| (kind, arguments)),
        Err(error) => Err(error),
    };
    let (kind, arguments) = match prepared {
        Ok(prepared) => prepared,
        // The same request, sent twice at once, may have found the tenant a moment earlier.
        Err(error) => return app.replayed(&ask).await?.ok_or(error),
    };
    let (task, actor) = (Arc::clone(app), app.actor(caller));
    app.detached(async move { start(&task, actor, tenant, kind, arguments, ask).await }).await
}

/// Whether the tenant is in a state from which this kind of operation begins.
pub(in crate::commands) fn check_state(kind: Kind, tenant: &Tenant) -> Result<(), ApiError> {
    let stage = tenant.state.stage();
    let from = beginning(kind).from;
    if from.contains(&stage) {
        return Ok(());
    }
    let next = match (stage, kind) {
        (TenantStage::Provisioning, _) => {
            "wait until its provisioning has ended: `tenantry operation list`".to_owned()
        }
        (TenantStage::RollingBack, _) => "it is being removed already: `tenantry operation list`".to_owned(),
        (stage, _) if stage.is_over() => "nothing of it is left".to_owned(),
        (TenantStage::NeedsAttention, _) => {
            format!("see `tenantry tenant show {}` for what to do", tenant.slug)
        }
        (TenantStage::Active, Kind::Resume) => "its logins are open already".to_owned(),
        (TenantStage::Suspended, Kind::Suspend) => "its logins are closed already".to_owned(),
        (TenantStage::Retiring, _) => {
            format!("take it back first with `tenantry tenant resume {}`", tenant.slug)
        }
        _ => {
            let names: Vec<&str> = from.iter().map(|stage| stage.name()).collect();
            format!("it would have to be {}", names.join(" or "))
        }
    };
    let message = format!("{} is {}: {next}", tenant.slug, stage.name());
    Err(ApiError::new(ErrorCode::Precondition, message))
}

pub(in crate::commands) async fn start(
    app: &App,
    actor: Actor,
    tenant: Tenant,
    kind: Kind,
    arguments: OperationArguments,
    ask: Ask,
) -> Result<OperationStarted, ApiError> {
    let build = tenants::build_of(app.control.pool(), tenant.id).await.map_err(errors::control)?;
    let Some(build) = build else { return Err(errors::internal()) };
    let target = Arc::clone(app.target(tenant.target.as_str())?);
    let slug = tenant.slug.clone();
    let begin = || {
        let job = ChangeJob {
            actor: actor.clone(),
            kind,
            tenant: tenant.clone(),
            target: Arc::clone(&target),
            build,
            arguments: arguments.clone(),
            secret: None,
            asked: ask.lend(),
            lane: None,
        };
        Box::pin(app.engine.change(job))
    };
    let mut begun = begin().await;
    // The daemon may have begun to verify the tenant since the caller waited for that.
    if matches!(begun, Err(Error::Busy)) && app.let_verification_end(tenant.id).await {
        begun = begin().await;
    }
    let refusal = match begun {
        Ok(Some(operation)) => return Ok(OperationStarted { operation, replayed: false }),
        Ok(None) => {
            let message =
                format!("{slug} changed its state meanwhile: look at it with `tenantry tenant show {slug}`");
            ApiError::new(ErrorCode::Precondition, message)
        }
        Err(Error::Busy) => {
            let message = format!(
                "another operation on {slug} is running: wait for it, or end it: `tenantry operation list`"
            );
            ApiError::new(ErrorCode::Conflict, message)
        }
        Err(Error::KeyTaken) => errors::internal(),
        Err(error) => return Err(errors::control(error)),
    };
    // With the same key, sent twice at once, the operation of the other request is also the answer to this one.
    app.replayed(&ask).await?.ok_or(refusal)
}

/// A destructive change needs the name again.
pub(super) fn check_confirmed(tenant: &Tenant, confirm: &str, what: &str) -> Result<(), ApiError> {
    if confirm == tenant.slug.as_str() {
        return Ok(());
    }
    let message = format!("to {what} {0}, repeat its name exactly: --confirm {0}", tenant.slug);
    Err(ApiError::invalid("confirm", message))
}
