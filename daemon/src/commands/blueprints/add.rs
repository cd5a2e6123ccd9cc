//! `blueprint_add`: stores a folder as a new version. An existing version never changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use tenantry_protocol::blueprint::{BlueprintReport, BlueprintUpload};
use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::plan::Severity;
use tenantry_protocol::watch::EventBody;

use crate::fault;
use crate::model::audit_chain::{Entry, Outcome};
use crate::model::blueprint::{self, Blueprint, Parsed, SourceFile, SqlText};
use crate::pipeline::Actor;
use crate::postgres::Error;
use crate::postgres::control::blueprints;

use super::check::{judged, source_files};
use crate::commands::{App, Caller, errors};

/// The result of storing a version.
enum Addition {
    Added,
    /// The same version was already stored.
    Known,
    /// The same version, with other files that take it back.
    UndoReplaced,
}

/// Whether a folder says what takes its files back. One that does not is the same version, and takes nothing away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UndoFiles {
    Absent,
    /// Also where none of them can be used.
    Uploaded,
}

pub async fn blueprint_add(
    app: &Arc<App>,
    caller: &Caller,
    request: BlueprintUpload,
) -> Result<BlueprintReport, ApiError> {
    let parsed = judged(app, blueprint::parse(&source_files(request))).await;
    let usable = parsed.findings.iter().all(|finding| finding.severity != Severity::Error);
    let (Some(blueprint), true) = (&parsed.blueprint, usable) else {
        return Ok(report(parsed, false));
    };
    let has_broken = parsed.findings.iter().any(|finding| finding.code == "no_way_back");
    let undo_files = match has_broken || !blueprint.undo_files().is_empty() {
        true => UndoFiles::Uploaded,
        false => UndoFiles::Absent,
    };
    let (app, blueprint, actor) = (Arc::clone(app), blueprint.clone(), app.actor(caller));
    let task = Arc::clone(&app);
    let stored = app.detached(async move { store(&task, &blueprint, undo_files, &actor).await }).await?;
    Ok(report(parsed, !matches!(stored, Addition::Known)))
}

/// Stores the built-in blueprints that are missing. If one differs from its stored version, the stored version stays.
pub(in crate::commands) async fn add_built_in(app: &App) -> Result<(), ApiError> {
    let actor = Actor::daemon(app.own_uid);
    for files in blueprint::built_in() {
        let Some(blueprint) = blueprint::parse_judged(&files) else { continue };
        match store(app, &blueprint, UndoFiles::Absent, &actor).await {
            Err(error) if error.code == ErrorCode::Conflict => {
                tracing::warn!("a built-in blueprint differs from what is stored: {}", error.message);
            }
            result => result.map(|_| ())?,
        }
    }
    Ok(())
}

fn report(parsed: Parsed, added: bool) -> BlueprintReport {
    let blueprint = parsed.blueprint.map(|blueprint| blueprint.to_wire(SqlText::Omitted, None));
    BlueprintReport { blueprint, findings: parsed.findings, added }
}

async fn store(
    app: &App,
    blueprint: &Blueprint,
    undo_files: UndoFiles,
    actor: &Actor,
) -> Result<Addition, ApiError> {
    let checksum = blueprint.checksum.to_string();
    match known(app, blueprint, undo_files, &checksum).await? {
        Some(Addition::UndoReplaced) => return replace_undo(app, blueprint, actor).await,
        Some(known) => return Ok(known),
        None => {}
    }
    match insert(app, blueprint, &checksum, actor).await {
        Ok(seq) => {
            let (name, version) = (blueprint.name.clone(), blueprint.version);
            app.events.publish(EventBody::Blueprint { name, version });
            app.events.publish(EventBody::Audit { seq });
            Ok(Addition::Added)
        }
        // Another caller was faster.
        Err(Error::VersionExists) => {
            known(app, blueprint, undo_files, &checksum).await?.ok_or_else(errors::internal)
        }
        Err(error) => Err(errors::control(error)),
    }
}

