//! Brings a tenant that stands to a later version of its blueprint: runs what the version has and the tenant has not.
//!
//! Consecutive files are one transaction. A file that cannot run in one splits them, and after the first COMMIT there is only the
//! way forward: an operation that ends in between leaves a tenant that serves, and the same upgrade goes on from there.
//!
//! Each attempt asks the history on the target what is left to do. So it does not matter whether the COMMIT of an earlier attempt
//! was answered: the marker, which each attempt holds, makes it wait for that one's end. Nobody waits long behind an attempt:
//! one that waits for a lock, or that others wait for, ends and is tried again.
//!
//! Undone by the server, until something is committed. After that there is no way back, and the undo says so.

mod data;
mod shared;
mod transaction;

use std::sync::Arc;
use std::time::Instant;

use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::id::OperationId;
use tenantry_protocol::name::BlueprintVersion;

use self::transaction::{Before, transaction};
use crate::model::blueprint::{Blueprint, Migration};
use crate::model::operation::Step;
use crate::model::upgrade::{self, BegunFile, FileRun};
use crate::pipeline::context::ChangeRun;
use crate::pipeline::step_error::StepError;
use crate::pipeline::steps::opened::{open_now, refuse_opened};
use crate::pipeline::steps::outside_file::{self, Counter, OutsideRun};
use crate::pipeline::steps::{Attempt, ChangeStep, StepFuture, install_extensions};
use crate::postgres::build::opening::Opening;
use crate::postgres::build::outside_journal::{BegunStatement, Binds};
use crate::postgres::build::owner_login;
use crate::postgres::build::runner::Build;
use crate::postgres::control::operations;
use crate::postgres::preparation;
use crate::postgres::target::Ready;
use crate::postgres::target::marker::{self, AppliedFile, Use};

pub(in crate::pipeline) struct UpgradeTenant;

impl ChangeStep for UpgradeTenant {
    fn run<'a>(&'a self, run: &'a mut ChangeRun, attempt: Attempt<'a>) -> StepFuture<'a> {
        Box::pin(apply(run, attempt))
    }

    fn undo<'a>(&'a self, run: &'a ChangeRun) -> StepFuture<'a> {
        Box::pin(check_uncommitted(run))
    }
}

/// The version that the tenant is to have, and the version that it has.
struct Versions {
    to: Arc<Blueprint>,
    from: Arc<Blueprint>,
    /// The upgrades that were begun since the tenant has its version, this one among them; this one alone where no others are asked for.
    /// One that needs attention may have committed its files, though the registry does not say so.
    begun: Vec<OperationId>,
}

impl Versions {
    async fn read(run: &ChangeRun) -> Result<Self, StepError> {
        let to =
            run.arguments.version.ok_or(StepError::OutOfOrder { lacks: "the version that it brings" })?;
        let (to, from) = (stored(run, to).await?, stored(run, run.tenant.version).await?);
        let begun = match upgrade::asks_when_files_ran(&to) {
            true => operations::upgrades_since_version(run.trail.control().pool(), run.tenant.id).await?,
            false => vec![run.id],
        };
        Ok(Self { to, from, begun })
    }

    fn pending(
        &self,
        history: &[AppliedFile],
        begun: &[BegunStatement],
    ) -> Result<Vec<&Migration>, StepError> {
        let history: Vec<FileRun<'_>> = history
            .iter()
            .map(|row| FileRun {
                file: &row.file,
                checksum: &row.checksum,
                is_since: row.operation.is_some_and(|by| self.begun.contains(&by)),
            })
            .collect();
        let binding = begun.iter().filter(|one| one.binds == Binds::ToItsText);
        let statements: Vec<String> = binding.map(|one| one.checksum.clone()).collect();
        let part = begun.first().filter(|_| !statements.is_empty());
        let part = part.map(|one| BegunFile { file: &one.file, statements: &statements });
        upgrade::between(&self.to, &self.from, &history, part).map_err(StepError::Obstacles)
    }
}

/// The tenant stands, and the bookkeeping beside its objects is this build's.
async fn prepare_site(run: &ChangeRun) -> Result<(), StepError> {
    if run.site().is_own_database() {
        marker::check_standing(&run.target, run.mark).await?;
        preparation::bring_up(run.site()).await?;
    }
    Ok(())
}

