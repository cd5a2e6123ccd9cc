//! Blueprints by name and version, parsed once: a version never changes, but for what takes its files back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::name::{BlueprintName, BlueprintVersion};
use tenantry_protocol::plan::Finding;
use time::OffsetDateTime;

use crate::model::blueprint::{self, Blueprint};
use crate::postgres::Error;
use crate::postgres::control::blueprints::{self, StoredVersion};

use crate::commands::App;
use crate::commands::errors;

/// A stored blueprint, ready to use.
#[derive(Debug)]
pub(in crate::commands) struct CatalogEntry {
    pub(in crate::commands) blueprint: Arc<Blueprint>,
    pub(in crate::commands) findings: Vec<Finding>,
    pub(super) added_at: OffsetDateTime,
    /// What takes its files back, as it was stored when they were read.
    undo: String,
}

/// The parsed versions. Their number is small, because somebody wrote each of them.
#[derive(Debug, Default)]
pub(in crate::commands) struct Catalog {
    parsed: Mutex<HashMap<(BlueprintName, BlueprintVersion), Arc<CatalogEntry>>>,
}

impl App {
    /// The blueprint of this name, in this version or in its newest.
    pub(in crate::commands) async fn blueprint(
        &self,
        name: &BlueprintName,
        version: Option<BlueprintVersion>,
    ) -> Result<Arc<CatalogEntry>, ApiError> {
        let stored =
            blueprints::versions(self.control.pool(), Some(name.as_str())).await.map_err(errors::control)?;
        let chosen = match version {
            Some(version) => stored.iter().find(|stored| stored.version == version),
            None => stored.first(),
        };
        match chosen {
            Some(stored) => self.parsed(stored).await,
            None => Err(self.unknown(name, version, &stored).await),
        }
    }

    /// A stored version, parsed.
    pub(super) async fn parsed(&self, stored: &StoredVersion) -> Result<Arc<CatalogEntry>, ApiError> {
        let key = (stored.name.clone(), stored.version);
        let known = self.catalog.parsed.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known.filter(|known| known.undo == stored.undo) {
            return Ok(known);
        }
        let read = blueprints::all_files(self.control.pool(), &stored.name, stored.version).await;
        let files = match read {
            Err(Error::Corrupt { .. }) => return Err(changed(stored)),
            read => read.map_err(errors::control)?,
        };
        let parsed = blueprint::parse(&files);
        let blueprint =
            parsed.blueprint.filter(|blueprint| blueprint.checksum.to_string() == stored.checksum);
        let Some(blueprint) = blueprint else { return Err(changed(stored)) };
        let entry = Arc::new(CatalogEntry {
            blueprint: Arc::new(blueprint),
            findings: parsed.findings,
            added_at: stored.added_at,
            undo: stored.undo.clone(),
        });
        self.catalog.parsed.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&entry));
        Ok(entry)
    }

    async fn unknown(
        &self,
        name: &BlueprintName,
        version: Option<BlueprintVersion>,
        stored: &[StoredVersion],
    ) -> ApiError {
        let not_found = |message| ApiError::new(ErrorCode::NotFound, message);
        if let (Some(version), false) = (version, stored.is_empty()) {
            let known: Vec<String> = stored.iter().map(|stored| stored.version.to_string()).collect();
            let message = format!("blueprint {name} has no version {version}; it has: {}", known.join(", "));
            return not_found(message).on_field("version");
        }
        let known = blueprints::versions(self.control.pool(), None).await.unwrap_or_default();
        let mut names: Vec<String> = known.into_iter().map(|stored| stored.name.to_string()).collect();
        names.dedup();
        let message = format!(
            "there is no blueprint '{name}'; there is: {}. Add a folder of migrations with `tenantry blueprint add \
             PATH`",
            names.join(", ")
        );
        not_found(message).on_field("blueprint")
    }
}

/// Its files are not those that were added.
fn changed(stored: &StoredVersion) -> ApiError {
    let message = format!(
        "blueprint {} {} was changed in the control database: its files do not match its checksum. Restore the database, or add the blueprint as a new version",
        stored.name, stored.version
    );
    tracing::error!("{message}");
    ApiError::new(ErrorCode::Internal, message)
}