/// Compares with the stored version: it is either the same, or a conflict that names the files that differ.
async fn known(
    app: &App,
    blueprint: &Blueprint,
    undo_files: UndoFiles,
    checksum: &str,
) -> Result<Option<Addition>, ApiError> {
    let pool = app.control.pool();
    let (name, version) = (&blueprint.name, blueprint.version);
    let versions = blueprints::versions(pool, Some(name.as_str())).await.map_err(errors::control)?;
    match versions.into_iter().find(|stored| stored.version == version) {
        None => Ok(None),
        Some(stored) if stored.checksum == checksum => {
            let undo = blueprints::undo_files(pool, name, version).await.map_err(errors::control)?;
            let new = blueprint.undo_files();
            let is_same = undo_files == UndoFiles::Absent || differing(&undo, &new).is_empty();
            Ok(Some(if is_same { Addition::Known } else { Addition::UndoReplaced }))
        }
        Some(_) => {
            let stored = blueprints::files(pool, name, version).await.map_err(errors::control)?;
            let changed = differing(&stored, &blueprint.source_files());
            let message = format!(
                "blueprint {name} {version} is stored already, with other content in {}: a version never changes, so \
                 give these files a new version in blueprint.toml",
                changed.join(", ")
            );
            Err(ApiError::new(ErrorCode::Conflict, message).on_field("files"))
        }
    }
}

/// Has other files take the version's files back.
async fn replace_undo(app: &App, blueprint: &Blueprint, actor: &Actor) -> Result<Addition, ApiError> {
    let (name, version) = (&blueprint.name, blueprint.version);
    let replaced = async {
        let mut tx = app.trail.begin().await?;
        blueprints::hold_undo(&mut tx, name).await?;
        if blueprints::is_in_upgrade(&mut tx, name).await? {
            return Err(Error::Busy);
        }
        let files = blueprint.undo_files();
        blueprints::set_undo_files(&mut tx, name, version, &files, &actor.name).await?;
        let entry = Entry {
            outcome: Some(Outcome::Ok),
            detail: Some(format!("{name} {version}: {} files take it back", files.len())),
            ..Entry::new("blueprint.undo", actor.clone())
        };
        let entry = entry.fact("blueprint", name).fact("version", version);
        let seq = tx.record(&entry.fact("undo_checksum", blueprint.undo_checksum())).await?;
        fault::around("blueprint.undo", tx.commit("commit what takes the blueprint back")).await?;
        Ok(seq)
    };
    let replaced = replaced.await;
    // Whatever was answered: a COMMIT may have happened though nobody heard of it.
    app.control.forget_blueprint(name, version);
    match replaced {
        Ok(seq) => {
            app.events.publish(EventBody::Audit { seq });
            Ok(Addition::UndoReplaced)
        }
        Err(Error::Busy) => {
            let message = format!(
                "an upgrade of {name} is open, and what takes {version} back cannot change meanwhile: see `tenantry upgrade show`"
            );
            Err(ApiError::new(ErrorCode::Conflict, message).on_field("files"))
        }
        Err(error) => Err(errors::control(error)),
    }
}

fn differing(stored: &[SourceFile], new: &[SourceFile]) -> Vec<String> {
    let by_path = |files: &[SourceFile]| -> BTreeMap<String, String> {
        files.iter().map(|file| (file.path.clone(), file.content.clone())).collect()
    };
    let (stored, new) = (by_path(stored), by_path(new));
    let paths: std::collections::BTreeSet<&String> = stored.keys().chain(new.keys()).collect();
    paths.into_iter().filter(|path| stored.get(*path) != new.get(*path)).cloned().collect()
}

async fn insert(app: &App, blueprint: &Blueprint, checksum: &str, actor: &Actor) -> Result<i64, Error> {
    let mut tx = app.trail.begin().await?;
    let (name, version, files) = (&blueprint.name, blueprint.version, blueprint.source_files());
    blueprints::insert(&mut tx, name, version, checksum, &files, &actor.name).await?;
    let undo = blueprint.undo_files();
    if !undo.is_empty() {
        blueprints::set_undo_files(&mut tx, name, version, &undo, &actor.name).await?;
    }
    let entry = Entry {
        outcome: Some(Outcome::Ok),
        detail: Some(format!("{name} {version} {checksum}")),
        ..Entry::new("blueprint.add", actor.clone())
    };
    let mut entry = entry.fact("blueprint", name).fact("version", version).fact("checksum", checksum);
    if !undo.is_empty() {
        entry = entry.fact("undo_checksum", blueprint.undo_checksum());
    }
    let seq = tx.record(&entry).await?;
    tx.commit("commit the blueprint").await?;
    Ok(seq)
}
