//! The plan's hash, which an operator approves.
//!
//! Covers everything that decides what will happen, and nothing that changes on its own: no measurement (nor what a
//! measurement says about other tenants), no random name, no secret. Contract: SHA-256 over length-prefixed fields, in
//! the order below. New fields are added at the end, after a name of their own, and only if they are not empty, so a plan
//! without them keeps its hash.

use sha2::{Digest, Sha256};
use tenantry_protocol::plan::Plan;

const DOMAIN: &[u8] = b"tenantry.plan.v1\0";
/// Precedes the labels of a plan that has some; no finding has such a code.
const LABELS: &str = "\0labels";
/// The code of the finding about the resources that all tenants of a target may use together.
pub const OVERCOMMITTED: &str = "overcommitted";
/// A shorter prefix could match by chance.
pub const SHORTEST_PREFIX: usize = 12;

/// The hash of a plan, as 64 hexadecimal digits. The plan's own `hash` field is not read.
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
    let codes = plan.findings.iter().map(|finding| finding.code.as_str());
    let mut codes: Vec<&str> = codes.filter(|code| *code != OVERCOMMITTED).collect();
    codes.sort_unstable();
    codes.dedup();
    codes.into_iter().for_each(&mut field);
    if !plan.labels.is_empty() {
        field(LABELS);
        for (key, value) in &plan.labels {
            field(key);
            field(value);
        }
    }
    data_encoding::HEXLOWER.encode(&digest.finalize())
}

/// Whether `approved`, a whole hash or a prefix that is long enough, matches `hash`.
pub fn is_approved(hash: &str, approved: &str) -> bool {
    approved.len() >= SHORTEST_PREFIX && hash.starts_with(&approved.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::{BTreeMap, BTreeSet};

    use tenantry_protocol::name::{BlueprintName, BlueprintVersion, Slug, TargetName};
    use tenantry_protocol::plan::{Finding, PlanSql, PlanStep, Severity};

    use super::*;

    fn plan(labels: &[(&str, &str)]) -> Plan {
        Plan {
            hash: String::new(),
            slug: Slug::parse("acme").unwrap(),
            display_name: "Acme GmbH".into(),
            blueprint: BlueprintName::parse("projects").unwrap(),
            version: BlueprintVersion::new(1, 0),
            target: TargetName::parse("local").unwrap(),
            settings: BTreeMap::from([("connection_limit".into(), 20)]),
            labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            seed: true,
            steps: vec![PlanStep {
                step: "roles".into(),
                title: "three roles".into(),
                atomic: true,
                sql: vec![PlanSql { file: None, text: "create role {placement}".into(), outside: false }],
            }],
            findings: vec![Finding {
                severity: Severity::Ok,
                code: "locks".into(),
                message: "about 556 locks of 6400".into(),
                file: None,
                line: None,
            }],
            budget_ms: 120_000,
        }
    }

    #[test]
    fn a_plan_without_labels_keeps_the_hash_that_it_always_had() {
        // Computed with another program, from the contract as it was before plans had labels.
        let before = "a1b340289e40451f40da96c349d273ba045e5f8351d61213198b38df1f826fea";
        assert_eq!(hash(&plan(&[]), "c0ffee"), before);
    }

    #[test]
    fn every_change_of_a_label_is_another_plan() {
        let labels: [&[(&str, &str)]; 6] = [
            &[],
            &[("tier", "gold")],
            &[("tier", "silver")],
            &[("tie", "rgold")],
            &[("region", "eu"), ("tier", "gold")],
            &[("region", "gold"), ("tier", "eu")],
        ];
        let hashes: BTreeSet<String> = labels.iter().map(|labels| hash(&plan(labels), "c0ffee")).collect();
        assert_eq!(hashes.len(), labels.len());
        let turned = plan(&[("tier", "gold"), ("region", "eu")]);
        assert!(hashes.contains(&hash(&turned, "c0ffee")), "they have no order");
    }
}
