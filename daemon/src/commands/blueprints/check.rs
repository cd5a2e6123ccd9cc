//! `blueprint_check`: reads and lints a folder; stores nothing.
//!
//! Where an earlier version of the blueprint is stored, the folder is also judged as what an upgrade from it would run. A version
//! may always be stored, since new tenants can have it: what would break the earlier one's application is a warning here, and
//! refuses the upgrade.

use std::sync::Arc;

use tenantry_protocol::blueprint::{BlueprintReport, BlueprintUpload, Tenancy};
use tenantry_protocol::error::ApiError;
use tenantry_protocol::plan::{Finding, Severity};

use crate::model::blueprint::{self, Blueprint, Parsed, SourceFile, SqlText, live_findings};
use crate::postgres::control::blueprints;

use crate::commands::{App, Caller, errors};

pub async fn blueprint_check(
    app: &Arc<App>,
    _: &Caller,
    request: BlueprintUpload,
) -> Result<BlueprintReport, ApiError> {
    let parsed = judged(app, blueprint::parse(&source_files(request))).await;
    let blueprint = parsed.blueprint.map(|blueprint| blueprint.to_wire(SqlText::Omitted, None));
    Ok(BlueprintReport { blueprint, findings: parsed.findings, added: false })
}

/// With what an upgrade from the newest earlier version would cost its tenants.
pub(super) async fn judged(app: &App, parsed: Parsed) -> Parsed {
    let Parsed { blueprint, mut findings } = parsed;
    let is_broken = findings.iter().any(|finding| finding.severity == Severity::Error);
    // The tables of a pool stay as they were built: a tenant of a later version gets them in another pool.
    if let Some(to) = blueprint.as_ref().filter(|to| !is_broken && to.tenancy != Tenancy::Shared) {
        let compared = compare(app, to).await.unwrap_or_else(|error| {
            let message = format!(
                "what an upgrade would cost was not judged, because the earlier version cannot be read: {}",
                error.message
            );
            vec![Finding::warning("not_compared", message)]
        });
        for finding in compared {
            let is_same = |known: &Finding| {
                known.code == finding.code && known.file == finding.file && known.line == finding.line
            };
            if !findings.iter().any(is_same) {
                findings.push(Finding { severity: Severity::Warning, ..finding });
            }
        }
    }
    Parsed { blueprint, findings }
}

async fn compare(app: &App, to: &Blueprint) -> Result<Vec<Finding>, ApiError> {
    let stored =
        blueprints::versions(app.control.pool(), Some(to.name.as_str())).await.map_err(errors::control)?;
    let earlier =
        stored.iter().filter(|stored| stored.version < to.version).max_by_key(|stored| stored.version);
    let Some(earlier) = earlier else { return Ok(Vec::new()) };
    let from = app.parsed(earlier).await?;
    let is_same_tenancy = from.blueprint.tenancy == to.tenancy;
    Ok(if is_same_tenancy { live_findings(&from.blueprint, to) } else { Vec::new() })
}

pub(super) fn source_files(upload: BlueprintUpload) -> Vec<SourceFile> {
    upload.files.into_iter().map(|file| SourceFile { path: file.path, content: file.content }).collect()
}
