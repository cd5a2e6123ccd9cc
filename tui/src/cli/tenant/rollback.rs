//! `tenant rollback`: the complete removal of a tenant, after the caller has given its name a second time.
//!
//! Invariant: the caller types the name; we never fill it in.

use std::io::{self, IsTerminal};

use tenantry_protocol::tenant::RollbackRequest;
use time::OffsetDateTime;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::cli::Context;
use crate::cli::args::Rollback;
use crate::cli::change::{Change, run as run_change};
use crate::cli::error::CliError;
use crate::cli::outcome::outcome;
use crate::client::Client;
use crate::format;

pub(in crate::cli) async fn run(context: &Context, rollback: Rollback) -> Result<(), CliError> {
    let confirm = match rollback.confirm {
        Some(confirm) => confirm,
        None => ask(context, &context.client().await?, &rollback.slug, rollback.discard_data).await?,
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
        idempotency_key: rollback.sending.idempotency_key,
    };
    run_change(context, Change::Rollback(request), rollback.sending.no_wait, outcome).await
}

/// Says what will be removed, then asks on the terminal. Without a terminal it fails with that text and the command to run.
async fn ask(context: &Context, client: &Client, slug: &str, discard_data: bool) -> Result<String, CliError> {
    let preview = client.rollback_preview(slug.to_owned()).await?;
    let tenant = &preview.tenant;
    let effects = format::rollback_effects(&preview).join("\n  ");
    let effects = format!(
        "this removes tenant {} \"{}\" from {}:\n  {effects}\n  {} {}",
        tenant.slug,
        tenant.display_name,
        tenant.target,
        format::was_active(&preview, OffsetDateTime::now_utc()),
        if discard_data {
            "No archive is made: the data cannot be brought back."
        } else if preview.active_since.is_some() {
            "Its data is archived first; --discard-data does without."
        } else {
            "There is nothing to archive."
        }
    );
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() || context.output.is_json() {
        let discard = if discard_data { " --discard-data" } else { "" };
        let next = format!("tenantry tenant rollback {0} --confirm {0}{discard}", tenant.slug);
        return Err(CliError::invalid("confirm", format!("{effects}\nnothing was done; to go on: {next}")));
    }
    crate::cli::output::complain(&format!("{effects}\nType the tenant's name to go on:"));
    let mut typed = String::new();
    let mut input = BufReader::new(tokio::io::stdin());
    input.read_line(&mut typed).await.map_err(CliError::Output)?;
    Ok(typed.trim().to_owned())
}
