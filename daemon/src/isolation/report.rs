//! A whole battery as one report: the probes that make sense for a tenancy, or the catalog lints.

use std::time::Instant;

use sqlx::PgConnection;
use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::isolation::{Depth, IsolationReport, LintFinding};
use tenantry_protocol::name::PlacementName;
use time::OffsetDateTime;

use crate::postgres::dependencies::ELSEWHERE;
use crate::postgres::lint_rows;

use super::battery::{self, BATTERY_VERSION, Ground};
use super::lints;
use super::probes;
use super::residual;

/// The findings of the lints.
#[derive(Debug, Default)]
pub struct Looked {
    /// The number of lints.
    pub lints: u32,
    pub findings: Vec<LintFinding>,
    /// The number of findings that are only counted.
    pub left_out: u32,
    /// What other tenants granted to this one.
    pub gifts: Vec<String>,
}

impl Looked {
    /// Adds the findings to the report.
    pub fn add_to(self, report: &mut IsolationReport) {
        let Self { lints, findings, left_out, gifts } = self;
        report.lints += lints;
        report.findings.extend(findings);
        report.left_out = report.left_out.saturating_add(left_out);
        report.gifts.extend(gifts);
    }
}

/// Attacks the victim through `session`, a login as the tenant. The report is incomplete: the caller has to find out
/// whether the victim is unchanged. An error means that the session itself broke, which proves nothing. `progress` is
/// called after each probe.
pub async fn attack(
    session: &mut PgConnection,
    ground: Ground<'_>,
    tenancy: Tenancy,
    depth: Depth,
    mut progress: impl FnMut(usize),
) -> Result<IsolationReport, sqlx::Error> {
    let begin = Instant::now();
    let at = OffsetDateTime::now_utc();
    let mut verdicts = Vec::new();
    sqlx::raw_sql("begin").execute(&mut *session).await?;
    for probe in probes::of(tenancy, depth) {
        verdicts.push(battery::run(session, probe, ground).await?);
        progress(verdicts.len());
    }
    sqlx::raw_sql("rollback").execute(&mut *session).await?;
    Ok(IsolationReport {
        battery_version: BATTERY_VERSION,
        at,
        depth,
        tenancy,
        server_version: String::new(),
        verdicts,
        lints: 0,
        findings: Vec::new(),
        left_out: 0,
        gifts: Vec::new(),
        residual: residual::of(tenancy),
        victim_unchanged: false,
        duration_ms: begin.elapsed().as_secs_f64() * 1_000.0,
    })
}

/// The problems with the cover of shared tables, as findings of a lint of their own.
pub fn uncovered(problems: Vec<String>) -> impl Iterator<Item = LintFinding> {
    problems.into_iter().map(|evidence| LintFinding { lint: "shared_tables".to_owned(), evidence })
}

/// Runs the lints in the catalog of the tenant's database, as the daemon's role. `home` is the placement whose schema
/// holds the tenant's tables: its own, or the pool's.
pub async fn look(
    connection: &mut PgConnection,
    own: &PlacementName,
    home: &PlacementName,
    depth: Depth,
) -> Result<Looked, sqlx::Error> {
    let mut lints = lints::of(depth).to_vec();
    let mut looked = Looked { lints: u32::try_from(lints.len()).unwrap_or(u32::MAX), ..Looked::default() };
    if depth == Depth::Full {
        lints.push(lints::GIFTS);
    }
    let names = [("own", own.as_str()), ("home", home.as_str())];
    let queries: Vec<&str> = lints.iter().map(|lint| lint.sql).collect();
    let shared = [lints::SHARED, ELSEWHERE].join(",");
    let results = lint_rows::found(connection, &shared, &queries, &names).await?;
    for (lint, (found, left_out)) in lints.into_iter().zip(results) {
        if lint.name == lints::GIFTS.name {
            looked.gifts = found;
            continue;
        }
        let finding = |evidence| LintFinding { lint: lint.name.to_owned(), evidence };
        looked.findings.extend(found.into_iter().map(finding));
        looked.left_out += left_out;
    }
    Ok(looked)
}
