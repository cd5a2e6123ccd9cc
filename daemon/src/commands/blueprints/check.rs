//! `blueprint_check`: reads and lints a folder; stores nothing.

use std::sync::Arc;

use tenantry_protocol::blueprint::{BlueprintReport, BlueprintUpload};
use tenantry_protocol::error::ApiError;

use crate::model::blueprint::{self, SourceFile, SqlText};

use crate::commands::{App, Caller};

pub async fn blueprint_check(
    _: &Arc<App>,
    _: &Caller,
    request: BlueprintUpload,
) -> Result<BlueprintReport, ApiError> {
    let parsed = blueprint::parse(&source_files(request));
    let blueprint = parsed.blueprint.map(|blueprint| blueprint.to_wire(SqlText::Omitted, None));
    Ok(BlueprintReport { blueprint, findings: parsed.findings, added: false })
}

pub(super) fn source_files(upload: BlueprintUpload) -> Vec<SourceFile> {
    upload.files.into_iter().map(|file| SourceFile { path: file.path, content: file.content }).collect()
}
