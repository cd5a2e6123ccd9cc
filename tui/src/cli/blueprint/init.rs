//! `blueprint init`: writes the `blueprint.toml` that fits a folder of migrations.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use tenantry_protocol::blueprint::BlueprintDraftRequest;
use tenantry_protocol::plan::Severity;

use super::folder;
use crate::cli::Context;
use crate::cli::error::CliError;
use crate::cli::output::document::BlueprintInitialised;
use crate::format;

pub(super) async fn run(context: &Context, path: &Path, name: Option<String>) -> Result<(), CliError> {
    let folder = folder::read_without_manifest(path)?;
    for warning in &folder.warnings {
        context.output.note(&format!("warning: {warning}"));
    }
    let name = name.unwrap_or_else(|| folder::name_for(path));
    let request = BlueprintDraftRequest { name, files: folder.upload.files };
    let draft = context.client().await?.blueprint_draft(request).await?;
    let file = path.join(folder::MANIFEST);
    write_new(&file, &draft.manifest)?;
    if context.output.is_json() {
        let (path, manifest, findings) = (file.display().to_string(), draft.manifest, draft.findings);
        return context.output.document(&BlueprintInitialised { path, manifest, findings });
    }
    let lines: Vec<String> = draft.findings.iter().map(format::finding).collect();
    let errors = draft.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let next = match errors {
        0 => format!("next: tenantry blueprint check {} --on TARGET", path.display()),
        _ => format!(
            "the folder has {}: correct what is named, and check it with `tenantry blueprint check {}`",
            format::counted(errors as u64, "error"),
            path.display()
        ),
    };
    let said = [vec![draft.manifest.trim_end().to_owned(), String::new()], lines].concat();
    context.output.lines(&format!("{}\n{}: written\n{next}", said.join("\n"), file.display()))
}

/// Whatever stands there already stays.
fn write_new(path: &Path, content: &str) -> Result<(), CliError> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(content.as_bytes()));
    written.map_err(|error| folder::fault(path, format!("it cannot be written: {error}")))
}
