//! `tenant verify`: the whole battery against one tenant, or against all of them one after another.
//!
//! A bad verdict is an answer and is printed whole; the exit status says that a person has to look.

use tenantry_protocol::isolation::{Grade, IsolationReport, VerifyIsolationRequest};
use tenantry_protocol::tenant::TenantsRequest;
use tenantry_protocol::tenant::state::TenantStage;

use crate::cli::Context;
use crate::cli::args::Verify;
use crate::cli::change::{Change, Done, begin, finish};
use crate::cli::error::CliError;
use crate::cli::output::document::{FleetVerified, TenantVerified, Verified};
use crate::format;

const PAGE: u32 = 1_000;

pub(in crate::cli) async fn run(context: &Context, verify: Verify) -> Result<(), CliError> {
    match verify.slug {
        Some(slug) => one(context, slug).await,
        None => all(context).await,
    }
}

async fn one(context: &Context, slug: String) -> Result<(), CliError> {
    let done = attack(context, slug).await?;
    let report = reported(&done)?;
    let (tenant, grade) = (&done.detail.tenant, report.grade());
    if context.output.is_json() {
        let operation = &done.operation;
        context.output.document(&TenantVerified { tenant, operation, grade, report })?;
    } else {
        context.output.lines(&headline(&tenant.slug.to_string(), report, &done.time()))?;
        print(context, report)?;
    }
    judge(grade, &format!("the isolation of {} does not hold", tenant.slug))
}

async fn all(context: &Context) -> Result<(), CliError> {
    let mut verified = Vec::new();
    for slug in standing(context).await? {
        let outcome = match attack(context, slug.clone()).await {
            Ok(done) => {
                let report = reported(&done)?;
                context.output.note(&headline(&slug, report, &done.time()));
                Verified { slug, grade: Some(report.grade()), problems: report.problems() }
            }
            // A tenant that went away meanwhile, or whose target is down, does not stop the verification of the others.
            Err(CliError::Client(error)) if error.is_loss() => return Err(error.into()),
            Err(error) => Verified { slug, grade: None, problems: vec![error.to_string()] },
        };
        verified.push(outcome);
    }
    let bad = verified.iter().filter(|one| !matches!(one.grade, Some(Grade::A | Grade::B))).count();
    let total = verified.len();
    if context.output.is_json() {
        context.output.document(&FleetVerified { tenants: verified })?;
    } else if total == 0 {
        context.output.lines("no tenants stand, so there is nothing to verify")?;
    } else {
        let grade = |grade: Option<Grade>| grade.map_or_else(|| "–".to_owned(), |grade| grade.to_string());
        let rows =
            verified.iter().map(|one| vec![one.slug.clone(), grade(one.grade), one.problems.join("; ")]);
        context.output.table(&["tenant", "grade", "problems"], rows.collect())?;
    }
    if bad == 0 {
        Ok(())
    } else {
        Err(CliError::Attention(format!(
            "{bad} of {total} tenants: look at them with `tenantry tenant show`"
        )))
    }
}

/// The slugs of all tenants that can be verified.
async fn standing(context: &Context) -> Result<Vec<String>, CliError> {
    let client = context.client().await?;
    let (mut slugs, mut after) = (Vec::new(), None);
    loop {
        // Only these states have something to verify.
        let stands = TenantStage::ALL.into_iter().filter(|stage| stage.stands());
        let states = stands.map(|stage| stage.name().to_owned()).collect();
        let page = client.tenants(TenantsRequest { states, all: false, limit: Some(PAGE), after }).await?;
        slugs.extend(page.tenants.iter().map(|tenant| tenant.slug.to_string()));
        after = page.next;
        if after.is_none() {
            return Ok(slugs);
        }
    }
}

async fn attack(context: &Context, slug: String) -> Result<Done, CliError> {
    let client = context.client().await?;
    let mut change = Change::Verify(VerifyIsolationRequest { slug, idempotency_key: None });
    let (follower, started) = begin(&client, &mut change).await?;
    finish(context, follower, started.operation).await
}

fn reported(done: &Done) -> Result<&IsolationReport, CliError> {
    let report = done.detail.isolation.as_ref();
    report.ok_or_else(|| CliError::Bug("a verification has no report".to_owned()))
}

/// `acme: grade A in 130 ms, held 69 of 69, no catalog findings`
fn headline(slug: &str, report: &IsolationReport, time: &str) -> String {
    format!("{slug}: grade {}{time}, {}", report.grade(), format::isolation(Some(report)))
}

/// What did not hold, what the catalog shows, and what stays open by its nature.
fn print(context: &Context, report: &IsolationReport) -> Result<(), CliError> {
    for verdict in report.verdicts.iter().filter(|verdict| !verdict.held) {
        let word = if verdict.is_open() { "open" } else { "BROKEN" };
        context.output.lines(&format!(
            "  {word}  probe {}: {}: {}",
            verdict.probe, verdict.meaning, verdict.evidence
        ))?;
        if let Some(remedy) = &verdict.remedy {
            context.output.lines(&format!("        an administrator runs: {remedy}"))?;
        }
    }
    for finding in &report.findings {
        context.output.lines(&format!("  FOUND  lint {}: {}", finding.lint, finding.evidence))?;
    }
    if report.left_out > 0 {
        let more = format::counted(report.left_out.into(), "more finding");
        context
            .output
            .lines(&format!("  FOUND  {more}, which are not kept: close what is named, and verify again"))?;
    }
    for gift in &report.gifts {
        context
            .output
            .lines(&format!("  NOTE   {gift}, which is that tenant's finding and not this one's"))?;
    }
    if !report.victim_unchanged {
        context.output.lines("  BROKEN  the victim is not as it was before the attack")?;
    }
    context.output.lines(&format!("what {} tenancy leaves open by its nature:", report.tenancy.name()))?;
    for channel in &report.residual {
        context.output.lines(&format!("  {}: {}", channel.name, channel.meaning))?;
    }
    Ok(())
}

fn judge(grade: Grade, what: &str) -> Result<(), CliError> {
    match grade {
        Grade::A | Grade::B => Ok(()),
        _ => Err(CliError::Attention(format!("{what}: close what is named, and verify again"))),
    }
}
