//! The plan's hash: what an operator approves.
//!
//! Covers everything that decides what will happen, and nothing that changes by itself: no measurement, no random name,
//! no secret. Contract: SHA-256 over length-prefixed fields, in the order below.

use sha2::{Digest, Sha256};
use tenantry_protocol::plan::Plan;

const DOMAIN: &[u8] = b"tenantry.plan.v1\0";
/// A prefix that is shorter could be met by chance.
pub const SHORTEST_PREFIX: usize = 12;

/// The hash of a plan (its own `hash` field is not read), as 64 hexadecimal digits.
pub fn hash(plan: &Plan, blueprint_checksum: &str) -> String {
    let mut digest = Sha256::new_with_prefix(DOMAIN);
    let mut field = |text: &str| {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text.as_bytes());
    };
    field(plan.slug.as_str());
    field(&plan.display_name);
    field(plan.blueprint.as_str());
    field(&plan.version.to_string());
    field(blueprint_checksum);
    field(plan.target.as_str());
    field(if plan.seed { "seed" } else { "no seed" });
    for (name, value) in &plan.settings {
        field(name);
        field(&value.to_string());
    }
    for step in &plan.steps {
        field(&step.step);
        for sql in &step.sql {
            field(sql.file.as_deref().unwrap_or(""));
            field(&sql.text);
        }
    }
    let mut codes: Vec<&str> = plan.findings.iter().map(|finding| finding.code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes.into_iter().for_each(&mut field);
    data_encoding::HEXLOWER.encode(&digest.finalize())
}

/// Whether `approved`, a whole hash or a prefix that is long enough, means the plan with `hash`.
pub fn is_approved(hash: &str, approved: &str) -> bool {
    approved.len() >= SHORTEST_PREFIX && hash.starts_with(&approved.to_ascii_lowercase())
}
