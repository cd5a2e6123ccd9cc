//! Runs probes through a session and judges the answers.
//!
//! Invariant: a probe passes only if each of its attacks was refused with a SQLSTATE that it expects, or returned the value that it
//! expects, such as no rows. An attack that failed for another reason has proved nothing, so the probe does not pass. Neither has a
//! refusal that a function raised, because the function could be the tenant's own.

use sqlx::postgres::PgDatabaseError;
use sqlx::{PgConnection, Row as _};
use tenantry_protocol::isolation::Verdict;
use tenantry_protocol::name::PlacementName;
use tenantry_protocol::text::escaped;
use uuid::Uuid;

use crate::postgres::error::{Origin, origin};
use crate::postgres::quote::{Value, render};

use super::probes::{ANOTHER_TRANSACTION, Attack, Holds, Probe, Times};

/// Increased whenever a probe or lint is added or changed: a report of an older battery proves less.
pub const BATTERY_VERSION: u32 = 9;

/// Who attacks whom.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// The attacker; the session belongs to its probe.
    pub own: &'a PlacementName,
    pub victim: &'a PlacementName,
    /// The pool whose tables the attacker shares; its own placement if it shares none.
    pub pool: &'a PlacementName,
    /// Another tenant that has rows there; the nil UUID if the attacker shares no tables.
    pub neighbour: Uuid,
    /// Some of the pool's tables that the attacker may read, without their schema.
    pub tables: &'a [String],
    /// The daemon's role on the target.
    pub provisioner: &'a str,
}

/// Tries the attacks of the probe until one is not held off, in a transaction that stays open afterwards. An error means
/// that the session itself broke, which proves nothing.
pub(super) async fn run(
    session: &mut PgConnection,
    probe: &Probe,
    ground: Ground<'_>,
) -> Result<Verdict, sqlx::Error> {
    let mut verdict = Verdict {
        probe: probe.name.to_owned(),
        meaning: probe.meaning.to_owned(),
        held: true,
        expected: Vec::new(),
        got: None,
        evidence: String::new(),
        remedy: probe.remedy.map(str::to_owned),
    };
    for attack in probe.attacks {
        let tables = match attack.times {
            Times::Once => &[String::new()],
            Times::EachTable => ground.tables,
        };
        for table in tables {
            judge(&mut verdict, *attack, answer(session, *attack, ground, table).await?);
            if !verdict.held {
                if attack.times == Times::EachTable {
                    verdict.evidence.push_str(&format!(" in {table}"));
                }
                return Ok(verdict);
            }
        }
    }
    Ok(verdict)
}

/// The result of an attack.
enum Answer {
    /// The attack ran; the value is the one it returned, if it is a text.
    Ran(Option<String>),
    Refused {
        sqlstate: String,
        message: String,
        origin: Origin,
    },
}

async fn answer(
    session: &mut PgConnection,
    attack: Attack,
    ground: Ground<'_>,
    table: &str,
) -> Result<Answer, sqlx::Error> {
    let values = [
        ("own", Value::Placement(ground.own)),
        ("victim", Value::Placement(ground.victim)),
        ("pool", Value::Placement(ground.pool)),
        ("neighbour", Value::Tenant(ground.neighbour)),
        ("provisioner", Value::Identifier(ground.provisioner)),
        ("table", Value::Identifier(table)),
    ];
    // Rolls back what the previous attack changed, and gives this one a transaction of its own. All of it is sent in one
    // message, because there are many attacks.
    let sql = [ANOTHER_TRANSACTION, attack.before, attack.sql].concat();
    let sql = sqlx::AssertSqlSafe(render(&sql, &values));
    let answer = match attack.holds {
        Holds::Refused(_) => sqlx::raw_sql(sql).execute(&mut *session).await.map(|_| None),
        Holds::Sees(_) => sqlx::raw_sql(sql).fetch_one(&mut *session).await.and_then(|row| row.try_get(0)),
    };
    match answer {
        Ok(value) => Ok(Answer::Ran(value)),
        Err(sqlx::Error::Database(error)) => {
            let message = escaped(error.message()).into_owned();
            let (sqlstate, origin) = match error.try_downcast_ref::<PgDatabaseError>() {
                Some(error) => (error.code().to_owned(), origin(error)),
                None => (String::new(), Origin::Raised),
            };
            Ok(Answer::Refused { sqlstate, message, origin })
        }
        Err(error) => Err(error),
    }
}

fn judge(verdict: &mut Verdict, attack: Attack, answer: Answer) {
    let (held, got, evidence) = match (attack.holds, answer) {
        (Holds::Refused(expected), Answer::Refused { sqlstate, message, origin }) => {
            let is_expected = origin == Origin::Server && expected.contains(&sqlstate.as_str());
            (is_expected, Some(sqlstate), message)
        }
        (Holds::Refused(_), Answer::Ran(_)) => (false, None, format!("the attack succeeded: {}", attack.sql)),
        (Holds::Sees(expected), Answer::Ran(Some(seen))) => (
            seen == expected,
            None,
            if seen.is_empty() { "saw nothing".to_owned() } else { format!("saw {seen}") },
        ),
        (Holds::Sees(_), Answer::Ran(None)) => (false, None, "saw no value".to_owned()),
        (Holds::Sees(_), Answer::Refused { sqlstate, message, .. }) => (false, Some(sqlstate), message),
    };
    verdict.held = held;
    verdict.expected = match attack.holds {
        Holds::Refused(expected) => expected.iter().map(|code| (*code).to_owned()).collect(),
        Holds::Sees(_) => Vec::new(),
    };
    verdict.got = got;
    verdict.evidence = evidence;
}
