//! Expand and contract: a version that takes away what an application used says so, and waits until none uses it.
//!
//! Pure. The tenants and the time come from the caller.

use std::time::Duration;

use tenantry_protocol::name::BlueprintVersion;
use time::{OffsetDateTime, UtcOffset};

use super::Blueprint;

/// What a version with `phase = "contract"` asks of the tenants that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contract {
    /// The version from which on the application does without what this one takes away.
    pub after: BlueprintVersion,
    /// How long each tenant must have had `after`, or a later version.
    pub soak: Duration,
}

/// A tenant as a contract looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing<'a> {
    pub slug: &'a str,
    pub version: BlueprintVersion,
    /// When it came to that version; `None` where that is not known, and then the soak is not asked for.
    pub since: Option<OffsetDateTime>,
}

/// Why a version may not take anything away yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContractObstacle {
    #[error(
        "version {to} takes away what versions before {after} use, and {who}: upgrade to {after} first",
        who = who(*older, *tenants, slug, *version)
    )]
    Older {
        to: BlueprintVersion,
        after: BlueprintVersion,
        older: usize,
        tenants: usize,
        slug: String,
        version: BlueprintVersion,
    },
    #[error(
        "version {to} takes away what versions before {after} use, and the last tenant to leave them, {slug}, has done without \
         for too short a time: the version asks for {asked}, which are over at {over}",
        asked = in_words(*soak),
        over = at(*over)
    )]
    Young {
        to: BlueprintVersion,
        after: BlueprintVersion,
        slug: String,
        soak: Duration,
        over: OffsetDateTime,
    },
}

/// Why the tenants of a blueprint, or one of them, cannot be brought to this version yet. A tenant that has the version, or a
/// later one, is not in the way.
pub fn contract_obstacle(
    to: &Blueprint,
    tenants: &[Standing<'_>],
    now: OffsetDateTime,
) -> Option<ContractObstacle> {
    let Contract { after, soak } = to.contract?;
    let older: Vec<&Standing<'_>> = tenants.iter().filter(|tenant| tenant.version < after).collect();
    if let Some(oldest) = older.iter().min_by_key(|tenant| tenant.version) {
        return Some(ContractObstacle::Older {
            to: to.version,
            after,
            older: older.len(),
            tenants: tenants.len(),
            slug: oldest.slug.to_owned(),
            version: oldest.version,
        });
    }
    let behind = tenants.iter().filter(|tenant| tenant.version < to.version);
    let (since, slug) = behind.filter_map(|tenant| Some((tenant.since?, tenant.slug))).max()?;
    // The soak is bounded by the manifest, and so is a time of the registry.
    let over = since.checked_add(soak.try_into().ok()?)?;
    (over > now).then(|| ContractObstacle::Young { to: to.version, after, slug: slug.to_owned(), soak, over })
}

fn who(older: usize, tenants: usize, slug: &str, version: BlueprintVersion) -> String {
    if tenants == 1 {
        return format!("{slug} has {version}");
    }
    let has = if older == 1 { "has" } else { "have" };
    format!("{older} of {tenants} tenants {has} one of them, such as {slug} with {version}")
}

/// The longest soak that a manifest may ask for.
pub(super) const LONGEST_SOAK: Duration = Duration::from_secs(366 * 86_400);

const UNITS: [(&str, u64); 5] = [("w", 7 * 86_400), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// `7d`, `36h`: a whole number of seconds, minutes, hours, days or weeks.
pub(super) fn soak(text: &str) -> Option<Duration> {
    let (unit, seconds) = UNITS.iter().find(|(unit, _)| text.ends_with(unit))?;
    let number = text.strip_suffix(unit)?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let soak = Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(*seconds)?);
    (soak <= LONGEST_SOAK).then_some(soak)
}

/// `2026-12-07 04:39 UTC`.
fn at(time: OffsetDateTime) -> String {
    let utc = time.to_offset(UtcOffset::UTC);
    format!("{} {:02}:{:02} UTC", utc.date(), utc.hour(), utc.minute())
}

/// In the largest unit that it is a whole number of: `7 days`.
fn in_words(soak: Duration) -> String {
    let names = ["week", "day", "hour", "minute", "second"];
    // Weeks are for people to write; days are easier to read.
    let units = UNITS.iter().zip(names).skip(1);
    let seconds = soak.as_secs();
    for ((_, unit), name) in units {
        if seconds > 0 && seconds.is_multiple_of(*unit) {
            let number = seconds / unit;
            return format!("{number} {name}{}", if number == 1 { "" } else { "s" });
        }
    }
    "no time".to_owned()
}

#[cfg(test)]
#[path = "tests/contract.rs"]
mod tests;
