//! `rpc METHOD [JSON]`: any method of the daemon by its name on the wire. The answer is always JSON.
//!
//! Invariant: a field that the method does not have is an error here, since the daemon would ignore it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tenantry_protocol::TenantryRequest;
use tenantry_protocol::schema::methods;
use tokio::io::AsyncReadExt;

use super::Context;
use super::args::Rpc;
use super::error::CliError;

/// As much as a frame can hold.
const MAX_REQUEST: u64 = tenantry_protocol::frame::MAX_FRAME_BYTES as u64;

pub(in crate::cli) async fn run(context: &Context, rpc: Rpc) -> Result<(), CliError> {
    let text = match rpc.request.as_deref() {
        None => "{}".to_owned(),
        Some("-") => standard_input().await?,
        Some(text) => text.to_owned(),
    };
    let request: Value = serde_json::from_str(&text)
        .map_err(|error| CliError::invalid("request", format!("the request is not JSON: {error}")))?;
    let known: Vec<&'static str> = methods().iter().map(|method| method.method).collect();
    let Some(method) = known.iter().copied().find(|method| *method == rpc.method) else {
        return Err(CliError::invalid(
            "method",
            format!("there is no method '{}'; there are {}", rpc.method, known.join(", ")),
        ));
    };
    if method == "hello" {
        // The hello was already sent, with our identity: a second one would answer the same.
        return context.output.document(context.client().await?.hello());
    }
    let request = request_of(method, request)?;
    let answer = context.client().await?.call(method, request).await?;
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

/// The request as the protocol's own type, checked for fields that it does not have.
fn request_of(method: &str, value: Value) -> Result<TenantryRequest, CliError> {
    let variant = on_the_wire(method);
    let given = value.clone();
    let request =
        TenantryRequest::deserialize(json!({ variant.as_str(): { "request": value } })).map_err(|error| {
            CliError::invalid("request", format!("the request does not fit the method: {error}"))
        })?;
    let known = to_json(&request)?;
    let known = known.get(&variant).and_then(|call| call.get("request"));
    if let (Some(given), Some(known)) = (given.as_object(), known.and_then(Value::as_object))
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

/// `issue_credentials` is `IssueCredentials` on the wire.
fn on_the_wire(method: &str) -> String {
    let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    method.split('_').filter(|word| !word.is_empty()).map(capital).collect()
}

fn to_json(value: &impl Serialize) -> Result<Value, CliError> {
    serde_json::to_value(value)
        .map_err(|error| CliError::Bug(format!("a value cannot be written as JSON: {error}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_misspelt_field_is_named() {
        let request = json!({ "slug": "acme", "blueprint": "projects", "sead": true });
        let text = request_of("provision", request).unwrap_err().to_string();
        assert!(text.contains("'sead'") && text.contains("seed"), "{text}");
        assert!(request_of("tenant", json!({ "slug": "acme" })).is_ok());
    }

    #[test]
    fn every_method_with_a_schema_can_be_called() {
        for method in methods() {
            // What a field must hold is up to the method; this only checks that the method exists.
            let missing = request_of(method.method, json!({})).map_err(|error| error.to_string());
            assert!(
                missing.as_ref().map_or_else(|text| text.contains("missing field"), |_| true),
                "{missing:?}"
            );
        }
    }
}
