//! `upgrade_tenant`: brings a tenant to a later version of its blueprint, while it serves.
//!
//! What can be told without the tenant's history is refused here; the rest is found by the operation, which changes nothing then.

use std::collections::BTreeMap;
use std::sync::Arc;

use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::id::TenantId;
use tenantry_protocol::name::{BlueprintName, BlueprintVersion};
use tenantry_protocol::plan::Severity;
use tenantry_protocol::tenant::{OperationStarted, Tenant, UpgradeTenantRequest};
use tenantry_protocol::upgrade::Course;
use time::OffsetDateTime;

use crate::model::blueprint::{Blueprint, ContractObstacle, Standing, contract_obstacle, live_findings};
use crate::model::operation::Kind;
use crate::pipeline::{OperationArguments, Update, preflight};
use crate::postgres::control::upgrade_units;

use super::change::{TenantChange, change};
use super::resolve;
use crate::commands::{App, Caller, errors};

pub async fn upgrade_tenant(
    app: &Arc<App>,
    caller: &Caller,
    request: UpgradeTenantRequest,
) -> Result<OperationStarted, ApiError> {
    let same = UpgradeTenantRequest { idempotency_key: None, ..request.clone() };
    let key = request.idempotency_key.as_deref();
    let version = request.version.as_deref().map(BlueprintVersion::parse).transpose();
    let version = version.map_err(|error| ApiError::invalid("version", error.to_string()))?;
    let tenant = app.find_tenant(&request.slug).await?;
    let to = app.blueprint(&tenant.blueprint, version).await?;
    let obstacles = obstacles(app, &tenant, &to.blueprint, Course::Forward).await?;
    let asked = TenantChange { method: "upgrade_tenant", slug: &request.slug, key, same: &same };
    // The tenant is read again when the change begins.
    change(app, caller, asked, |tenant| {
        Ok((Kind::Upgrade, decide(tenant, &to.blueprint, Course::Forward, &obstacles)?))
    })
    .await
}

/// The arguments of an upgrade of the tenant as it is now, or why there can be none.
pub(in crate::commands) async fn arguments_for(
    app: &App,
    tenant: &Tenant,
    version: Option<BlueprintVersion>,
    course: Course,
) -> Result<OperationArguments, ApiError> {
    let to = app.blueprint(&tenant.blueprint, version).await?;
    arguments_to(app, tenant, &to.blueprint, course).await
}

/// Like [`arguments_to`], where the tenant's version was looked at with another tenant.
pub(in crate::commands) async fn arguments_again(
    app: &App,
    tenant: &Tenant,
    to: &Blueprint,
    course: Course,
) -> Result<OperationArguments, ApiError> {
    let missing = missing_extensions(app, tenant, to).await?;
    decide(tenant, to, course, &missing)
}

/// Like [`arguments_for`], for a version that is at hand.
pub(in crate::commands) async fn arguments_to(
    app: &App,
    tenant: &Tenant,
    to: &Blueprint,
    course: Course,
) -> Result<OperationArguments, ApiError> {
    let obstacles = obstacles(app, tenant, to, course).await?;
    decide(tenant, to, course, &obstacles)
}

fn decide(
    tenant: &Tenant,
    to: &Blueprint,
    course: Course,
    obstacles: &[String],
) -> Result<OperationArguments, ApiError> {
    check(tenant, to, course)?;
    if !obstacles.is_empty() {
        return Err(ApiError::new(ErrorCode::Precondition, obstacles.join("; ")));
    }
    let settings = settings_in(tenant, to)?;
    let (display_name, labels) = (tenant.display_name.clone(), tenant.labels.clone());
    Ok(OperationArguments {
        update: Some(Update { display_name, labels, settings }),
        version: Some(to.version),
        from: Some(tenant.version),
        ..OperationArguments::default()
    })
}

/// Why the tenant cannot have the version as it and its target are, in sentences.
async fn obstacles(
    app: &App,
    tenant: &Tenant,
    to: &Blueprint,
    course: Course,
) -> Result<Vec<String>, ApiError> {
    let mut obstacles = missing_extensions(app, tenant, to).await?;
    if course == Course::Forward && to.version > tenant.version {
        let from = app.blueprint(&tenant.blueprint, Some(tenant.version)).await?;
        obstacles.extend(taken_away(&from.blueprint, to));
        let too_early = contract(app, &tenant.blueprint, Some(tenant.id), to).await?;
        obstacles.extend(too_early.map(|obstacle| obstacle.to_string()));
    }
    Ok(obstacles)
}

