//! `demo`: a private daemon with its own PostgreSQL, three sample tenants that are upgraded, then the console, or a table if
//! there is no terminal.
//!
//! Invariant: however the demo ends, the daemon is stopped before this returns.

pub(super) mod ephemeral;

use std::path::Path;

use tenantry_protocol::isolation::IsolationReport;
use tenantry_protocol::operation::{Operation, OperationState};
use tenantry_protocol::tenant::{ProvisionRequest, TenantDetail, UpgradeTenantRequest};
use tokio::signal::unix::{SignalKind, signal};

use self::ephemeral::Daemon;
use super::error::CliError;
use super::has_screen;
use super::output::Output;
use super::output::document::{Demo, DemoTenant};
use super::output::progress::Reporter;
use super::tenant::create::{issue, provision};
use crate::client::{Client, Follower};
use crate::format;
use crate::ui;

const BLUEPRINT: &str = "projects";
/// The version that the tenants are made of, and those that they are brought to, one after the other.
const FIRST_VERSION: &str = "1.0";
const LATER_VERSIONS: [&str; 2] = ["1.1", "2.0"];
const TENANTS: [(&str, &str); 3] =
    [("acme", "Acme GmbH"), ("globex", "Globex Corporation"), ("initech", "Initech")];

/// A sample tenant, the operation that made it, and those that upgraded it.
struct Sample {
    detail: TenantDetail,
    operation: Operation,
    upgrades: Vec<Operation>,
    tables: usize,
    login: String,
}

pub(in crate::cli) async fn run(output: Output) -> Result<(), CliError> {
    output.note("starting a private daemon with a PostgreSQL of its own …");
    let mut daemon = Daemon::spawn()?;
    let samples = tokio::select! {
        samples = provision_samples(output, &mut daemon) => samples,
        () = interrupted() => Err(CliError::Interrupted("interrupted; the daemon is put away".to_owned())),
    };
    let shown = match samples {
        Ok((socket, samples)) => show(output, &socket, &samples).await,
        Err(error) => Err(error),
    };
    output.note("stopping the daemon and removing all of it …");
    let stopped = daemon.stop().await;
    shown?;
    stopped?;
    output.note("nothing is left");
    Ok(())
}

async fn provision_samples(
    output: Output,
    daemon: &mut Daemon,
) -> Result<(std::path::PathBuf, Vec<Sample>), CliError> {
    let socket = daemon.ready().await?;
    let client = Client::connect(&socket).await?;
    let client = if output.is_json() { client } else { client.for_people() };
    output.note(&format!("tenantryd {} listens on {}", client.hello().server_version, socket.display()));
    let mut samples = Vec::new();
    for (slug, name) in TENANTS {
        samples.push(Box::pin(provision_sample(output, &client, slug, name)).await?);
    }
    for sample in &mut samples {
        for version in LATER_VERSIONS {
            sample.upgrades.push(Box::pin(upgrade_sample(output, &client, sample, version)).await?);
        }
        sample.detail = client.tenant(sample.detail.tenant.slug.to_string()).await?;
    }
    Ok((socket, samples))
}

async fn provision_sample(
    output: Output,
    client: &Client,
    slug: &str,
    name: &str,
) -> Result<Sample, CliError> {
    let mut request = ProvisionRequest {
        slug: slug.to_owned(),
        display_name: Some(name.to_owned()),
        blueprint: BLUEPRINT.to_owned(),
        version: Some(FIRST_VERSION.to_owned()),
        seed: true,
        ..ProvisionRequest::default()
    };
    let plan = client.plan(request.clone()).await?;
    let sql = plan.steps.iter().flat_map(|step| &step.sql);
    let tables = sql.map(|sql| tables_in(&sql.text)).sum();
    let hash: String = plan.hash.chars().take(12).collect();
    output.note(&format!("{slug}: plan {hash}, {} steps, {tables} tables", plan.steps.len()));
    request.approve = Some(plan.hash);
    let (mut follower, started) = provision(client, request).await?;
    let operation = finish(output, &mut follower, started.operation).await?;
    let credentials = issue(client, slug, None).await?;
    let detail = client.tenant(slug.to_owned()).await?;
    output.note(&format!(
        "{slug}: active after {}, isolation {}, login {}",
        operation.duration_ms.map(format::duration).unwrap_or_default(),
        format::isolation(detail.isolation.as_ref()),
        credentials.role
    ));
    Ok(Sample { detail, operation, upgrades: Vec::new(), tables, login: credentials.role })
}

