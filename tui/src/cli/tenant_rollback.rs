//! `tenant rollback`: the complete removal of a tenant, after its name was given a second time.
//!
//! Invariant: the name is typed by the caller, never filled in by us.

use std::io::{self, IsTerminal};

use tenantry_protocol::tenant::RollbackRequest;
use time::OffsetDateTime;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::args::Rollback;
use super::document::TenantRolledBack;
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
            let accepted = TenantRolledBack { operation: &started.operation, duration_ms: None };
            return context.output.document(&accepted);
        }
        let id = started.operation.id;
        return context.output.lines(&format!("accepted; follow it with `tenantry operation watch {id}`"));
    }
    let (operation, _) = progress::wait(context, follower, started.operation).await?;
    if context.output.is_json() {
        let duration_ms = operation.duration_ms;
        return context.output.document(&TenantRolledBack { operation: &operation, duration_ms });
    }
    let time = operation.duration_ms.map(|ms| format!(" in {}", format::duration(ms))).unwrap_or_default();
    context
        .output
        .lines(&format!("{} is rolled back{time}: nothing is left on {}", operation.slug, operation.target))
}

/// Asks on the terminal, after saying what will go. Without a terminal that, and the command that goes on, is the answer.
async fn ask(context: &Context, client: &Client, slug: &str, discard_data: bool) -> Result<String, CliError> {
    let preview = client.rollback_preview(slug.to_owned()).await?;
    let tenant = &preview.tenant;
    let effects = format::rollback_effects(&preview).join("\n  ");
    let effects = format!(
        "this removes tenant {} \"{}\" from {}:\n  {effects}\n  {} No archive is made: the data cannot be brought back.",
        tenant.slug,
        tenant.display_name,
        tenant.target,
        format::was_active(&preview, OffsetDateTime::now_utc())
    );
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() || context.output.is_json() {
        let next = format!("tenantry tenant rollback {0} --confirm {0} --discard-data", tenant.slug);
        return Err(CliError::invalid("confirm", format!("{effects}\nnothing was done; to go on: {next}")));
    }
    if !discard_data {
        return Err(CliError::invalid(
            "discard_data",
            format!("{effects}\nnothing was done; say that its data may go with --discard-data"),
        ));
    }
    super::output::complain(&format!("{effects}\nType the tenant's name to go on:"));
    let mut typed = String::new();
    let mut input = BufReader::new(tokio::io::stdin());
    input.read_line(&mut typed).await.map_err(CliError::Output)?;
    Ok(typed.trim().to_owned())
}
