//! `tenant create`: plan, or provision → watch until final → issue credentials → print.
//!
//! Invariant: a lost connection never loses the answer to "was it created?". The request carries an idempotency key, one of
//! ours if the caller gave none, and is sent again with it.

use std::time::Instant;

use tenantry_protocol::ErrorCode;
use tenantry_protocol::operation::Operation;
use tenantry_protocol::plan::Plan;
use tenantry_protocol::tenant::{
    Credentials, IssueCredentialsRequest, OperationStarted, ProvisionRequest, Tenant,
};

use super::credentials::{CredentialsFile, Handed, hand_over};
use crate::cli::Context;
use crate::cli::args::{Create, name_and_version};
use crate::cli::error::CliError;
use crate::cli::output::document::TenantCreated;
use crate::cli::output::progress;
use crate::client::{Client, ClientError, Follower};
use crate::format;

pub(in crate::cli) async fn run(context: &Context, create: Create) -> Result<(), CliError> {
    let request = request(&create)?;
    if create.plan {
        let plan = context.client().await?.plan(request).await?;
        return print_plan(context, &plan);
    }
    let file = create.credentials_file.as_deref().map(CredentialsFile::open).transpose()?;
    let client = context.client().await?;
    let begun = Instant::now();
    let (follower, started) = provision(&client, request).await?;
    let id = started.operation.tenant_id.to_string();
    if create.no_wait {
        let tenant = client.tenant(id).await?.tenant;
        return print(context, &tenant, &started.operation, None, begun);
    }
    let (operation, client) = progress::wait(context, follower, started.operation).await?;
    let key = create.idempotency_key.map(|key| format!("{key}:credentials"));
    let credentials = issue(&client, &create.slug, key).await?;
    let tenant = client.tenant(id).await?.tenant;
    print(context, &tenant, &operation, Some(hand_over(credentials, file)?), begun)
}

fn request(create: &Create) -> Result<ProvisionRequest, CliError> {
    let (blueprint, version) = name_and_version(&create.blueprint);
    let mut request = ProvisionRequest {
        slug: create.slug.clone(),
        display_name: create.name.clone(),
        blueprint,
        version,
        target: create.target.clone(),
        seed: create.seed,
        approve: create.approve.clone(),
        idempotency_key: create.idempotency_key.clone(),
        ..ProvisionRequest::default()
    };
    for (name, value) in &create.settings {
        if request.settings.insert(name.clone(), *value).is_some() {
            return Err(CliError::invalid(
                &format!("settings.{name}"),
                format!("--set {name}=… is given twice"),
            ));
        }
    }
    for (name, value) in &create.labels {
        if request.labels.insert(name.clone(), value.clone()).is_some() {
            return Err(CliError::invalid(
                &format!("labels.{name}"),
                format!("--label {name}=… is given twice"),
            ));
        }
    }
    Ok(request)
}

/// Takes a place in the stream of events, then starts the operation; after a lost connection it sends the same key again.
pub(in crate::cli) async fn provision(
    client: &Client,
    mut request: ProvisionRequest,
) -> Result<(Follower, OperationStarted), ClientError> {
    request.idempotency_key.get_or_insert_with(|| format!("tenantry-{}", uuid::Uuid::now_v7()));
    let follower = Follower::begin(client).await?;
    match client.provision(request.clone()).await {
        Ok(started) => Ok((follower, started)),
        Err(error) if error.is_loss() => {
            let client = client.reconnect().await?;
            let follower = Follower::begin(&client).await?;
            let started = client.provision(request).await?;
            Ok((follower, started))
        }
        Err(error) => Err(error),
    }
}

/// The tenant exists whatever happens here, so an error says how to ask again.
pub(in crate::cli) async fn issue(
    client: &Client,
    slug: &str,
    idempotency_key: Option<String>,
) -> Result<Credentials, CliError> {
    let request = IssueCredentialsRequest { slug: slug.to_owned(), idempotency_key };
    client.issue_credentials(request).await.map_err(|error| {
        let mut api = match error {
            ClientError::Api(api) => api,
            other => tenantry_protocol::ApiError::new(ErrorCode::Unavailable, other.to_string()),
        };
        api.message = format!(
            "{slug} is active, but its credentials could not be issued: {}; ask for them with \
             `tenantry tenant credentials {slug} issue`",
            api.message
        );
        CliError::Client(ClientError::Api(api))
    })
}

fn print(
    context: &Context,
    tenant: &Tenant,
    operation: &Operation,
    credentials: Option<Handed>,
    begun: Instant,
) -> Result<(), CliError> {
    let duration_ms = (begun.elapsed().as_secs_f64() * 1_000_000.0).round() / 1_000.0;
    if context.output.is_json() {
        let credentials = credentials.map(|handed| handed.document);
        return context.output.document(&TenantCreated { tenant, operation, credentials, duration_ms });
    }
    let mut lines = match &credentials {
        Some(_) => format!(
            "{} \"{}\" is {} on {}: {} {}, in {}",
            tenant.slug,
            tenant.display_name,
            tenant.state.name(),
            tenant.target,
            tenant.blueprint,
            tenant.version,
            format::duration(duration_ms)
        ),
        None => {
            format!("{} is accepted; follow it with `tenantry operation watch {}`", tenant.slug, operation.id)
        }
    };
    if let Some(handed) = credentials {
        lines.push('\n');
        lines.push_str(&handed.lines);
    }
    context.output.lines(&lines)
}

fn print_plan(context: &Context, plan: &Plan) -> Result<(), CliError> {
    if context.output.is_json() {
        return context.output.document(plan);
    }
    let mut lines = vec![format!(
        "plan {}\n  {} \"{}\": {} {} on {}, {}",
        plan.hash,
        plan.slug,
        plan.display_name,
        plan.blueprint,
        plan.version,
        plan.target,
        if plan.seed { "with seed" } else { "without seed" }
    )];
    lines.extend(plan.settings.iter().map(|(name, value)| format!("  {name} = {value}")));
    lines.extend(plan.labels.iter().map(|(key, value)| format!("  label {key} = {value}")));
    lines.extend(plan.findings.iter().map(|finding| format!("  {}", format::finding(finding))));
    for (number, step) in plan.steps.iter().enumerate() {
        let atomic = if step.atomic { " [in the one transaction]" } else { "" };
        lines.push(format!("\n{}. {}: {}{atomic}", number + 1, step.step, step.title));
        for sql in &step.sql {
            if let Some(file) = &sql.file {
                lines.push(format!("   -- {}", format::plan_file(file, sql)));
            }
            lines.extend(sql.text.trim_end().lines().map(|line| format!("   {line}")));
        }
    }
    lines.push(format!("\nTo run exactly this: add --approve {} in place of --plan", plan.hash));
    context.output.lines(&lines.join("\n"))
}
