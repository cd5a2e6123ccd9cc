//! The transaction of an upgrade: its files, what is checked before its COMMIT, and the watch over it.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Versions, data};
use crate::fault;
use crate::model::blueprint::Migration;
use crate::pipeline::context::ChangeRun;
use crate::pipeline::step_error::{LOCK_NOT_AVAILABLE, StepError};
use crate::pipeline::steps::file_account;
use crate::pipeline::steps::make_way::until_it_holds_up;
use crate::pipeline::steps::opened::{open_now, refuse_opened};
use crate::pipeline::steps::outside_file::Counter;
use crate::pipeline::tracker::Tracker;
use crate::postgres::build::owner_login::Blocker;
use crate::postgres::build::runner::File;
use crate::postgres::tenancy::shared::pool_identity::Identity;
use crate::postgres::tenancy::shared::pool_upgrade::PoolBefore;

/// What is upgraded, as it was before.
#[derive(Clone, Copy)]
pub(super) enum Before<'a> {
    Pool(&'a PoolChange),
    /// What the verification finds of the tenant already.
    Tenant {
        open: &'a [String],
    },
}

/// A pool as it was, and the version that it is to have.
pub(super) struct PoolChange {
    pub(super) before: PoolBefore,
    pub(super) to: Identity,
}

/// Runs these files in the open transaction, and commits them. All the while it is watched: it ends if somebody waits for it, or if
/// it takes more of the server's locks than there are for it.
pub(super) async fn transaction(
    run: &mut ChangeRun,
    versions: &Versions,
    files: &[&Migration],
    before: Before<'_>,
    counter: &mut Counter<'_>,
) -> Result<(), StepError> {
    let (target, session) = (Arc::clone(&run.target), run.open_build()?.session());
    let mut warden = run.warden.take();
    let watched = Watched::default();
    let work = async {
        if let Some(first) = files.first() {
            watched.now(&first.path);
            lock_tables(run, versions, files)?;
        }
        for file in files {
            watched.now(&file.path);
            fault::around("upgrade.file", one_file(run, file, before, counter.tracker)).await?;
            counter.count();
        }
        if let Some(last) = files.last() {
            let settled = run.open_build()?.check_deferred_triggers().await;
            settled.map_err(|error| file_account::step_error(last, error))?;
        }
        match before {
            Before::Pool(pool) => close(run, pool).await,
            Before::Tenant { .. } if files.iter().all(|file| file.is_plain) => Ok(()),
            Before::Tenant { open } => look(run, open).await,
        }
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
        () = until_it_holds_up(&target, session.backend(), &watched.blocker) => {
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
        if !is_locked_out(&error) {
            return error;
        }
        let blocker = self.blocker.lock().unwrap_or_else(PoisonError::into_inner).take();
        StepError::LockedOut { file: self.file(), blocker }
    }
}

/// Takes the locks that the rehearsal of these files saw, if there was one.
fn lock_tables(run: &mut ChangeRun, versions: &Versions, files: &[&Migration]) -> Result<(), StepError> {
    let Some(rehearsed) = run.target.rehearsed().find(&versions.from, &versions.to) else { return Ok(()) };
    let manifest = rehearsed.manifest(files.iter().map(|file| file.path.as_str()));
    run.open_build()?.lock_tables(&manifest);
    Ok(())
}

fn is_locked_out(error: &StepError) -> bool {
    match error {
        StepError::Migration { server, .. } => server.is(LOCK_NOT_AVAILABLE),
        StepError::Database(error) => error.server().is_some_and(|server| server.is(LOCK_NOT_AVAILABLE)),
        StepError::OfTenant { error, .. } => is_locked_out(error),
        _ => false,
    }
}

async fn one_file(
    run: &mut ChangeRun,
    file: &Migration,
    before: Before<'_>,
    tracker: &Tracker,
) -> Result<(), StepError> {
    if matches!(before, Before::Pool(_)) && file.is_data() {
        return data::as_each_tenant(run, file, tracker).await;
    }
    let statements: Vec<String> = file.statements.iter().map(|statement| statement.text.clone()).collect();
    let note = file.note();
    let applied = run
        .open_build()?
        .apply(File { path: note.file, checksum: &note.checksum, statements: &statements })
        .await;
    let duration = applied.map_err(|error| file_account::step_error(file, error))?;
    tracker.log(file_account::applied(file, duration));
    Ok(())
}

/// Covers what is new in a pool, and checks the whole of it.
async fn close(run: &mut ChangeRun, pool: &PoolChange) -> Result<(), StepError> {
    let broken = run.open_build()?.close_pool(&pool.before, &pool.to).await?;
    if broken.is_empty() { Ok(()) } else { Err(StepError::Uncovered(broken)) }
}

/// Looks through the catalog as the files would leave it: what a new tenant is refused for is not committed here either. Files that
/// can open nothing are spared this, since it costs several times what they do.
async fn look(run: &mut ChangeRun, open: &[String]) -> Result<(), StepError> {
    let placement = run.placement().clone();
    refuse_opened(open_now(run.open_build()?.connection(), &placement).await?, open)
}