async fn stored(run: &ChangeRun, version: BlueprintVersion) -> Result<Arc<Blueprint>, StepError> {
    Ok(run.trail.control().blueprint(&run.tenant.blueprint, version).await?)
}

async fn apply(run: &mut ChangeRun, Attempt { tracker, left }: Attempt<'_>) -> Result<(), StepError> {
    run.abandon().await;
    let versions = Versions::read(run).await?;
    let ready = preparation::ready(&run.target).await?;
    install_extensions(run.site(), &versions.to, tracker).await?;
    if versions.to.tenancy == Tenancy::Shared {
        let mut counter = Counter { tracker, step: Step::Upgrade, done: 0, total: 0 };
        return shared::apply(run, &versions, &ready, &mut counter).await;
    }
    prepare_site(run).await?;
    let deadline = outside_file::deadline(left);
    let mut counter = Counter { tracker, step: Step::Upgrade, done: 0, total: 0 };
    let (mut open, mut is_closed) = (Vec::new(), false);
    loop {
        let (mut build, Opening { history, begun, owner_is_open }) =
            Build::upgrade(run.site(), &ready, run.build, run.placement(), run.id).await?;
        // By an earlier attempt.
        if owner_is_open && !std::mem::replace(&mut is_closed, true) {
            build.leave(run.site()).await?;
            owner_login::close(run.site(), &ready, run.build, run.placement()).await?;
            continue;
        }
        let rank = build.next_rank();
        build.come_behind(&versions.to);
        // Stored here so that an undo finds it.
        run.open = Some(build);
        let files = versions.pending(&history, &begun)?;
        let inside = files.iter().position(|file| file.is_outside()).unwrap_or(files.len());
        let (inside, rest) = files.split_at(inside);
        counter.expect(&files);
        if !inside.is_empty() {
            match transaction(run, &versions, inside, Before::Tenant { open: &open }, &mut counter).await {
                Ok(()) => {}
                // What was open before is for the verification to tell, and not the version's fault.
                Err(StepError::Opens(found)) if open.is_empty() => {
                    run.abandon().await;
                    counter.again(inside);
                    open = open_already(run).await?;
                    refuse_opened(found, &open)?;
                    continue;
                }
                Err(error) => return Err(error),
            }
            if rest.is_empty() {
                return Ok(());
            }
            continue;
        }
        run.take_open()?.leave(run.site()).await?;
        let Some(file) = rest.first() else { return Ok(()) };
        // Each file was looked at before it came into the history. One that was cut short was not, and may have opened what is open.
        let before = if begun.is_empty() { open_already(run).await? } else { Vec::new() };
        outside(run, &ready, deadline, &before).file(file, rank, &mut counter).await?;
    }
}

/// What is open before a file. The upgrade must have no transaction open.
async fn open_already(run: &ChangeRun) -> Result<Vec<String>, StepError> {
    open_now(&mut *run.site().acquire().await?, run.placement()).await
}

fn outside<'a>(
    run: &'a ChangeRun,
    ready: &'a Ready,
    deadline: Instant,
    before: &'a [String],
) -> OutsideRun<'a> {
    OutsideRun {
        site: run.site(),
        ready,
        mark: run.build,
        placement: run.placement(),
        operation: run.id,
        in_use: Use::InUse,
        open: Some(before),
        deadline,
    }
}

/// Whether anything was committed. The marker tells: once it is held, no earlier attempt is open.
async fn check_uncommitted(run: &ChangeRun) -> Result<(), StepError> {
    let versions = Versions::read(run).await?;
    let ready = preparation::ready(&run.target).await?;
    if versions.to.tenancy == Tenancy::Shared {
        return shared::check_uncommitted(run, &versions, &ready).await;
    }
    prepare_site(run).await?;
    // A file outside a transaction may have been cut short.
    owner_login::close(run.site(), &ready, run.build, run.placement()).await?;
    let (build, Opening { history, begun, .. }) =
        Build::upgrade(run.site(), &ready, run.build, run.placement(), run.id).await?;
    build.leave(run.site()).await?;
    if begun.is_empty() && history.iter().all(|file| file.operation != Some(run.id)) {
        return Ok(());
    }
    match versions.pending(&history, &begun)?.as_slice() {
        [] => Err(StepError::FoundDone),
        left => Err(StepError::Partly { left: left.iter().map(|file| file.path.clone()).collect() }),
    }
}
