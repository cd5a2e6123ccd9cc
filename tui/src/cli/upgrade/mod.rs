//! `blueprint upgrade`, `blueprint downgrade` and `upgrade list | show | watch | tenants | failures | pause | resume | cancel | retry`.

mod follow;

use tenantry_protocol::name::{BlueprintName, BlueprintVersion};
use tenantry_protocol::plan::Severity;
use tenantry_protocol::upgrade::{
    Course, DowngradeRequest, FailureGroup, Upgrade as Going, UpgradeChangeRequest, UpgradePlan,
    UpgradeRequest, UpgradeStarted, UpgradeState, UpgradeStatus, UpgradeUnit, UpgradeUnitsRequest,
    UpgradesRequest,
};

use super::Context;
use super::args::{BlueprintDowngrade, BlueprintUpgrade, Upgrade, UpgradeChoices, Which, name_and_version};
use super::error::CliError;
use super::output::document::UpgradeTenants;
use crate::client::Client;
use crate::format;

/// The states that an operator has to look at.
const BAD: [&str; 3] = ["failed", "partly", "skipped"];
const PAGE: u32 = 1_000;

/// `blueprint upgrade`.
pub(in crate::cli) async fn begin(context: &Context, arguments: BlueprintUpgrade) -> Result<(), CliError> {
    let request = UpgradeRequest {
        accept_drift: arguments.accept_drift,
        ..requested(&arguments.name, &arguments.choices)
    };
    let client = context.client().await?;
    if arguments.choices.plan {
        return plan(context, &client, request, arguments.choices.rehearse).await;
    }
    let started = client.upgrade(request).await?;
    follow_or_leave(context, client, started, arguments.choices.sending.no_wait).await
}

/// `blueprint downgrade`.
pub(in crate::cli) async fn go_back(
    context: &Context,
    arguments: BlueprintDowngrade,
) -> Result<(), CliError> {
    let request = UpgradeRequest { course: Course::Back, ..requested(&arguments.name, &arguments.choices) };
    let client = context.client().await?;
    if arguments.choices.plan {
        return plan(context, &client, request, arguments.choices.rehearse).await;
    }
    let confirm = arguments.confirm.unwrap_or_default();
    let started = client.downgrade(DowngradeRequest { upgrade: request, confirm }).await?;
    follow_or_leave(context, client, started, arguments.choices.sending.no_wait).await
}

fn requested(name: &str, choices: &UpgradeChoices) -> UpgradeRequest {
    let (blueprint, version) = name_and_version(name);
    UpgradeRequest {
        blueprint,
        version,
        targets: choices.targets.clone(),
        tenants: choices.tenants.clone(),
        labels: choices.labels.iter().cloned().collect(),
        pilot: choices.pilot,
        wave_percent: choices.wave,
        width: choices.width,
        stop_after: choices.stop_after.clone(),
        manual: choices.manual,
        approve: choices.approve.clone(),
        idempotency_key: choices.sending.idempotency_key.clone(),
        ..UpgradeRequest::default()
    }
}

async fn plan(
    context: &Context,
    client: &Client,
    request: UpgradeRequest,
    rehearse: bool,
) -> Result<(), CliError> {
    let plan = match rehearse {
        true => client.upgrade_rehearse(request).await?,
        false => client.upgrade_plan(request).await?,
    };
    print_plan(context, &plan)
}

async fn follow_or_leave(
    context: &Context,
    client: Client,
    started: UpgradeStarted,
    no_wait: bool,
) -> Result<(), CliError> {
    if !no_wait {
        return follow::to_its_end(context, client, started.upgrade).await;
    }
    if context.output.is_json() {
        return context.output.document(&UpgradeStatus { upgrade: started.upgrade, failures: Vec::new() });
    }
    context.output.lines(&format!(
        "accepted: {} to go. Follow it with `tenantry upgrade watch {}`",
        format::counted(started.upgrade.counts.all() - started.upgrade.counts.ended(), "tenant"),
        started.upgrade.id
    ))
}