/// Brings the tenant to a later version, while it could be used.
async fn upgrade_sample(
    output: Output,
    client: &Client,
    sample: &Sample,
    version: &str,
) -> Result<Operation, CliError> {
    let slug = sample.detail.tenant.slug.to_string();
    let request =
        UpgradeTenantRequest { slug: slug.clone(), version: Some(version.to_owned()), idempotency_key: None };
    let mut follower = Follower::begin(client).await?;
    let started = client.upgrade_tenant(request).await?;
    let operation = finish(output, &mut follower, started.operation).await?;
    let took = operation.duration_ms.map(format::duration).unwrap_or_default();
    output.note(&format!("{slug}: upgraded to {BLUEPRINT} {version} after {took}"));
    Ok(operation)
}

/// Follows an operation to its end, which must be a good one.
async fn finish(
    output: Output,
    follower: &mut Follower,
    operation: Operation,
) -> Result<Operation, CliError> {
    let mut reporter = Reporter::new(output);
    let finished = follower.finish(operation, &mut |news| reporter.hear(news)).await;
    reporter.clear();
    let operation = finished?;
    if operation.state != OperationState::Succeeded {
        return Err(CliError::Failed(Box::new(operation)));
    }
    Ok(operation)
}

/// Good enough for a summary: counts the statements that begin a line.
fn tables_in(sql: &str) -> usize {
    sql.lines().filter(|line| line.trim_start().to_ascii_lowercase().starts_with("create table")).count()
}

async fn show(output: Output, socket: &Path, samples: &[Sample]) -> Result<(), CliError> {
    if output.is_json() {
        let tenants = samples.iter().map(|sample| DemoTenant {
            tenant: &sample.detail.tenant,
            isolation: sample.detail.isolation.as_ref(),
            operation: &sample.operation,
            upgrades: &sample.upgrades,
        });
        return output.document(&Demo { tenants: tenants.collect() });
    }
    if has_screen() {
        // Operations that still run then end with the daemon.
        Box::pin(ui::run(socket.to_owned())).await?;
        return Ok(());
    }
    let header =
        ["tenant", "name", "state", "version", "tables", "steps", "isolation", "login", "duration ms"];
    output.table(&header, samples.iter().map(row).collect())?;
    output.lines(&closing(samples))
}

fn row(sample: &Sample) -> Vec<String> {
    let tenant = &sample.detail.tenant;
    vec![
        tenant.slug.to_string(),
        tenant.display_name.clone(),
        format::tenant_state(&tenant.state),
        tenant.version.to_string(),
        sample.tables.to_string(),
        sample.operation.steps.len().to_string(),
        format::isolation(sample.detail.isolation.as_ref()),
        sample.login.clone(),
        sample.operation.duration_ms.map(|ms| format!("{ms:.1}")).unwrap_or_default(),
    ]
}

fn closing(samples: &[Sample]) -> String {
    let held =
        samples.iter().filter(|sample| sample.detail.isolation.as_ref().is_some_and(IsolationReport::holds));
    format!(
        "\n{} tenants were provisioned into a real PostgreSQL, each in one transaction: roles, schema, migrations, grants\n\
         and seed appear at once or not at all. Each was then attacked through a login of its own: {} of {} held.\n\
         They were made of version {FIRST_VERSION} and then brought to {} while they could be used.\n\
         Run `tenantry demo` on a terminal to see them in the console. To keep tenants: start `tenantryd`, then\n\
         `tenantry tenant create acme --blueprint {BLUEPRINT} --seed`.",
        samples.len(),
        held.count(),
        samples.len(),
        LATER_VERSIONS.join(" and ")
    )
}

/// Waits for Ctrl-C, a signal to end, or the loss of the terminal.
async fn interrupted() {
    let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let waits = signals.into_iter().filter_map(|kind| signal(kind).ok()).map(|mut signal| {
        Box::pin(async move {
            signal.recv().await;
        })
    });
    let waits: Vec<_> = waits.collect();
    if waits.is_empty() {
        return std::future::pending().await;
    }
    futures::future::select_all(waits).await;
}
