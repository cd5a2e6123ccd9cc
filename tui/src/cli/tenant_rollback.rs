//! `tenant rollback`: the complete removal of a tenant, after its name was given a second time.
//!
//! Invariant: the name is typed by the caller, never filled in by us.

use std::io::{self, IsTerminal};

use serde_json::json;
use tenantry_protocol::tenant::RollbackRequest;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::args::Rollback;
use super::error::CliError;
use super::{Context, progress};
use crate::client::{Client, Follower};
use crate::format;

pub(super) async fn run(context: &Context, rollback: Rollback) -> Result<(), CliError> {
    let client = context.client().await?;
    let confirm = match rollback.confirm {
        Some(confirm) => confirm,
        None => ask(context, &client, &rollback.slug, rollback.discard_data).await?,
    };
    if confirm != rollback.slug {
        return Err(CliError::invalid(
            "confirm",
            format!(
                "the confirmation is not the tenant's name; nothing was done. Give --confirm {}",
                rollback.slug
            ),
        ));
    }
    let request = RollbackRequest {
        slug: rollback.slug,
        confirm,
        discard_data: rollback.discard_data,
        idempotency_key: rollback.idempotency_key,
    };
    let follower = Follower::begin(&client).await?;
    let started = client.rollback(request).await?;
    if rollback.no_wait {
        if context.output.is_json() {
            return context.output.document(&json!({ "operation": started.operation }));
        }
        let id = started.operation.id;
        return context.output.lines(&format!("accepted; follow it with `tenantry operation watch {id}`"));
    }
    let (operation, _) = progress::wait(context, follower, started.operation).await?;
    if context.output.is_json() {
        return context
            .output
            .document(&json!({ "operation": operation, "duration_ms": operation.duration_ms }));
    }
    let time = operation.duration_ms.map(|ms| format!(" in {}", format::duration(ms))).unwrap_or_default();
    context
        .output
        .lines(&format!("{} is rolled back{time}: nothing is left on {}", operation.slug, operation.target))
}

/// Asks on the terminal, after saying what will go; without one the flag is needed.
async fn ask(context: &Context, client: &Client, slug: &str, discard_data: bool) -> Result<String, CliError> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() || context.output.is_json() {
        return Err(CliError::invalid(
            "confirm",
            format!(
                "a rollback removes a tenant completely; confirm it with --confirm {slug}, and with \
                 --discard-data that its data may go"
            ),
        ));
    }
    let tenant = client.tenant(slug.to_owned()).await?.tenant;
    let archive = if discard_data { "No archive is made: its data is discarded." } else { "" };
    super::output::complain(&format!(
        "this removes tenant {} \"{}\" from {}: schema {} with everything in it, and its roles. {archive}\n\
         Type the tenant's name to go on:",
        tenant.slug, tenant.display_name, tenant.target, tenant.placement
    ));
    let mut typed = String::new();
    let mut input = BufReader::new(tokio::io::stdin());
    input.read_line(&mut typed).await.map_err(CliError::Output)?;
    Ok(typed.trim().to_owned())
}
