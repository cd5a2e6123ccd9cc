//! One upgrade, tried on a blank placement that is built, upgraded, compared with a new one and removed.
//!
//! The placement is committed before its upgrade, because a transaction holds the strongest lock on everything that it made, and the
//! locks of the files could not be told from those. Shared tables are made and upgraded in one transaction that never
//! commits: a pool would be open to tenants, and so nothing is learned of the locks there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::id::OperationId;
use tenantry_protocol::name::PlacementName;

use super::{RehearsalError, TrialGround, refused};
use crate::fault;
use crate::model::blueprint::{Blueprint, Migration};
use crate::model::fingerprint::{self as model, Fingerprint};
use crate::model::rehearsal::{Rehearsed, RehearsedTransaction};
use crate::model::upgrade::{self, FileRun};
use crate::pipeline::backoff::Patience;
use crate::pipeline::drift::BaselineOf;
use crate::pipeline::drift::blank::{Blank, BlankError, other_identity, refuse};
use crate::pipeline::warden::Warden;
use crate::postgres::Error;
use crate::postgres::build::file_error::FileError;
use crate::postgres::build::runner::Build;
use crate::postgres::fingerprint::{self, FingerprintReading};
use crate::postgres::preparation::groundwork::groundwork;
use crate::postgres::preparation::{self, extensions};
use crate::postgres::removal::blank::remove_blank;
use crate::postgres::target::Ready;
use crate::postgres::target::location::Site;
use crate::postgres::target::marker::{self, Mark, MarkerState, Owner};
use crate::postgres::tenancy::shared::pools;

/// How long the removal of a placement is tried again.
const REMOVAL_TIME: Duration = Duration::from_secs(10);

pub(super) struct Trial<'a> {
    ground: TrialGround<'a>,
    ready: &'a Ready,
    to: &'a Blueprint,
    mark: Mark,
    placement: PlacementName,
    /// The earlier version.
    blank: Blank<'a>,
    /// What its upgrade runs.
    files: Vec<&'a Migration>,
}

/// The upgraded placement, before it is compared.
struct Upgraded {
    transactions: Vec<RehearsedTransaction>,
    found: Fingerprint,
    duration: Duration,
}

