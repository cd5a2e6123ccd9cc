//! Runs probes through a session and judges the answers.
//!
//! Invariant: a probe holds only if the attack was refused with a SQLSTATE that it expects; an attack that failed for
//! another reason has proved nothing and does not hold.

use std::time::Instant;

use sqlx::PgConnection;
use sqlx::postgres::PgDatabaseError;
use tenantry_protocol::isolation::{IsolationReport, Verdict};
use tenantry_protocol::name::PlacementName;
use time::OffsetDateTime;

use crate::postgres::quote::{Value, render};

use super::probes::{PROBES, Probe};

/// Raised whenever a probe is added or changed: a report of an older battery proves less.
pub const BATTERY_VERSION: u32 = 1;

/// Attacks `victim` through `session`, a login as the tenant. `fingerprint` is the victim's before; the caller compares
/// it after and finishes the report. An error means that the session itself broke, which proves nothing.
pub async fn attack(
    session: &mut PgConnection,
    victim: &PlacementName,
) -> Result<IsolationReport, sqlx::Error> {
    let begin = Instant::now();
    let at = OffsetDateTime::now_utc();
    let mut verdicts = Vec::with_capacity(PROBES.len());
    for probe in PROBES {
        verdicts.push(run(session, probe, victim).await?);
    }
    let duration_ms = begin.elapsed().as_secs_f64() * 1_000.0;
    // Not proven until the caller has compared the fingerprints.
    Ok(IsolationReport {
        battery_version: BATTERY_VERSION,
        at,
        verdicts,
        victim_unchanged: false,
        duration_ms,
    })
}

pub(super) async fn run(
    session: &mut PgConnection,
    probe: &Probe,
    victim: &PlacementName,
) -> Result<Verdict, sqlx::Error> {
    sqlx::raw_sql("begin").execute(&mut *session).await?;
    let attack = render(probe.attack, &[("victim", Value::Placement(victim))]);
    let answer = sqlx::raw_sql(sqlx::AssertSqlSafe(attack)).execute(&mut *session).await;
    let verdict = judge(probe, answer.map(|_| ()))?;
    sqlx::raw_sql("rollback").execute(&mut *session).await?;
    Ok(verdict)
}

fn judge(probe: &Probe, answer: Result<(), sqlx::Error>) -> Result<Verdict, sqlx::Error> {
    let (got, evidence) = match answer {
        Ok(()) => (None, "the attack succeeded".to_owned()),
        Err(sqlx::Error::Database(error)) => {
            let code = error.try_downcast_ref::<PgDatabaseError>().map(|error| error.code().to_owned());
            (Some(code.unwrap_or_default()), error.message().to_owned())
        }
        Err(error) => return Err(error),
    };
    let held = got.as_deref().is_some_and(|code| probe.expected.contains(&code));
    let expected = probe.expected.iter().map(|code| (*code).to_owned()).collect();
    Ok(Verdict { probe: probe.name.to_owned(), held, expected, got, evidence })
}
