//! A whole battery: all probes that make sense for a tenancy, or the catalog lints, as one report.

use std::time::Instant;

use sqlx::{PgConnection, Row as _};
use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::isolation::{Depth, IsolationReport, LintFinding};
use tenantry_protocol::name::PlacementName;
use time::OffsetDateTime;

use crate::postgres::quote::{Value, render};

use super::battery::{self, BATTERY_VERSION, Ground};
use super::lints;
use super::probes;
use super::residual;

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
        residual: residual::of(tenancy),
        victim_unchanged: false,
        duration_ms: begin.elapsed().as_secs_f64() * 1_000.0,
    })
}

/// What stands against the cover of shared tables, as findings of a lint of its own.
pub fn uncovered(problems: Vec<String>) -> impl Iterator<Item = LintFinding> {
    problems.into_iter().map(|evidence| LintFinding { lint: "shared_tables".to_owned(), evidence })
}

/// Looks through the catalog of the tenant's database, as the daemon's role: how many lints there are, and what they found.
/// `home` is the placement whose schema the tenant's tables are in: its own, or the pool's.
pub async fn look(
    connection: &mut PgConnection,
    own: &PlacementName,
    home: &PlacementName,
    depth: Depth,
) -> Result<(usize, Vec<LintFinding>), sqlx::Error> {
    let mut findings = Vec::new();
    let lints = lints::of(depth);
    for lint in lints {
        let sql = render(lint.sql, &[("own", Value::Placement(own)), ("home", Value::Placement(home))]);
        for row in sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_all(&mut *connection).await? {
            findings.push(LintFinding { lint: lint.name.to_owned(), evidence: row.try_get(0)? });
        }
    }
    Ok((lints.len(), findings))
}