pub(in crate::cli) async fn run(context: &Context, command: Upgrade) -> Result<(), CliError> {
    match command {
        Upgrade::List { limit } => list(context, limit).await,
        Upgrade::Show { which } => {
            let status = context.client().await?.upgrade_status(request(which)).await?;
            print_status(context, &status)
        }
        Upgrade::Watch { which } => {
            let client = context.client().await?;
            let status = client.upgrade_status(request(which)).await?;
            follow::to_its_end(context, client, status.upgrade).await
        }
        Upgrade::Tenants { which, states } => tenants(context, which, states).await,
        Upgrade::Failures { which } => tenants(context, which, BAD.map(str::to_owned).to_vec()).await,
        Upgrade::Pause { which } => {
            changed(context, context.client().await?.upgrade_pause(request(which)).await?)
        }
        Upgrade::Resume { which } => {
            changed(context, context.client().await?.upgrade_resume(request(which)).await?)
        }
        Upgrade::Cancel { which } => {
            changed(context, context.client().await?.upgrade_cancel(request(which)).await?)
        }
        Upgrade::Retry { which } => {
            changed(context, context.client().await?.upgrade_retry(request(which)).await?)
        }
    }
}

fn request(which: Which) -> UpgradeChangeRequest {
    UpgradeChangeRequest { upgrade: which.id }
}

async fn list(context: &Context, limit: Option<u32>) -> Result<(), CliError> {
    let answer = context.client().await?.upgrades(UpgradesRequest { limit }).await?;
    if context.output.is_json() {
        return context.output.document(&answer);
    }
    if answer.upgrades.is_empty() {
        return context.output.lines("no upgrades; begin one with `tenantry blueprint upgrade NAME`");
    }
    let header = ["upgrade", "blueprint", "to", "state", "tenants", "failed", "requested (UTC)", "by"];
    let rows = answer.upgrades.iter().map(|upgrade| {
        let counts = upgrade.counts;
        vec![
            upgrade.id.to_string(),
            upgrade.blueprint.to_string(),
            upgrade.version.to_string(),
            upgrade.state.name().to_owned(),
            format!("{} of {}", counts.done + counts.current, counts.all()),
            counts.bad().to_string(),
            format::timestamp(upgrade.requested_at),
            upgrade.actor.clone(),
        ]
    });
    context.output.table(&header, rows.collect())
}