impl<'a> Trial<'a> {
    pub(super) fn new(
        ground: TrialGround<'a>,
        ready: &'a Ready,
        (from, to): (&'a Blueprint, &'a Blueprint),
        warden: Option<Warden>,
    ) -> Result<Self, RehearsalError> {
        let fence = ground.control.may_write().map_err(RehearsalError::Control)?;
        let files: Vec<(&str, String)> = from
            .migrations
            .iter()
            .chain(&from.seed)
            .map(|file| (file.path.as_str(), file.checksum.to_string()))
            .collect();
        let history: Vec<FileRun<'_>> =
            files.iter().map(|(file, checksum)| FileRun { file, checksum, is_since: false }).collect();
        let files = upgrade::between(to, from, &history, None).map_err(|obstacles| {
            refused(&obstacles.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        })?;
        Ok(Self {
            ground,
            ready,
            to,
            mark: Mark { build: OperationId::generate(), fence },
            placement: PlacementName::from_random(rand::random()),
            blank: Blank { target: ground.target, ready, blueprint: from, fence, warden },
            files,
        })
    }

    pub(super) async fn run(mut self) -> Result<Rehearsed, RehearsalError> {
        let upgraded = match self.to.tenancy {
            Tenancy::Shared => {
                self.install_extensions(self.ground.target.site()).await?;
                in_time(self.ground, self.to, self.upgrade_pool()).await
            }
            Tenancy::Database => {
                let grounds = groundwork(self.ground.target, self.ready).await;
                let grounds = grounds.map_err(RehearsalError::Target)?;
                let site = Arc::as_ref(&grounds).canary.site(self.ground.target);
                preparation::bring_up(site).await.map_err(RehearsalError::Target)?;
                self.at(site).await
            }
            _ => self.at(self.ground.target.site()).await,
        }?;
        self.compare(upgraded).await
    }

    /// Builds, upgrades and removes it.
    async fn at(&mut self, site: Site<'_>) -> Result<Upgraded, RehearsalError> {
        self.install_extensions(site).await?;
        let upgraded = in_time(self.ground, self.to, self.build_and_upgrade(site)).await;
        if let Err(error) = self.remove(site).await {
            tracing::warn!(
                placement = %self.placement, error = %error.explain(),
                "the placement of a rehearsal is left until the next look at its target"
            );
        }
        upgraded
    }

    /// Those of both versions, as an upgrade would.
    async fn install_extensions(&self, site: Site<'_>) -> Result<(), RehearsalError> {
        for version in [self.blank.blueprint, self.to] {
            extensions::install(site, &version.extensions).await.map_err(RehearsalError::Target)?;
        }
        Ok(())
    }

    /// Repeated where a connection was cut: the next look at the target may be far off.
    async fn remove(&self, site: Site<'_>) -> Result<(), Error> {
        let mut patience = Patience::lasting(REMOVAL_TIME);
        loop {
            let removed = remove_blank(site, self.ready, self.mark, &self.placement);
            match fault::around("rehearsal.removal", removed).await {
                // It was never committed, or is gone since an attempt that nobody answered.
                Ok(()) | Err(Error::Unmarked { .. }) => return Ok(()),
                Err(error) if error.is_passing() && patience.pause().await => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn build_and_upgrade(&mut self, site: Site<'_>) -> Result<Upgraded, BlankError> {
        self.build(site).await?;
        self.upgrade(site).await
    }

    /// The earlier version, with its seed: rows show what an empty table hides.
    async fn build(&mut self, site: Site<'_>) -> Result<(), BlankError> {
        let mut build = Build::begin(site, self.ready, self.mark, &self.placement, Owner::Rehearsal).await?;
        match self.fill(&mut build, site).await {
            Ok(()) => Ok(fault::around("rehearsal.build", build.commit(site)).await?),
            Err(error) => {
                build.abandon(site).await;
                Err(error)
            }
        }
    }

    async fn fill(&mut self, build: &mut Build, site: Site<'_>) -> Result<(), BlankError> {
        self.blank.make(build).await?;
        for file in &self.blank.blueprint.seed {
            self.blank.file(build, file).await?;
        }
        // In a database of its own, the marker stays as the build leaves it.
        if !site.is_own_database() {
            marker::set_state(build.connection(), self.mark.build, MarkerState::Active).await?;
        }
        Ok(())
    }

    async fn upgrade(&mut self, site: Site<'_>) -> Result<Upgraded, BlankError> {
        let begin = Instant::now();
        let operation = OperationId::generate();
        let mut transactions = Vec::new();
        let mut found = None;
        let files = std::mem::take(&mut self.files);
        for group in groups(&files) {
            let opened = Build::upgrade(site, self.ready, self.mark, &self.placement, operation).await?;
            let mut build = opened.0;
            build.come_behind(self.to);
            match self.transaction(&mut build, group).await {
                Ok((transaction, fingerprint)) => {
                    // Without a file there is nothing to seal.
                    match group.is_empty() {
                        true => build.leave(site).await?,
                        false => fault::around("rehearsal.upgrade", build.commit(site)).await?,
                    }
                    transactions.extend(transaction);
                    found = Some(fingerprint);
                }
                Err(error) => {
                    build.abandon(site).await;
                    return Err(error);
                }
            }
        }
        let found = found.unwrap_or_default();
        Ok(Upgraded { transactions, found, duration: begin.elapsed() })
    }

    /// Files of one transaction, what it took, and what the placement is after them. Of a file that runs outside, nothing is
    /// learned: its plain form takes other locks.
    async fn transaction(
        &mut self,
        build: &mut Build,
        files: &[&Migration],
    ) -> Result<(Option<RehearsedTransaction>, Fingerprint), BlankError> {
        let before = build.relations().await?;
        for file in files {
            self.blank.file(build, file).await?;
        }
        if let (Some(last), Err(error)) = (files.last(), build.check_deferred_triggers().await) {
            return Err(match error {
                FileError::Database(error) => error.into(),
                error => BlankError::File { file: last.path.clone(), line: None, why: error.to_string() },
            });
        }
        let is_outside = files.iter().any(|file| file.is_outside());
        let transaction = if is_outside || files.is_empty() {
            None
        } else {
            Some(RehearsedTransaction {
                files: files.iter().map(|file| file.path.clone()).collect(),
                locks: build.locks_on(&before).await?,
                rewritten: build.written_anew(&before).await?,
            })
        };
        Ok((transaction, whole(build, &self.placement).await?))
    }

    /// Makes and upgrades shared tables in one transaction.
    async fn upgrade_pool(&mut self) -> Result<Upgraded, BlankError> {
        let target = self.ground.target;
        let identity = other_identity(self.blank.blueprint, &self.placement);
        let mut build = pools::begin(target, self.ready, self.mark, &self.placement, &identity).await?;
        match self.fill_and_upgrade_pool(&mut build).await {
            Ok(upgraded) => {
                build.leave(target.site()).await?;
                Ok(upgraded)
            }
            Err(error) => {
                build.abandon(target.site()).await;
                Err(error)
            }
        }
    }

    async fn fill_and_upgrade_pool(&mut self, build: &mut Build) -> Result<Upgraded, BlankError> {
        self.blank.make(build).await?;
        let begin = Instant::now();
        let identity = other_identity(self.to, &self.placement);
        let before = build.open_pool(&identity).await?;
        for file in std::mem::take(&mut self.files) {
            self.blank.file(build, file).await?;
        }
        refuse(build.close_pool(&before, &identity).await?)?;
        let found = whole(build, &self.placement).await?;
        Ok(Upgraded { transactions: Vec::new(), found, duration: begin.elapsed() })
    }

    /// Compares it with a new placement of the version.
    async fn compare(&self, upgraded: Upgraded) -> Result<Rehearsed, RehearsalError> {
        let Upgraded { transactions, found, duration } = upgraded;
        let Blueprint { name, version, tenancy, .. } = self.to;
        let (control, target) = (self.ground.control, self.ground.target);
        let baseline = BaselineOf { control, target, blueprint: name, version: *version, tenancy: *tenancy };
        let stored = match baseline.find(self.ready).await? {
            Some(stored) => stored,
            None => baseline.make(self.ready, self.to, None).await?.map_err(|why| refused(&why))?,
        };
        let differences = if stored.digest == found.digest() {
            Vec::new()
        } else {
            model::compare(&baseline.objects(self.ready).await?, &found)
        };
        Ok(Rehearsed { transactions, differences, fingerprint: found.digest(), duration })
    }
}

async fn in_time(
    ground: TrialGround<'_>,
    to: &Blueprint,
    work: impl Future<Output = Result<Upgraded, BlankError>>,
) -> Result<Upgraded, RehearsalError> {
    let ended = tokio::select! {
        ended = tokio::time::timeout(ground.budget, work) => ended,
        () = ground.stop.cancelled() => return Err(refused("it was stopped")),
    };
    match ended {
        Ok(Ok(upgraded)) => Ok(upgraded),
        Ok(Err(BlankError::Database(error))) if error.is_unreachable() => Err(RehearsalError::Target(error)),
        Ok(Err(BlankError::Database(error))) => Err(refused(&error.explain())),
        Ok(Err(error)) => Err(refused(&error.to_string())),
        Err(_) => Err(refused(&format!(
            "the files of {} did not end within the {} s that an operation has",
            to.version,
            ground.budget.as_secs()
        ))),
    }
}

/// The files by transaction: those in a row that can share one, and each that runs outside alone. At least one, so that a
/// version without files is compared, too.
fn groups<'f, 'a>(files: &'f [&'a Migration]) -> Vec<&'f [&'a Migration]> {
    if files.is_empty() {
        return vec![files];
    }
    files.chunk_by(|one, next| !one.is_outside() && !next.is_outside()).collect()
}

async fn whole(build: &mut Build, placement: &PlacementName) -> Result<Fingerprint, BlankError> {
    match fingerprint::read_within(build.connection(), placement).await? {
        FingerprintReading::Whole(fingerprint) => Ok(fingerprint),
        FingerprintReading::TooMuch => Err(Error::Refused(crate::pipeline::drift::too_much()).into()),
    }
}
