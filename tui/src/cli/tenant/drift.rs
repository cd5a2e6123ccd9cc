//! `tenant drift`: how one tenant differs from a new one of its version, or which of all tenants do.
//!
//! Drift is an answer and is printed whole; the exit status says that there is some. Nothing is repaired here.

use futures::StreamExt as _;
use tenantry_protocol::tenant::TenantsRequest;
use tenantry_protocol::tenant::drift::{Drift, DriftDifference, DriftRequest, DriftState};
use tenantry_protocol::tenant::state::TenantStage;

use crate::cli::Context;
use crate::cli::args::DriftArguments;
use crate::cli::error::CliError;
use crate::cli::output::document::{DriftOfAll, DriftOfOne};
use crate::cli::output::meter::Meter;
use crate::client::{Client, ClientError};
use crate::format;

const PAGE: u32 = 1_000;
/// How many tenants are compared at a time. The daemon and its targets have other work, too.
const WIDTH: usize = 4;

pub(in crate::cli) async fn run(context: &Context, drift: DriftArguments) -> Result<(), CliError> {
    match drift.slug {
        Some(slug) => one(context, slug).await,
        None => all(context, drift.target.as_deref()).await,
    }
}

async fn one(context: &Context, slug: String) -> Result<(), CliError> {
    let drift = context.client().await?.drift(DriftRequest { slug }).await?;
    if context.output.is_json() {
        context.output.document(&drift)?;
    } else {
        context.output.lines(&told(&drift))?;
    }
    match drift.state {
        DriftState::InSync => Ok(()),
        DriftState::Drifted => Err(CliError::Findings(format!("{} has drifted", drift.slug))),
        _ => Err(CliError::Attention(format!("nobody can tell whether {} has drifted", drift.slug))),
    }
}

async fn all(context: &Context, target: Option<&str>) -> Result<(), CliError> {
    let client = context.client().await?;
    let slugs = standing(&client, target).await?;
    let total = slugs.len();
    let mut meter =
        Meter::new(context.output, "comparing tenants", |number| format::counted(number, "tenant"));
    let (asked, mut done) = (&client, 0);
    let mut answers = futures::stream::iter(slugs)
        .map(|slug| async move { (asked.drift(DriftRequest { slug: slug.clone() }).await, slug) })
        .buffered(WIDTH);
    let (mut drifted, mut unknown) = (0_usize, 0_usize);
    let mut tenants = Vec::new();
    while let Some((answer, slug)) = answers.next().await {
        let one = outcome(slug, answer)?;
        done += 1;
        meter.at(done, total as u64);
        match one.state {
            Some(DriftState::InSync) => continue,
            Some(DriftState::Drifted) => drifted += 1,
            _ => unknown += 1,
        }
        context.output.lines(&line(&one))?;
        tenants.push(one);
    }
    drop(meter);
    if context.output.is_json() {
        context.output.document(&DriftOfAll { total, drifted, unknown, tenants })?;
    } else {
        let compared = format::counted(total as u64, "tenant");
        context.output.lines(&format!("{compared} compared: {drifted} drifted, {unknown} unknown"))?;
    }
    match (drifted, unknown) {
        (0, 0) => Ok(()),
        (0, _) => Err(CliError::Attention(format!("{unknown} of {total} tenants could not be compared"))),
        _ => Err(CliError::Findings(format!(
            "{drifted} of {total} tenants have drifted: see how with `tenantry tenant drift NAME`"
        ))),
    }
}

/// A tenant that went away meanwhile, or whose target is down, does not stop the comparison of the others.
fn outcome(slug: String, answer: Result<Drift, ClientError>) -> Result<DriftOfOne, CliError> {
    match answer {
        Ok(drift) => Ok(DriftOfOne {
            slug,
            state: Some(drift.state),
            differences: drift.differences.len() as u64 + drift.left_out,
            first: drift.differences.first().map(DriftDifference::headline),
            problem: drift.reason,
        }),
        Err(error) if error.is_loss() => Err(error.into()),
        Err(error) => Ok(DriftOfOne {
            slug,
            state: None,
            differences: 0,
            first: None,
            problem: Some(error.to_string()),
        }),
    }
}

/// The slugs of all tenants that can be compared, of one target or of all.
async fn standing(client: &Client, target: Option<&str>) -> Result<Vec<String>, CliError> {
    let (mut slugs, mut after) = (Vec::new(), None);
    loop {
        let stands = TenantStage::ALL.into_iter().filter(|stage| stage.stands());
        let states = stands.map(|stage| stage.name().to_owned()).collect();
        let page = client.tenants(TenantsRequest { states, all: false, limit: Some(PAGE), after }).await?;
        let here =
            page.tenants.iter().filter(|tenant| target.is_none_or(|name| tenant.target.as_str() == name));
        slugs.extend(here.map(|tenant| tenant.slug.to_string()));
        after = page.next;
        if after.is_none() {
            return Ok(slugs);
        }
    }
}

/// `acme: 2 differences, first ~ column orders.total`
fn line(one: &DriftOfOne) -> String {
    match (&one.first, &one.problem) {
        (Some(first), _) => {
            format!("{}: {}, first {first}", one.slug, format::counted(one.differences, "difference"))
        }
        (None, problem) => {
            format!("{}: unknown: {}", one.slug, problem.as_deref().unwrap_or("no reason is given"))
        }
    }
}

/// Each difference with both definitions and the repair, and what the tenant was compared with.
fn told(drift: &Drift) -> String {
    let with = drift.baseline.as_ref().map(|baseline| {
        format!(
            "{} {} on PostgreSQL {}, as a blank placement on {} had it on {} UTC",
            baseline.blueprint,
            baseline.version,
            baseline.server_major,
            baseline.target,
            format::timestamp(baseline.made_at)
        )
    });
    let with = with.unwrap_or_else(|| "nothing".to_owned());
    let mut lines = match drift.state {
        DriftState::InSync => vec![format!(
            "{}: in sync, {} compared with {with}",
            drift.slug,
            format::counted(drift.objects, "object")
        )],
        DriftState::Drifted => {
            let found = drift.differences.len() as u64 + drift.left_out;
            vec![format!("{}: {} from {with}", drift.slug, format::counted(found, "difference"))]
        }
        _ => vec![format!(
            "{}: unknown: {}",
            drift.slug,
            drift.reason.as_deref().unwrap_or("no reason is given")
        )],
    };
    for difference in &drift.differences {
        lines.push(difference.headline());
        lines.extend(difference.expected.iter().flat_map(|text| indented("    expected  ", text)));
        lines.extend(difference.found.iter().flat_map(|text| indented("    found     ", text)));
        lines.extend(difference.repair.iter().flat_map(|text| indented("    repair    ", text)));
        lines.extend(difference.no_repair.iter().flat_map(|text| indented("    repair    none: ", text)));
    }
    if drift.left_out > 0 {
        lines
            .push(format!("and {}, which are not shown", format::counted(drift.left_out, "more difference")));
    }
    if drift.differences.iter().any(|difference| difference.repair.is_some()) {
        lines.push(
            "Read a repair before you run it: what it drops is gone, and what it alters is locked."
                .to_owned(),
        );
    }
    lines.join("\n")
}

fn indented(title: &str, text: &str) -> Vec<String> {
    let rest = " ".repeat(14);
    text.lines()
        .enumerate()
        .map(|(at, line)| if at == 0 { format!("{title}{line}") } else { format!("{rest}{line}") })
        .collect()
}
