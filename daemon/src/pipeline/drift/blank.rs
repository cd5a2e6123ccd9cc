//! A blank placement of a version, built only to read its fingerprint, and rolled back.
//!
//! Invariant: it is one transaction that never commits, so that nothing is left of it, whatever ends it. Statements that run outside
//! of transactions elsewhere run in their plain form here, and what changes no definition does not run at all.

use std::sync::Arc;

use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::id::{OperationId, TenantId};
use tenantry_protocol::name::PlacementName;

use crate::model::blueprint::{Blueprint, BuildFile, FreshFile, Migration, blank_form};
use crate::pipeline::warden::Warden;
use crate::postgres::Error;
use crate::postgres::build::file_error::FileError;
use crate::postgres::build::runner::{Build, File};
use crate::postgres::fingerprint::{self, FingerprintReading};
use crate::postgres::preparation::extensions;
use crate::postgres::preparation::groundwork::groundwork;
use crate::postgres::target::marker::{Mark, Owner};
use crate::postgres::target::{Ready, Target};
use crate::postgres::tenancy::shared::pool_identity::Identity;
use crate::postgres::tenancy::shared::pools;

/// What a blank placement is built with.
pub(in crate::pipeline) struct Blank<'a> {
    pub(in crate::pipeline) target: &'a Target,
    pub(in crate::pipeline) ready: &'a Ready,
    pub(in crate::pipeline) blueprint: &'a Blueprint,
    pub(in crate::pipeline) fence: i64,
    /// Counts its locks; none if the target has not been reached yet.
    pub(in crate::pipeline) warden: Option<Warden>,
}

/// Whether the seed is loaded as well. Shared tables always get it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SeedRun {
    With,
    Without,
}

/// Why a blank placement could not be built.
#[derive(Debug, thiserror::Error)]
pub(in crate::pipeline) enum BlankError {
    #[error("{}: {why}", place(.file, *.line))]
    File { file: String, line: Option<u32>, why: String },
    #[error("the shared tables do not keep tenants apart: {}", .0.join("; "))]
    Uncovered(Vec<String>),
    #[error(transparent)]
    Database(#[from] Error),
}

impl Blank<'_> {
    /// Builds it, reads its fingerprint, and rolls it back.
    pub(in crate::pipeline) async fn fingerprint(self) -> Result<FingerprintReading, BlankError> {
        self.rolled_back(SeedRun::Without).await
    }

    /// The same with the seed.
    pub(in crate::pipeline) async fn whole(self) -> Result<FingerprintReading, BlankError> {
        self.rolled_back(SeedRun::With).await
    }

    async fn rolled_back(mut self, seed: SeedRun) -> Result<FingerprintReading, BlankError> {
        let Self { target, ready, blueprint, fence, .. } = self;
        let mark = Mark { build: OperationId::generate(), fence };
        let placement = PlacementName::from_random(rand::random());
        let grounds;
        let site = match blueprint.tenancy {
            // A database cannot be made in a transaction. That of the canary is a copy of the same template.
            Tenancy::Database => {
                grounds = groundwork(target, ready).await?;
                Arc::as_ref(&grounds).canary.site(target)
            }
            _ => target.site(),
        };
        let mut build = match blueprint.tenancy {
            Tenancy::Shared => {
                pools::begin(target, ready, mark, &placement, &other_identity(blueprint, &placement)).await?
            }
            _ => {
                let owner = Owner::Tenant(TenantId::generate());
                Build::begin(site, ready, mark, &placement, owner).await?
            }
        };
        match self.fill(&mut build, &placement, seed).await {
            Ok(reading) => {
                build.leave(site).await?;
                Ok(reading)
            }
            Err(error) => {
                build.abandon(site).await;
                Err(error)
            }
        }
    }

    async fn fill(
        &mut self,
        build: &mut Build,
        placement: &PlacementName,
        seed: SeedRun,
    ) -> Result<FingerprintReading, BlankError> {
        extensions::install_within(build.connection(), &self.blueprint.extensions).await?;
        self.make(build).await?;
        if seed == SeedRun::With && self.blueprint.tenancy != Tenancy::Shared {
            for file in &self.blueprint.seed {
                self.file(build, file).await?;
            }
        }
        Ok(fingerprint::read_within(build.connection(), placement).await?)
    }

