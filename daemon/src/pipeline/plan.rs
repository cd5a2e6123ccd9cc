//! Makes the plan of a provision: the steps with the very templates that run, the findings, and the hash.

use std::collections::BTreeMap;

use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::isolation::Depth;
use tenantry_protocol::name::{Slug, TargetName};
use tenantry_protocol::plan::{Finding, Plan, PlanSql, PlanStep};

use crate::isolation::probes;
use crate::model::blueprint::{Blueprint, Migration};
use crate::model::operation::{Kind, Seeding, Step};
use crate::model::plan_hash;
use crate::postgres::build::tenant_ddl;
use crate::postgres::tenancy::shared::pool_ddl;

/// What a plan is made from; everything in it was checked.
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
        steps: kind.steps().iter().map(|step| plan_step(*step, from.blueprint, from.seed)).collect(),
        findings: from.findings,
        budget_ms: from.budget_ms,
    };
    plan.hash = plan_hash::hash(&plan, &from.blueprint.checksum.to_string());
    plan
}

fn plan_step(step: Step, blueprint: &Blueprint, seed: Seeding) -> PlanStep {
    let is_shared = blueprint.tenancy == Tenancy::Shared;
    let sql = match step {
        Step::Reserve => vec![ours(tenant_ddl::RESERVE)],
        Step::CreateDatabase => {
            [tenant_ddl::JOIN_OWNER, tenant_ddl::CREATE_DATABASE, tenant_ddl::OPEN_DATABASE].map(ours).into()
        }
        Step::Pool => pool(blueprint),
        Step::Join => vec![ours(pool_ddl::JOIN)],
        Step::Roles if is_shared => [pool_ddl::SHARED_ROLES, tenant_ddl::TEMP_FILES].map(ours).into(),
        Step::Commit if is_shared => vec![ours(pool_ddl::SHARED_SEAL), ours("commit;\n")],
        Step::Roles => [tenant_ddl::roles(blueprint.tenancy), tenant_ddl::TEMP_FILES].map(ours).into(),
        Step::Schema => vec![ours(tenant_ddl::SCHEMA)],
        Step::Migrations => files(blueprint.inside()),
        Step::Seed => files(&blueprint.seed),
        Step::Commit => vec![ours(tenant_ddl::SEAL), ours("commit;\n")],
        Step::Outside => outside(blueprint, seed),
        Step::Verify => attacks(blueprint),
        Step::Activate => vec![ours(tenant_ddl::CLOSE_PROBE)],
        _ => Vec::new(),
    };
    PlanStep { step: step.name().to_owned(), title: step.title().to_owned(), atomic: step.is_atomic(), sql }
}

fn attacks(blueprint: &Blueprint) -> Vec<PlanSql> {
    let probes = probes::of(blueprint.tenancy, Depth::Core);
    probes.flat_map(|probe| probe.attacks).map(|attack| ours(&format!("{};\n", attack.sql))).collect()
}

/// What builds the pool, where this is its first tenant.
fn pool(blueprint: &Blueprint) -> Vec<PlanSql> {
    let before = [ours(pool_ddl::POOL_ROLES), ours(tenant_ddl::SCHEMA)];
    let behind = [ours(pool_ddl::POOL_FUNCTIONS), ours(tenant_ddl::SEAL), ours("commit;\n")];
    let covered = std::iter::once(ours(pool_ddl::COVER)).chain(files(&blueprint.seed));
    before.into_iter().chain(files(blueprint.inside())).chain(covered).chain(behind).collect()
}

fn ours(text: &str) -> PlanSql {
    PlanSql { file: None, text: text.to_owned(), outside: false }
}

fn files(files: &[Migration]) -> Vec<PlanSql> {
    files.iter().map(file).collect()
}

fn file(file: &Migration) -> PlanSql {
    PlanSql { file: Some(file.path.clone()), text: file.sql.to_string(), outside: file.is_outside() }
}

/// The files behind the commit: those that can be in no transaction within a login of the owner's.
fn outside(blueprint: &Blueprint, seed: Seeding) -> Vec<PlanSql> {
    let mut sql = Vec::new();
    for migration in blueprint.outside() {
        if migration.is_outside() {
            sql.extend([ours(tenant_ddl::OPEN_OWNER), file(migration), ours(tenant_ddl::CLOSE_OWNER)]);
        } else {
            sql.push(file(migration));
        }
    }
    if seed == Seeding::With {
        sql.extend(files(&blueprint.seed));
    }
    sql
}
