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

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tenantry_protocol::id::OperationId;
use tenantry_protocol::isolation::Depth;
use tenantry_protocol::name::BlueprintVersion;

use crate::fault;
use crate::isolation;
use crate::model::blueprint::{self, Blueprint, Migration};
use crate::model::operation::Step;
use crate::model::upgrade::{self, BegunFile, FileRun};
use crate::pipeline::context::ChangeRun;
use crate::pipeline::step_error::StepError;
use crate::pipeline::steps::outside_file::{self, Counter, OutsideRun};
use crate::pipeline::steps::{Attempt, ChangeStep, StepFuture, file_account};
use crate::pipeline::tracker::Tracker;
use crate::postgres::Error;
use crate::postgres::build::outside_journal::{self, BegunStatement};
use crate::postgres::build::owner_login::{self, Blocker};
use crate::postgres::build::runner::{Build, File};
use crate::postgres::build::standoff;
use crate::postgres::control::blueprints;
use crate::postgres::error::doing;
use crate::postgres::preparation;
use crate::postgres::target::lookout::BuildSession;
use crate::postgres::target::marker::{self, AppliedFile, Use};
use crate::postgres::target::{Ready, Target};
/// How long others may wait for the locks of an attempt.
const ALLOWED_WAIT: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// An attempt that could not be looked at for this long is ended.
const BLIND: Duration = Duration::from_secs(2);

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

    fn pending(
        &self,
        operation: OperationId,
        history: &[AppliedFile],
        begun: &[BegunStatement],
    ) -> Result<Vec<&Migration>, StepError> {
        let history: Vec<FileRun<'_>> = history
            .iter()
            .map(|row| FileRun {
                file: &row.file,
                checksum: &row.checksum,
                is_ours: row.operation == Some(operation),
            })
            .collect();
        let statements: Vec<String> = begun.iter().map(|one| one.checksum.clone()).collect();
        let part = begun.first().map(|one| BegunFile { file: &one.file, statements: &statements });
        upgrade::pending(&self.to, &self.from, &history, part).map_err(StepError::Obstacles)
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

async fn apply(run: &mut ChangeRun, Attempt { tracker, left }: Attempt<'_>) -> Result<(), StepError> {
    run.abandon().await;
    let versions = Versions::read(run).await?;
    let ready = preparation::ready(&run.target).await?;
    prepare_site(run).await?;
    // An earlier attempt may have left the owner's login open.
    owner_login::close(run.site(), &ready, run.build, run.placement()).await?;
    let deadline = outside_file::deadline(left);
    let mut counter = Counter { tracker, step: Step::Upgrade, done: 0, total: 0 };
    loop {
        let (mut build, history) =
            Build::upgrade(run.site(), &ready, run.build, run.placement(), run.id).await?;
        let rank = build.next_rank();
        let begun = outside_journal::cut_short(build.connection(), run.placement()).await?;
        // Stored here so that an undo finds it.
        run.open = Some(build);
        let files = versions.pending(run.id, &history, &begun)?;
        let inside = files.iter().position(|file| file.is_outside()).unwrap_or(files.len());
        let (inside, rest) = files.split_at(inside);
        counter.expect(&files);
        if !inside.is_empty() {
            transaction(run, inside, &mut counter).await?;
            if rest.is_empty() {
                return Ok(());
            }
            continue;
        }
        run.take_open()?.leave(run.site()).await?;
        let Some(file) = rest.first() else { return Ok(()) };
        outside(run, &ready, deadline).file(file, rank, &mut counter).await?;
    }
}

fn outside<'a>(run: &'a ChangeRun, ready: &'a Ready, deadline: Instant) -> OutsideRun<'a> {
    OutsideRun {
        site: run.site(),
        ready,
        mark: run.build,
        placement: run.placement(),
        operation: run.id,
        in_use: Use::InUse,
        deadline,
    }
}

/// Runs these files in the open transaction, and commits them. All the while it is watched: it ends if somebody waits for it, or if
/// it takes more of the server's locks than there are for it.
async fn transaction(
    run: &mut ChangeRun,
    files: &[&Migration],
    counter: &mut Counter<'_>,
) -> Result<(), StepError> {
    let (target, session) = (Arc::clone(&run.target), run.open_build()?.session());
    let mut warden = run.warden.take();
    let watched = Watched::default();
    let work = async {
        for file in files {
            watched.now(&file.path);
            fault::around("upgrade.file", one_file(run, file, counter.tracker)).await?;
            counter.count();
        }
        if let Some(last) = files.last() {
            let settled = run.open_build()?.check_deferred_triggers().await;
            settled.map_err(|error| file_account::step_error(last, error))?;
        }
        look(run).await
    };
    let counted = async {
        match &mut warden {
            Some(warden) => warden.watch(&target, &session, work).await,
            None => Ok(work.await),
        }
    };
    let worked = tokio::select! {
        biased;
        worked = counted => match worked {
            Ok(worked) => worked,
            Err(crossed) => Err(StepError::Locks { file: watched.file(), crossed }),
        },
        () = until_it_holds_up(&target, &session, &watched) => {
            if let Err(error) = target.lookout().end(&session).await {
                tracing::warn!(error = %error.explain(), "an upgrade that others wait for could not be ended");
            }
            Err(StepError::InTheWay { file: watched.file() })
        }
    };
    run.warden = warden;
    worked.map_err(|error| watched.explain(error))?;
    let build = run.take_open()?;
    let site = run.site();
    fault::around("upgrade.commit", async { build.commit(site).await.map_err(StepError::from) }).await
}

/// What is known of a transaction from outside.
#[derive(Default)]
struct Watched {
    /// The file that runs.
    file: Mutex<String>,
    /// What it waited for when it was last looked at.
    blocker: Mutex<Option<Blocker>>,
}

impl Watched {
    fn now(&self, file: &str) {
        file.clone_into(&mut self.file.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn file(&self) -> String {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Names the session that held the lock.
    fn explain(&self, error: StepError) -> StepError {
        let is_locked = match &error {
            StepError::Migration { server, .. } => server.is(LOCK_NOT_AVAILABLE),
            StepError::Database(error) => error.server().is_some_and(|server| server.is(LOCK_NOT_AVAILABLE)),
            _ => false,
        };
        if !is_locked {
            return error;
        }
        let blocker = self.blocker.lock().unwrap_or_else(PoisonError::into_inner).take();
        StepError::LockedOut { file: self.file(), blocker }
    }
}

async fn one_file(run: &mut ChangeRun, file: &Migration, tracker: &Tracker) -> Result<(), StepError> {
    let statements: Vec<String> = file.statements.iter().map(|statement| statement.text.clone()).collect();
    let checksum = file.checksum.to_string();
    let applied = run
        .open_build()?
        .apply(File { path: &file.path, checksum: &checksum, statements: &statements })
        .await;
    let duration = applied.map_err(|error| file_account::step_error(file, error))?;
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

/// Looks until somebody has waited too long for the session, or until nobody could look for some time. Meanwhile it notes what the
/// session waits for.
async fn until_it_holds_up(target: &Target, session: &BuildSession, watched: &Watched) {
    let mut seen = Instant::now();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        match standoff::look(target, session, ALLOWED_WAIT).await {
            Ok(now) => {
                seen = Instant::now();
                if now.blocker.is_some() {
                    *watched.blocker.lock().unwrap_or_else(PoisonError::into_inner) = now.blocker;
                }
                if now.holds_up {
                    return;
                }
            }
            Err(_) if seen.elapsed() >= BLIND => return,
            Err(error) => tracing::debug!(error = %error.explain(), "an upgrade could not be looked at"),
        }
    }
}

/// Whether anything was committed. The marker tells: once it is held, no earlier attempt is open.
async fn check_uncommitted(run: &ChangeRun) -> Result<(), StepError> {
    let versions = Versions::read(run).await?;
    let ready = preparation::ready(&run.target).await?;
    prepare_site(run).await?;
    // A file outside a transaction may have been cut short.
    owner_login::close(run.site(), &ready, run.build, run.placement()).await?;
    let (mut build, history) = Build::upgrade(run.site(), &ready, run.build, run.placement(), run.id).await?;
    let begun = outside_journal::cut_short(build.connection(), run.placement()).await?;
    build.leave(run.site()).await?;
    if begun.is_empty() && history.iter().all(|file| file.operation != Some(run.id)) {
        return Ok(());
    }
    match versions.pending(run.id, &history, &begun)?.as_slice() {
        [] => Err(StepError::FoundDone),
        left => Err(StepError::Partly { left: left.iter().map(|file| file.path.clone()).collect() }),
    }
}
