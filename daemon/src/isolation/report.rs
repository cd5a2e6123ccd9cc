//! A whole battery: all probes that make sense for a tenancy, or the catalog lints, as one report.

use std::time::Instant;

use sqlx::PgConnection;
use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::isolation::{Depth, IsolationReport, LintFinding};
use tenantry_protocol::name::PlacementName;
use time::OffsetDateTime;

use crate::postgres::dependencies::ELSEWHERE;
use crate::postgres::lint_rows;
use crate::postgres::quote::{Value, render};

use super::battery::{self, BATTERY_VERSION, Ground};
use super::lints;
use super::probes;
use super::residual;

/// What the lints found.
#[derive(Debug, Default)]
pub struct Looked {
    /// How many lints there are.
    pub lints: u32,
    pub findings: Vec<LintFinding>,
    /// Findings that are only counted.
    pub left_out: u32,
    /// What other tenants gave this one.
    pub gifts: Vec<String>,
}

impl Looked {
    /// Puts what was found into the report.
    pub fn add_to(self, report: &mut IsolationReport) {
        let Self { lints, findings, left_out, gifts } = self;
        report.lints += lints;
        report.findings.extend(findings);
        report.left_out = report.left_out.saturating_add(left_out);
        report.gifts.extend(gifts);
    }
}

/// Attacks the victim through `session`, a login as the tenant. The report is not finished: whether the victim is
/// unchanged is for the caller to find out. An error means that the session itself broke, which proves nothing. `progress`
/// is told of each probe that is done.
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

/// What stands against the cover of shared tables, as findings of a lint of its own.
pub fn uncovered(problems: Vec<String>) -> impl Iterator<Item = LintFinding> {
    problems.into_iter().map(|evidence| LintFinding { lint: "shared_tables".to_owned(), evidence })
}

/// Looks through the catalog of the tenant's database, as the daemon's role. `home` is the placement whose schema the
/// tenant's tables are in: its own, or the pool's.
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
    let render = |sql| render(sql, &[("own", Value::Placement(own)), ("home", Value::Placement(home))]);
    let queries: Vec<String> = lints.iter().map(|lint| render(lint.sql)).collect();
    let shared = [&render(lints::SHARED), ELSEWHERE].join(",");
    let results = lint_rows::found(connection, &shared, &queries).await?;
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
