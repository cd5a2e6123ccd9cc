//! `audit_redact`: removes the name of a former customer, or of a person, from the trail and the registry. The events
//! stay, and the chain still verifies.

use std::sync::Arc;

use tenantry_protocol::audit::{AuditRedactRequest, AuditRedacted};
use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::tenant::state::TenantStage;
use tenantry_protocol::watch::EventBody;
use uuid::Uuid;

use crate::audit::AuditedTx;
use crate::model::audit_chain::{Actor, Entry, Outcome};
use crate::postgres::audit::filter;
use crate::postgres::audit::redaction::{self, Gone};

use crate::commands::operations::list::parse_slug;
use crate::commands::{App, Caller, errors};

/// The daemon is not a person.
const DAEMON: &str = "tenantryd";
/// The owner of the name to be removed.
enum Whose {
    Tenant(String),
    Actor(String),
}

pub async fn audit_redact(
    app: &Arc<App>,
    caller: &Caller,
    request: AuditRedactRequest,
) -> Result<AuditRedacted, ApiError> {
    let whose = whose(&request)?;
    let (task, actor) = (Arc::clone(app), app.actor(caller));
    app.detached(async move {
        let mut tx = task.trail.begin().await.map_err(errors::control)?;
        let (gone, entry) = match &whose {
            Whose::Tenant(slug) => redact_tenant(&mut tx, slug, actor).await?,
            Whose::Actor(name) => redact_actor(&mut tx, name, actor).await?,
        };
        let entry = Entry { outcome: Some(Outcome::Ok), ..entry }
            .fact("events", gone.events)
            .fact("values", gone.values);
        let seq = tx.record(&entry).await.map_err(errors::control)?;
        tx.commit("commit a redaction").await.map_err(errors::control)?;
        task.events.publish(EventBody::Audit { seq });
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(AuditRedacted { events: count(gone.events), values: count(gone.values) })
    })
    .await
}

fn whose(request: &AuditRedactRequest) -> Result<Whose, ApiError> {
    let (whose, name) = match (&request.slug, &request.actor) {
        (Some(slug), None) => (Whose::Tenant(parse_slug(slug)?), slug),
        (None, Some(actor)) if actor.trim().is_empty() => {
            return Err(ApiError::invalid("actor", "actor is empty: name the account"));
        }
        (None, Some(actor)) if actor == DAEMON => {
            return Err(ApiError::invalid(
                "actor",
                "tenantryd is the daemon itself: it has no name to redact",
            ));
        }
        (None, Some(actor)) => (Whose::Actor(actor.clone()), actor),
        _ => {
            return Err(ApiError::invalid(
                "slug",
                "name either a removed tenant (slug) or an account (actor)",
            ));
        }
    };
    if request.confirm != *name {
        let message = "confirm must be the same name again: what is redacted cannot be brought back";
        return Err(ApiError::invalid("confirm", message));
    }
    Ok(whose)
}

async fn redact_tenant(tx: &mut AuditedTx<'_>, slug: &str, actor: Actor) -> Result<(Gone, Entry), ApiError> {
    let known = redaction::tenants_named(tx, slug).await.map_err(errors::control)?;
    if known.is_empty() {
        let message = format!("no tenant has or had the name {slug}");
        return Err(ApiError::new(ErrorCode::NotFound, message).on_field("slug"));
    }
    if let Some((_, state)) =
        known.iter().find(|(_, state)| !TenantStage::parse(state).is_some_and(TenantStage::is_over))
    {
        let message = format!(
            "a tenant named {slug} is {state}: only the names of removed tenants are redacted; retire it or roll it \
             back first"
        );
        return Err(ApiError::new(ErrorCode::Precondition, message).on_field("slug"));
    }
    let holds = redaction::holds_on_tenant(tx, slug).await.map_err(errors::control)?;
    refuse_if_held(&holds)?;
    let tenants: Vec<Uuid> = known.into_iter().map(|(id, _)| id).collect();
    let gone = redaction::redact_tenants(tx, &tenants, slug).await.map_err(errors::control)?;
    redaction::rename_tenants(tx, &tenants, slug).await.map_err(errors::control)?;
    let ids: Vec<String> = tenants.iter().map(Uuid::to_string).collect();
    let entry = Entry {
        tenant_id: tenants.first().copied().filter(|_| tenants.len() == 1),
        ..Entry::new("audit.redact", actor).fact("of", "tenant").fact("tenants", ids.join(" "))
    };
    Ok((gone, entry))
}

async fn redact_actor(tx: &mut AuditedTx<'_>, name: &str, actor: Actor) -> Result<(Gone, Entry), ApiError> {
    let known = filter::actors_named(tx, name).await.map_err(errors::control)?;
    if known.is_empty() {
        let message = format!("no event is of an account named {}", name.escape_debug());
        return Err(ApiError::new(ErrorCode::NotFound, message).on_field("actor"));
    }
    let holds = redaction::holds_on_actors(tx, &known).await.map_err(errors::control)?;
    refuse_if_held(&holds)?;
    let gone = redaction::redact_actors(tx, &known).await.map_err(errors::control)?;
    redaction::rename_actors(tx, &known).await.map_err(errors::control)?;
    let uids: Vec<String> =
        known.iter().filter_map(|actor| filter::uid_of(actor)).map(|uid| uid.to_string()).collect();
    let entry = Entry::new("audit.redact", actor).fact("of", "actor").fact("uids", uids.join(" "));
    Ok((gone, entry))
}

fn refuse_if_held(holds: &[String]) -> Result<(), ApiError> {
    if holds.is_empty() {
        return Ok(());
    }
    let message = format!(
        "held by {}: nothing of it is redacted until the hold is released (`tenantry audit release`)",
        holds.join(", ")
    );
    Err(ApiError::new(ErrorCode::Precondition, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_given_once_and_confirmed() {
        let request = |slug: Option<&str>, actor: Option<&str>, confirm: &str| AuditRedactRequest {
            slug: slug.map(str::to_owned),
            actor: actor.map(str::to_owned),
            confirm: confirm.to_owned(),
        };
        assert!(matches!(whose(&request(Some("acme"), None, "acme")), Ok(Whose::Tenant(_))));
        assert!(matches!(whose(&request(None, Some("ops1"), "ops1")), Ok(Whose::Actor(_))));
        for (wrong, field) in [
            (request(None, None, ""), "slug"),
            (request(Some("acme"), Some("ops1"), "acme"), "slug"),
            (request(Some("acme"), None, "acm"), "confirm"),
            (request(None, Some("tenantryd"), "tenantryd"), "actor"),
            (request(None, Some(" "), " "), "actor"),
        ] {
            let error = whose(&wrong).err();
            assert_eq!(error.and_then(|error| error.field).as_deref(), Some(field), "{wrong:?}");
        }
    }
}