    /// Makes everything of the version in the open transaction. A placement with its own objects gets no seed here.
    pub(in crate::pipeline) async fn make(&mut self, build: &mut Build) -> Result<(), BlankError> {
        let blueprint = self.blueprint;
        let is_shared = blueprint.tenancy == Tenancy::Shared;
        match is_shared {
            true => build.create_pool_roles().await?,
            false => build.create_blank_roles().await?,
        }
        build.create_schema().await?;
        let in_one = blueprint.in_one_transaction();
        let files = in_one.unwrap_or_else(|| blueprint.migrations.iter().map(BuildFile::written).collect());
        for what in files {
            if is_shared && what.file.is_data() {
                build.give_tenant().await?;
            }
            self.run(build, what).await?;
        }
        if is_shared {
            refuse(build.cover().await?)?;
            for file in &blueprint.seed {
                self.file(build, file).await?;
            }
            refuse(build.finish_pool().await?)?;
        }
        Ok(())
    }

    /// Applies one file. A file that runs outside of transactions elsewhere runs in its plain form.
    pub(in crate::pipeline) async fn file(
        &mut self,
        build: &mut Build,
        file: &Migration,
    ) -> Result<(), BlankError> {
        self.run(build, BuildFile::written(file)).await
    }

    async fn run(&mut self, build: &mut Build, what: BuildFile<'_>) -> Result<(), BlankError> {
        let session = build.session();
        let file = what.file;
        // Then the numbers of the statements are not those of the file.
        let is_thinned = *what.form == FreshFile::AsWritten && file.is_outside();
        let statements: Vec<String> = match what.form {
            FreshFile::AsWritten if file.is_outside() => {
                file.statements.iter().filter_map(blank_form).collect()
            }
            _ => what.texts(),
        };
        let note = file.note();
        let work = build.apply(File { path: note.file, checksum: &note.checksum, statements: &statements });
        let applied = match &mut self.warden {
            Some(warden) => warden.watch(self.target, &session, work).await,
            None => Ok(work.await),
        };
        match applied {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(FileError::Database(error))) => Err(error.into()),
            Ok(Err(error)) => {
                let error = error.of(what);
                Err(BlankError::File {
                    file: file.path.clone(),
                    line: if is_thinned { None } else { line(file, &error) },
                    why: told(&error),
                })
            }
            Err(crossed) => {
                Err(BlankError::File { file: file.path.clone(), line: None, why: crossed.to_string() })
            }
        }
    }
}

/// The file, and the line of the statement that the server refused: `V2__price.sql:3`.
fn place(file: &str, line: Option<u32>) -> String {
    line.map_or_else(|| file.to_owned(), |line| format!("{file}:{line}"))
}

/// The line of the statement that the server refused.
fn line(file: &Migration, error: &FileError) -> Option<u32> {
    match error {
        FileError::Statement { statement: Some(number), position, .. } => {
            let statement = file.statements.get(*number);
            statement.map(|one| position.map_or(one.line, |position| one.line_at(position)))
        }
        _ => None,
    }
}

fn told(error: &FileError) -> String {
    match error {
        FileError::Statement { server, .. } => format!("{error} ({})", server.sqlstate),
        _ => error.to_string(),
    }
}

pub(in crate::pipeline) fn refuse(problems: Vec<String>) -> Result<(), BlankError> {
    if problems.is_empty() { Ok(()) } else { Err(BlankError::Uncovered(problems)) }
}

/// The pool of this version may exist, and nobody is to wait for this one in its place.
pub(in crate::pipeline) fn other_identity(blueprint: &Blueprint, placement: &PlacementName) -> Identity {
    Identity {
        blueprint: blueprint.name.to_string(),
        version: blueprint.version.to_string(),
        checksum: format!("blank {placement}"),
    }
}
