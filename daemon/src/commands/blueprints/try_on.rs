//! `blueprint_try`: builds a folder on a target in a transaction that is rolled back, and reports as a provision would; stores nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tenantry_protocol::blueprint::{BlueprintReport, BlueprintTrial, BlueprintUpload};
use tenantry_protocol::error::ApiError;
use tenantry_protocol::plan::{Finding, Severity};
use tokio_util::sync::CancellationToken;

use super::check::{judged, source_files};
use crate::commands::{App, Caller, errors};
use crate::model::blueprint::{self, Blueprint, Parsed, SqlText};
use crate::pipeline::{TrialBuild, preflight};
use crate::postgres::target::Target;
use crate::postgres::tenant_ddl::LoginLimits;

pub async fn blueprint_try(
    app: &Arc<App>,
    _: &Caller,
    request: BlueprintTrial,
) -> Result<BlueprintReport, ApiError> {
    let target = Arc::clone(app.chosen_target(request.target.as_deref())?);
    let parsed = blueprint::parse(&source_files(BlueprintUpload { files: request.files }));
    let Parsed { blueprint, mut findings } = judged(app, parsed).await;
    let blueprint = blueprint.map(Arc::new);
    let is_usable = |findings: &[Finding]| findings.iter().all(|one| one.severity != Severity::Error);
    if let Some(blueprint) = blueprint.as_ref().filter(|_| is_usable(&findings)) {
        let found = before(app, &target, blueprint).await?;
        let goes = is_usable(&found);
        findings
            .extend(found.into_iter().filter(|one| one.severity != Severity::Ok || one.code == "extension"));
        if goes {
            findings.push(build(app, &target, blueprint).await?);
        }
        // As in every report, what prevents the use comes first.
        findings.sort_by_key(|one| one.severity != Severity::Error);
    }
    let blueprint = blueprint.map(|blueprint| blueprint.to_wire(SqlText::Omitted, None));
    Ok(BlueprintReport { blueprint, findings, added: false })
}

/// What a plan would say of the target.
async fn before(app: &App, target: &Target, blueprint: &Blueprint) -> Result<Vec<Finding>, ApiError> {
    let settings: BTreeMap<String, i64> =
        blueprint.settings.iter().map(|(name, setting)| (name.clone(), setting.default)).collect();
    let found = preflight::findings(target, blueprint, LoginLimits::of(&settings)).await;
    let mut found = found.map_err(|error| errors::target(target.name(), error))?;
    found.extend(app.capacity_of(target).await?);
    Ok(found)
}

async fn build(
    app: &Arc<App>,
    target: &Arc<Target>,
    blueprint: &Arc<Blueprint>,
) -> Result<Finding, ApiError> {
    let begin = Instant::now();
    let (engine, on, version) = (app.engine.clone(), Arc::clone(target), Arc::clone(blueprint));
    let stop = CancellationToken::new();
    let _guard = stop.clone().drop_guard();
    let built = app.detached(async move { Ok(engine.try_build(&on, &version, &stop).await) }).await?;
    let built = built.map_err(|error| errors::target(target.name(), error))?;
    Ok(match built {
        TrialBuild::Built { objects } => {
            let objects = objects
                .map_or_else(|| "too many objects to count".to_owned(), |count| format!("{count} objects"));
            let message = format!(
                "built on {} in {} ms and rolled back: {objects}, and nothing is left",
                target.name(),
                begin.elapsed().as_millis()
            );
            Finding::ok("built", message)
        }
        TrialBuild::Refused { file, line, why } => {
            let message = format!("it does not go through on {}: {why}", target.name());
            Finding { file, line, ..Finding::new(Severity::Error, "not_built", message) }
        }
    })
}
