//! Brings a tenant that stands to a later version of its blueprint: runs what the version has and the tenant has not.
//!
//! Each attempt asks the history on the target what is left to do. So it does not matter whether the COMMIT of an earlier attempt
//! was answered: the marker, which each attempt holds, makes it wait for that one's end. Nobody waits long behind an attempt:
//! one that waits for a lock, or that others wait for, ends and is tried again.
//!
//! Undone by the server, until it is committed. After that there is no way back, and the undo says so.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tenantry_protocol::isolation::Depth;
use tenantry_protocol::name::BlueprintVersion;

use crate::fault;
use crate::isolation;
use crate::model::blueprint::{self, Blueprint, Migration};
use crate::model::operation::Step;
use crate::model::upgrade::{self, FileRun};
use crate::pipeline::context::{ChangeRun, NOT_OPEN};
use crate::pipeline::step_error::StepError;
use crate::pipeline::steps::{Attempt, ChangeStep, StepFuture, file_account};
use crate::pipeline::tracker::Tracker;
use crate::postgres::Error;
use crate::postgres::build::owner_login::Blocker;
use crate::postgres::build::runner::{Build, File};
use crate::postgres::build::standoff;
use crate::postgres::control::blueprints;
use crate::postgres::error::doing;
use crate::postgres::preparation;
use crate::postgres::target::Target;
use crate::postgres::target::lookout::BuildSession;
use crate::postgres::target::marker::{self, AppliedFile};
/// How long others may wait for the locks of an attempt.
const ALLOWED_WAIT: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_millis(50);

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
}

impl Versions {
    async fn read(run: &ChangeRun) -> Result<Self, StepError> {
        let to =
            run.arguments.version.ok_or(StepError::OutOfOrder { lacks: "the version that it brings" })?;
        Ok(Self { to: stored(run, to).await?, from: stored(run, run.tenant.version).await? })
    }

    fn pending(&self, history: &[AppliedFile]) -> Result<Vec<&Migration>, StepError> {
        let history: Vec<FileRun<'_>> =
            history.iter().map(|row| FileRun { file: &row.file, checksum: &row.checksum }).collect();
        upgrade::pending(&self.to, &self.from, &history).map_err(StepError::Obstacles)
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
    let name = &run.tenant.blueprint;
    let files = blueprints::files(run.trail.control().pool(), name, version).await?;
    let corrupt = || Error::Corrupt { what: "the blueprint", why: format!("{name} {version}") };
    Ok(Arc::new(blueprint::parse(&files).blueprint.ok_or_else(corrupt)?))
}

async fn apply(run: &mut ChangeRun, Attempt { tracker, .. }: Attempt<'_>) -> Result<(), StepError> {
    run.abandon().await;
    let versions = Versions::read(run).await?;
    let ready = preparation::ready(&run.target).await?;
    prepare_site(run).await?;
    let (build, history) = Build::upgrade(run.site(), &ready, run.build, run.placement(), run.id).await?;
    // Stored here so that an undo finds it.
    run.open = Some(build);
    let files = versions.pending(&history)?;
    tracker.counted(Step::Upgrade, 0, files.len());
    for (number, file) in files.iter().enumerate() {
        fault::around("upgrade.file", one_file(run, file, tracker)).await?;
        tracker.counted(Step::Upgrade, number + 1, files.len());
    }
    let Some(last) = files.last() else {
        let build = run.open.take().ok_or(NOT_OPEN)?;
        return Ok(build.leave(run.site()).await?);
    };
    let settled = run.open_build()?.check_deferred_triggers().await;
    settled.map_err(|error| file_account::step_error(last, error))?;
    look(run).await?;
    let build = run.open.take().ok_or(NOT_OPEN)?;
    let site = run.site();
    fault::around("upgrade.commit", async { build.commit(site).await.map_err(StepError::from) }).await
}

async fn one_file(run: &mut ChangeRun, file: &Migration, tracker: &Tracker) -> Result<(), StepError> {
    let target = Arc::clone(&run.target);
    let build = run.open_build()?;
    let session = build.session();
    let statements: Vec<String> = file.statements.iter().map(|statement| statement.text.clone()).collect();
    let checksum = file.checksum.to_string();
    let work = build.apply(File { path: &file.path, checksum: &checksum, statements: &statements });
    let blocker: Mutex<Option<Blocker>> = Mutex::default();
    let duration = tokio::select! {
        biased;
        applied = work => applied.map_err(|error| match file_account::step_error(file, error) {
            StepError::Migration { server, .. } if server.is(LOCK_NOT_AVAILABLE) => StepError::LockedOut {
                file: file.path.clone(),
                blocker: blocker.lock().unwrap_or_else(PoisonError::into_inner).take(),
            },
            other => other,
        })?,
        () = until_it_holds_up(&target, &session, &blocker) => {
            if let Err(error) = target.lookout().end(&session).await {
                tracing::warn!(error = %error.explain(), "an upgrade that others wait for could not be ended");
            }
            return Err(StepError::InTheWay { file: file.path.clone() });
        }
    };
    tracker.log(file_account::applied(file, duration));
    Ok(())
}

/// Looks through the catalog as the files would leave it: what a new tenant is refused for is not committed here either.
async fn look(run: &mut ChangeRun) -> Result<(), StepError> {
    let placement = run.placement().clone();
    let connection = run.open_build()?.connection();
    let looked = isolation::look(connection, &placement, &placement, Depth::Core).await;
    let found = looked.map_err(doing("look through the catalog"))?.findings;
    if found.is_empty() {
        return Ok(());
    }
    Err(StepError::Opens(found.into_iter().map(|finding| finding.evidence).collect()))
}

const LOCK_NOT_AVAILABLE: &str = "55P03";

/// Looks until somebody has waited too long for the session. Meanwhile it notes what the session waits for.
async fn until_it_holds_up(target: &Target, session: &BuildSession, blocker: &Mutex<Option<Blocker>>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        match standoff::look(target, session, ALLOWED_WAIT).await {
            Ok(now) => {
                if now.blocker.is_some() {
                    *blocker.lock().unwrap_or_else(PoisonError::into_inner) = now.blocker;
                }
                if now.holds_up {
                    return;
                }
            }
            // The session's own lock timeout still bounds its waits.
            Err(error) => tracing::debug!(error = %error.explain(), "an upgrade could not be looked at"),
        }
    }
}

/// Whether anything was committed. The marker tells: once it is held, no earlier attempt is open.
async fn check_uncommitted(run: &ChangeRun) -> Result<(), StepError> {
    let versions = Versions::read(run).await?;
    let ready = preparation::ready(&run.target).await?;
    prepare_site(run).await?;
    let (build, history) = Build::upgrade(run.site(), &ready, run.build, run.placement(), run.id).await?;
    build.leave(run.site()).await?;
    if history.iter().all(|file| file.operation != Some(run.id)) {
        return Ok(());
    }
    match versions.pending(&history)?.as_slice() {
        [] => Err(StepError::FoundDone),
        left => Err(StepError::Partly { left: left.iter().map(|file| file.path.clone()).collect() }),
    }
}
