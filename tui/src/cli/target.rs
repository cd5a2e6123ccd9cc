//! `target list | show | check`: the databases where tenants live. A check that finds errors ends with status 1.
//! Listing never connects; only `check` asks the daemon to connect to the target.

use tenantry_protocol::plan::Severity;
use tenantry_protocol::target::{Target as Found, TargetsRequest};

use super::Context;
use super::args::Target;
use super::error::CliError;
use crate::format;

pub(in crate::cli) async fn run(context: &Context, command: Target) -> Result<(), CliError> {
    let (name, check) = match command {
        Target::List => (None, false),
        Target::Show { name } => (Some(name), false),
        Target::Check { name } => (name, true),
    };
    let answer = context.client().await?.targets(TargetsRequest { name, check }).await?;
    if context.output.is_json() {
        context.output.document(&answer)?;
    } else {
        let rows = answer.targets.iter().map(row).collect();
        let header = ["target", "state", "address", "postgresql", "round trip", "tenants", "capacity"];
        context.output.table(&header, rows)?;
        for target in &answer.targets {
            if let Some(problem) = &target.health.problem {
                context.output.lines(&format!("{}: {problem}", target.health.name))?;
            }
            for finding in &target.findings {
                context.output.lines(&format!("{}: {}", target.health.name, format::finding(finding)))?;
            }
        }
    }
    let bad = |target: &&Found| {
        !target.health.reachable || target.findings.iter().any(|finding| finding.severity == Severity::Error)
    };
    match answer.targets.iter().filter(bad).count() {
        0 => Ok(()),
        _ if !check => Ok(()),
        count => Err(CliError::Findings(format!(
            "{count} of {} targets cannot take tenants; what to do is above",
            answer.targets.len()
        ))),
    }
}

fn row(target: &Found) -> Vec<String> {
    let health = &target.health;
    vec![
        health.name.to_string(),
        if health.reachable { "● reachable" } else { "✗ unreachable" }.to_owned(),
        target.address.clone(),
        health.server_version.clone().unwrap_or_else(|| "?".to_owned()),
        health.latency_ms.map(format::duration).unwrap_or_else(|| "–".to_owned()),
        health.tenants.to_string(),
        target.capacity.map(|capacity| capacity.to_string()).unwrap_or_else(|| "no limit".to_owned()),
    ]
}
