//! `blueprint_draft`: the manifest for a folder that has none, and what a check says with it; stores nothing.

use std::sync::Arc;

use tenantry_protocol::blueprint::{BlueprintDraft, BlueprintDraftRequest, BlueprintUpload};
use tenantry_protocol::error::ApiError;
use tenantry_protocol::name::BlueprintName;

use super::check::source_files;
use crate::commands::{App, Caller};
use crate::model::blueprint_draft::draft;

pub async fn blueprint_draft(
    _: &Arc<App>,
    _: &Caller,
    request: BlueprintDraftRequest,
) -> Result<BlueprintDraft, ApiError> {
    let name =
        BlueprintName::parse(&request.name).map_err(|error| ApiError::invalid("name", error.to_string()))?;
    let (manifest, findings) = draft(&name, &source_files(BlueprintUpload { files: request.files }));
    Ok(BlueprintDraft { manifest, findings })
}
