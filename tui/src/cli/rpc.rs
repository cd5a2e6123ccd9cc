//! `rpc METHOD [JSON]`: any method of the daemon by its name on the wire. The answer is always JSON.
//!
//! Invariant: a field that the method does not have is an error here, since the daemon would ignore it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::AsyncReadExt;

use super::Context;
use super::args::Rpc;
use super::error::CliError;
use crate::client::Client;

const METHODS: &str = "hello, health, targets, blueprints, blueprint_check, blueprint_add, plan, provision, \
                       operations, operation, watch, cancel, retry, rollback, rollback_preview, suspend, resume, \
                       update_tenant, retire, issue_credentials, rotate_credentials, finish_rotation, tenants, tenant, \
                       audit";
/// As much as a frame can hold.
const MAX_REQUEST: u64 = tenantry_protocol::frame::MAX_FRAME_BYTES as u64;

pub(super) async fn run(context: &Context, rpc: Rpc) -> Result<(), CliError> {
    let text = match rpc.request.as_deref() {
        None => "{}".to_owned(),
        Some("-") => standard_input().await?,
        Some(text) => text.to_owned(),
    };
    let request: Value = serde_json::from_str(&text)
        .map_err(|error| CliError::invalid("request", format!("the request is not JSON: {error}")))?;
    if !METHODS.split(", ").any(|method| method == rpc.method) {
        return Err(CliError::invalid(
            "method",
            format!("there is no method '{}'; there are {METHODS}", rpc.method),
        ));
    }
    let client = context.client().await?;
    let answer = call(&client, &rpc.method, request).await?;
    context.output.document(&answer)
}

async fn standard_input() -> Result<String, CliError> {
    let mut text = String::new();
    let read = tokio::io::stdin().take(MAX_REQUEST + 1).read_to_string(&mut text).await;
    match read {
        Ok(bytes) if bytes as u64 <= MAX_REQUEST => Ok(text),
        Ok(_) => {
            Err(CliError::invalid("request", "the request is larger than 8 MiB, the most a frame can hold"))
        }
        Err(error) => Err(CliError::invalid("request", format!("standard input cannot be read: {error}"))),
    }
}

async fn call(client: &Client, method: &str, request: Value) -> Result<Value, CliError> {
    match method {
        "hello" => to_json(client.hello()),
        "health" => {
            let _: tenantry_protocol::session::HealthRequest = from_json(request)?;
            to_json(&client.health().await?)
        }
        "targets" => to_json(&client.targets(from_json(request)?).await?),
        "blueprints" => to_json(&client.blueprints(from_json(request)?).await?),
        "blueprint_check" => to_json(&client.blueprint_check(from_json(request)?).await?),
        "blueprint_add" => to_json(&client.blueprint_add(from_json(request)?).await?),
        "plan" => to_json(&client.plan(from_json(request)?).await?),
        "provision" => to_json(&client.provision(from_json(request)?).await?),
        "operations" => to_json(&client.operations(from_json(request)?).await?),
        "operation" => {
            let request: tenantry_protocol::operation::OperationRequest = from_json(request)?;
            to_json(&client.operation(request.id).await?)
        }
        "watch" => to_json(&client.watch(from_json(request)?).await?),
        "rollback" => to_json(&client.rollback(from_json(request)?).await?),
        "rollback_preview" => {
            let request: tenantry_protocol::tenant::RollbackPreviewRequest = from_json(request)?;
            to_json(&client.rollback_preview(request.slug).await?)
        }
        "issue_credentials" => to_json(&client.issue_credentials(from_json(request)?).await?),
        "cancel" => to_json(&client.cancel(from_json(request)?).await?),
        "retry" => to_json(&client.retry(from_json(request)?).await?),
        "suspend" => to_json(&client.suspend(from_json(request)?).await?),
        "resume" => to_json(&client.resume(from_json(request)?).await?),
        "update_tenant" => to_json(&client.update_tenant(from_json(request)?).await?),
        "retire" => to_json(&client.retire(from_json(request)?).await?),
        "rotate_credentials" => to_json(&client.rotate_credentials(from_json(request)?).await?),
        "finish_rotation" => to_json(&client.finish_rotation(from_json(request)?).await?),
        "tenants" => to_json(&client.tenants(from_json(request)?).await?),
        "tenant" => {
            let request: tenantry_protocol::tenant::TenantRequest = from_json(request)?;
            to_json(&client.tenant(request.slug).await?)
        }
        "audit" => to_json(&client.audit(from_json(request)?).await?),
        other => Err(CliError::Bug(format!("the method {other} is listed but not called"))),
    }
}

fn from_json<T: DeserializeOwned + Serialize>(value: Value) -> Result<T, CliError> {
    let request = T::deserialize(&value).map_err(|error| {
        CliError::invalid("request", format!("the request does not fit the method: {error}"))
    })?;
    let known = to_json(&request)?;
    if let (Some(given), Some(known)) = (value.as_object(), known.as_object())
        && let Some(stranger) = given.keys().find(|key| !known.contains_key(*key))
    {
        let fields: Vec<&str> = known.keys().map(String::as_str).collect();
        return Err(CliError::Invalid {
            field: Some(stranger.clone()),
            message: format!(
                "the method has no field '{stranger}'; it has {}",
                if fields.is_empty() { "none".to_owned() } else { fields.join(", ") }
            ),
        });
    }
    Ok(request)
}

fn to_json(value: &impl Serialize) -> Result<Value, CliError> {
    serde_json::to_value(value)
        .map_err(|error| CliError::Bug(format!("a value cannot be written as JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use tenantry_protocol::tenant::{ProvisionRequest, TenantRequest};

    use super::*;

    #[test]
    fn a_misspelt_field_is_named() {
        let request = serde_json::json!({ "slug": "acme", "blueprint": "projects", "sead": true });
        let message = from_json::<ProvisionRequest>(request).map_err(|error| error.to_string());
        assert!(message.is_err_and(|text| text.contains("'sead'") && text.contains("seed")));
        assert!(from_json::<TenantRequest>(serde_json::json!({ "slug": "acme" })).is_ok());
    }
}
