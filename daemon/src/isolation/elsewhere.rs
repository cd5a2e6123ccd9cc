//! Logs in to databases where others live: the attack of a tenant that has a database of its own.
//!
//! Invariant: as for probes, an attack holds only if it was refused with the expected SQLSTATE. Any other failure to log
//! in proves nothing.

use tenantry_protocol::isolation::Verdict;

use crate::postgres::Result;
use crate::postgres::secret::Password;
use crate::postgres::target::location::Site;

/// insufficient_privilege
const REFUSED: &str = "42501";
const MEANING: &str = "a tenant gets into a database where others live";

/// The name of the attack, and the database that it attacks.
pub type Neighbour<'a> = (&'static str, &'a str);

/// Tries to log in as `role`. The `password` is the one that works in the tenant's own database, so a refusal does not
/// come from a wrong password.
pub async fn log_in(
    own: Site<'_>,
    role: &str,
    password: &Password,
    elsewhere: &[Neighbour<'_>],
) -> Result<Vec<Verdict>> {
    let mut verdicts = Vec::with_capacity(elsewhere.len());
    for (probe, database) in elsewhere {
        let entered = own.login_to(database, role, password).await;
        verdicts.push(judge(probe, entered.map(drop))?);
    }
    Ok(verdicts)
}

/// An error that is not an answer of the server proves nothing and is returned to the caller.
fn judge(probe: &str, answer: Result<()>) -> Result<Verdict> {
    let (held, got, evidence) = match answer {
        Ok(()) => (false, None, "the attack succeeded".to_owned()),
        Err(error) if error.is_unreachable() => return Err(error),
        Err(error) => match error.server() {
            Some(server) => (server.is(REFUSED), Some(server.sqlstate), server.message),
            None => return Err(error),
        },
    };
    Ok(Verdict {
        probe: probe.to_owned(),
        meaning: MEANING.to_owned(),
        held,
        expected: vec![REFUSED.to_owned()],
        got,
        evidence,
        remedy: None,
    })
}
