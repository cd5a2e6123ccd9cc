//! Makes the plan of a provision: its steps with the same templates that run, the findings, and the hash.

use std::collections::BTreeMap;

use tenantry_protocol::name::{Slug, TargetName};
use tenantry_protocol::plan::{Finding, Plan, PlanStep};

use crate::model::blueprint::Blueprint;
use crate::model::operation::{Kind, Seeding, Step};
use crate::model::plan_hash;

use super::plan_sql::Recipe;
use super::steps::{self, Spec};

/// What a plan is made from; everything in it has been checked.
#[derive(Debug)]
pub struct Ingredients<'a> {
    pub slug: &'a Slug,
    pub display_name: &'a str,
    pub blueprint: &'a Blueprint,
    pub target: &'a TargetName,
    pub settings: &'a BTreeMap<String, i64>,
    pub labels: &'a BTreeMap<String, String>,
    pub seed: Seeding,
    pub findings: Vec<Finding>,
    pub budget_ms: u64,
}

pub fn make(from: Ingredients<'_>) -> Plan {
    let kind = Kind::provision(from.blueprint, from.seed);
    let recipe = Recipe { blueprint: from.blueprint, seed: from.seed };
    let mut plan = Plan {
        hash: String::new(),
        slug: from.slug.clone(),
        display_name: from.display_name.to_owned(),
        blueprint: from.blueprint.name.clone(),
        version: from.blueprint.version,
        target: from.target.clone(),
        settings: from.settings.clone(),
        labels: from.labels.clone(),
        seed: from.seed == Seeding::With,
        steps: kind.steps().into_iter().map(|step| plan_step(step, recipe)).collect(),
        findings: from.findings,
        budget_ms: from.budget_ms,
    };
    plan.hash = plan_hash::hash(&plan, &from.blueprint.checksum.to_string());
    plan
}

fn plan_step(step: Step, recipe: Recipe<'_>) -> PlanStep {
    let sql = match steps::spec(step) {
        Spec::Build(build) | Spec::Either(build, _) => build.sql(recipe),
        Spec::Change(_) => Vec::new(),
    };
    PlanStep { step: step.name().to_owned(), title: step.title().to_owned(), atomic: step.is_atomic(), sql }
}