/// All pages of the tenants, with the upgrade that they belong to.
async fn tenants(context: &Context, which: Which, states: Vec<String>) -> Result<(), CliError> {
    let client = context.client().await?;
    let status = client.upgrade_status(request(which)).await?;
    let id = Some(status.upgrade.id.to_string());
    let (mut units, mut after) = (Vec::new(), None);
    loop {
        let request =
            UpgradeUnitsRequest { upgrade: id.clone(), states: states.clone(), limit: Some(PAGE), after };
        let page = client.upgrade_units(request).await?;
        units.extend(page.units);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if context.output.is_json() {
        return context.output.document(&UpgradeTenants { upgrade: &status.upgrade, units });
    }
    if units.is_empty() {
        return context.output.lines("none");
    }
    let header = ["tenant", "target", "wave", "state", "attempts", "operation", "why"];
    context.output.table(&header, units.iter().map(row).collect())
}

fn row(unit: &UpgradeUnit) -> Vec<String> {
    vec![
        unit.slug.to_string(),
        unit.target.to_string(),
        (unit.wave + 1).to_string(),
        unit.state.name().to_owned(),
        unit.attempts.to_string(),
        unit.operation_id.map_or_else(|| "–".to_owned(), |id| id.to_string()),
        unit.reason.clone().unwrap_or_default(),
    ]
}

fn changed(context: &Context, upgrade: Going) -> Result<(), CliError> {
    if context.output.is_json() {
        return context.output.document(&UpgradeStatus { upgrade, failures: Vec::new() });
    }
    context.output.lines(&headline(&upgrade))
}

/// `projects to 1.1`, `projects back to 1.0`.
fn whither(blueprint: &BlueprintName, version: BlueprintVersion, course: Course) -> String {
    match course {
        Course::Forward => format!("{blueprint} to {version}"),
        Course::Back => format!("{blueprint} back to {version}"),
    }
}

/// `projects to 1.1: running, wave 2 of 11, 14 of 512 tenants done`.
fn headline(upgrade: &Going) -> String {
    let counts = upgrade.counts;
    let mut line = format!(
        "{}: {}, wave {} of {}, {} of {} done",
        whither(&upgrade.blueprint, upgrade.version, upgrade.course),
        upgrade.state.name(),
        upgrade.wave + 1,
        upgrade.waves,
        counts.done + counts.current,
        format::counted(counts.all(), "tenant"),
    );
    for (number, what) in [
        (counts.running, "running"),
        (counts.failed, "failed"),
        (counts.partly, "partly upgraded"),
        (counts.skipped, "skipped"),
    ] {
        if number > 0 {
            line.push_str(&format!(", {number} {what}"));
        }
    }
    if let UpgradeState::Paused { reason, .. } = &upgrade.state {
        line.push_str(&format!("\n  {reason}"));
    }
    line
}

fn print_status(context: &Context, status: &UpgradeStatus) -> Result<(), CliError> {
    if context.output.is_json() {
        return context.output.document(status);
    }
    let upgrade = &status.upgrade;
    context.output.lines(&format!(
        "{}\n  id {}, by {}, {} UTC",
        headline(upgrade),
        upgrade.id,
        upgrade.actor,
        format::timestamp(upgrade.requested_at)
    ))?;
    print_failures(context, &status.failures)
}

fn print_failures(context: &Context, failures: &[FailureGroup]) -> Result<(), CliError> {
    if failures.is_empty() {
        return Ok(());
    }
    let rows = failures.iter().map(|group| {
        vec![group.key.clone(), group.tenants.to_string(), group.example.to_string(), group.reason.clone()]
    });
    context.output.table(&["failure", "tenants", "for example", "why"], rows.collect())
}

fn print_plan(context: &Context, plan: &UpgradePlan) -> Result<(), CliError> {
    if context.output.is_json() {
        context.output.document(plan)?;
    } else {
        let waves: Vec<String> = plan.waves.iter().map(u64::to_string).collect();
        let mut lines = vec![format!(
            "{}: {} to go",
            whither(&plan.blueprint, plan.version, plan.course),
            format::counted(plan.tenants, "tenant")
        )];
        for source in &plan.from {
            let files = match source.shown_files().as_slice() {
                [] => "no file".to_owned(),
                files => files.join(", "),
            };
            lines.push(format!(
                "  from {} ({}): {files}",
                source.version,
                format::counted(source.tenants, "tenant")
            ));
        }
        let rehearsals = plan.rehearsals.iter().flat_map(format::rehearsal);
        lines.extend(rehearsals.map(|line| format!("  {line}")));
        lines.push(format!(
            "  waves      {}",
            if waves.is_empty() { "none".to_owned() } else { waves.join(", ") }
        ));
        lines.push(format!("  at a time  {} of each target", plan.width));
        lines.push(format!("  pauses     after {} failed", plan.stop_after));
        lines.extend(plan.findings.iter().map(format::finding));
        lines.push(format!("  hash       {}", plan.hash));
        context.output.lines(&lines.join("\n"))?;
    }
    match plan.findings.iter().filter(|finding| finding.severity == Severity::Error).count() {
        0 => Ok(()),
        errors => Err(CliError::Findings(format!(
            "the {} has {} and cannot begin; correct what is named",
            plan.course.noun(),
            format::counted(errors as u64, "error")
        ))),
    }
}