/// Why a version that takes something away comes too early for the tenants of its blueprint, or for one of them.
pub(in crate::commands) async fn contract(
    app: &App,
    blueprint: &BlueprintName,
    tenant: Option<TenantId>,
    to: &Blueprint,
) -> Result<Option<ContractObstacle>, ApiError> {
    if to.contract.is_none() {
        return Ok(None);
    }
    let held = upgrade_units::held_versions(app.control.pool(), blueprint, tenant).await;
    let held = held.map_err(errors::control)?;
    let standing: Vec<Standing<'_>> = held
        .iter()
        .map(|(slug, version, since)| Standing { slug, version: *version, since: Some(*since) })
        .collect();
    Ok(contract_obstacle(to, &standing, OffsetDateTime::now_utc()))
}

/// What of the tenant's version the new one takes away without saying so, in one sentence.
fn taken_away(from: &Blueprint, to: &Blueprint) -> Option<String> {
    const SHOWN: usize = 3;
    let findings = live_findings(from, to).into_iter().filter(|finding| finding.severity == Severity::Error);
    let mut found: Vec<String> = findings
        .map(|finding| {
            let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
            format!("{}{line}: {}", finding.file.unwrap_or_default(), finding.message)
        })
        .collect();
    if found.is_empty() {
        return None;
    }
    let more = found.len().saturating_sub(SHOWN);
    found.truncate(SHOWN);
    if more > 0 {
        found.push(format!("and {more} more"));
    }
    Some(format!(
        "version {} takes away what the application of {} may use, and does not say phase = \"contract\". Upgrade first to a \
         version that says so, or give this one that phase: {}",
        to.version,
        from.version,
        found.join("; ")
    ))
}

/// What the target lacks of the extensions that the version names, in sentences.
async fn missing_extensions(app: &App, tenant: &Tenant, to: &Blueprint) -> Result<Vec<String>, ApiError> {
    if to.extensions.is_empty() {
        return Ok(Vec::new());
    }
    let target = app.target(tenant.target.as_str())?;
    let found = preflight::extensions_of(target, tenant, &to.extensions).await;
    let findings = found.map_err(|error| errors::target(&tenant.target, error))?;
    Ok(findings
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| finding.message)
        .collect())
}

/// Whether the version can follow what the tenant has, as far as the registry tells.
fn check(tenant: &Tenant, to: &Blueprint, course: Course) -> Result<(), ApiError> {
    let refuse = |message| Err(ApiError::new(ErrorCode::Precondition, message).on_field("version"));
    match course {
        Course::Forward if to.version < tenant.version => {
            return refuse(format!(
                "{} has version {} of {}, and {} is earlier: `{}` takes back what the later one added",
                tenant.slug,
                tenant.version,
                to.name,
                to.version,
                downgrade_command(tenant, to.version)
            ));
        }
        Course::Back if to.version > tenant.version => {
            return refuse(format!(
                "{} has version {} of {2}, and {3} is later: `tenantry tenant upgrade {0} --to {3}` brings it there",
                tenant.slug, tenant.version, to.name, to.version
            ));
        }
        _ => {}
    }
    if to.tenancy != tenant.tenancy {
        return refuse(format!(
            "version {} of {} keeps tenants apart by {}, and {} by {}: provision a new tenant of it, and move the data",
            to.version,
            to.name,
            to.tenancy.name(),
            tenant.slug,
            tenant.tenancy.name()
        ));
    }
    Ok(())
}

/// What brings the tenant back to an earlier version. Those that share tables cannot be chosen one by one.
pub(in crate::commands) fn downgrade_command(tenant: &Tenant, to: BlueprintVersion) -> String {
    let command = format!("tenantry blueprint downgrade {}@{to}", tenant.blueprint);
    match tenant.tenancy {
        Tenancy::Shared => command,
        _ => format!("{command} --tenant {}", tenant.slug),
    }
}

/// The tenant's settings in the new version: those that it has keep their values, new ones take their defaults, and those that
/// the version does not know are dropped.
fn settings_in(tenant: &Tenant, to: &Blueprint) -> Result<BTreeMap<String, i64>, ApiError> {
    let kept = tenant.settings.iter().filter(|(name, _)| to.settings.contains_key(*name));
    let kept = kept.map(|(name, value)| (name.clone(), *value)).collect();
    resolve::settings(&to.settings, &kept).map_err(|error| {
        let message = format!(
            "a setting of {} does not fit version {}: {}. Change it first: tenantry tenant update {0} --set NAME=NUMBER",
            tenant.slug, to.version, error.message
        );
        ApiError::new(ErrorCode::Precondition, message)
    })
}
