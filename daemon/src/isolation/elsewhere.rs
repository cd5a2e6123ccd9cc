//! The attack of a tenant with a database of its own: it logs in where others live, and takes another's role.
//!
//! Invariant: as for probes, an attack holds only if it was refused with the SQLSTATE that was expected. Any other
//! failure to log in proves nothing.

use std::time::Instant;

use tenantry_protocol::isolation::{IsolationReport, Verdict};
use tenantry_protocol::name::PlacementName;
use time::OffsetDateTime;

use crate::postgres::Result;
use crate::postgres::error::doing;
use crate::postgres::secret::Password;
use crate::postgres::site::Site;

use super::probes::BEYOND;
use super::{BATTERY_VERSION, battery};

/// insufficient_privilege
const REFUSED: &str = "42501";

/// Where somebody else lives, and the name of the attack on it.
pub type Elsewhere<'a> = (&'static str, &'a str);

/// How many attacks there are beside the logins.
pub const BESIDE: usize = BEYOND.len();

/// Attacks as `role`, which `password` lets into its own database. The caller compares the victim's fingerprints and
/// finishes the report.
pub async fn attack(
    own: Site<'_>,
    role: &str,
    password: &Password,
    elsewhere: &[Elsewhere<'_>],
    victim: &PlacementName,
) -> Result<IsolationReport> {
    let begin = Instant::now();
    let at = OffsetDateTime::now_utc();
    // First the own one: what is refused after that is not refused for a wrong password.
    let mut session = own.login(role, password).await?;
    let mut verdicts = Vec::with_capacity(elsewhere.len() + BESIDE);
    for (probe, database) in elsewhere {
        let entered = own.login_to(database, role, password).await;
        verdicts.push(judge(probe, entered.map(drop))?);
    }
    for probe in BEYOND {
        let verdict = battery::run(&mut session, probe, victim).await;
        verdicts.push(verdict.map_err(doing("attack the isolation as the tenant"))?);
    }
    sqlx::Connection::close(session).await.ok();
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

/// An error that is not the server's answer proves nothing, and is the caller's.
fn judge(probe: &str, answer: Result<()>) -> Result<Verdict> {
    let (got, evidence) = match answer {
        Ok(()) => (None, "the attack succeeded".to_owned()),
        Err(error) if error.is_unreachable() => return Err(error),
        Err(error) => match error.server() {
            Some(server) => (Some(server.sqlstate), server.message),
            None => return Err(error),
        },
    };
    let held = got.as_deref() == Some(REFUSED);
    Ok(Verdict { probe: probe.to_owned(), held, expected: vec![REFUSED.to_owned()], got, evidence })
}
