//! `blueprints`: the stored versions, with their SQL if requested.

use std::sync::Arc;

use tenantry_protocol::blueprint::{BlueprintsRequest, BlueprintsResponse};
use tenantry_protocol::error::ApiError;
use tenantry_protocol::name::{BlueprintName, BlueprintVersion};

use crate::model::blueprint::SqlText;
use crate::postgres::control::blueprints as stored_blueprints;

use crate::commands::{App, Caller, errors};

pub async fn blueprints(
    app: &Arc<App>,
    _: &Caller,
    request: BlueprintsRequest,
) -> Result<BlueprintsResponse, ApiError> {
    let Some(name) = &request.name else {
        if request.with_sql || request.version.is_some() {
            return Err(ApiError::invalid("name", "say which blueprint the version or the SQL is of"));
        }
        let versions =
            stored_blueprints::versions(app.control.pool(), None).await.map_err(errors::control)?;
        let mut blueprints = Vec::with_capacity(versions.len());
        for version in &versions {
            let entry = app.parsed(version).await?;
            blueprints.push(entry.blueprint.to_wire(SqlText::Omitted, Some(entry.added_at)));
        }
        return Ok(BlueprintsResponse { blueprints });
    };
    let name = BlueprintName::parse(name).map_err(|error| ApiError::invalid("name", error.to_string()))?;
    let version = request.version.as_deref().map(BlueprintVersion::parse).transpose();
    let version = version.map_err(|error| ApiError::invalid("version", error.to_string()))?;
    let sql = if request.with_sql { SqlText::Included } else { SqlText::Omitted };
    // An unknown name or version is an error here, because an empty list would say less.
    let newest = app.blueprint(&name, version).await?;
    let mut entries = vec![newest];
    if version.is_none() && !request.with_sql {
        let versions = stored_blueprints::versions(app.control.pool(), Some(name.as_str()))
            .await
            .map_err(errors::control)?;
        for older in versions.iter().skip(1) {
            entries.push(app.parsed(older).await?);
        }
    }
    let blueprints = entries.iter().map(|entry| entry.blueprint.to_wire(sql, Some(entry.added_at))).collect();
    Ok(BlueprintsResponse { blueprints })
}
