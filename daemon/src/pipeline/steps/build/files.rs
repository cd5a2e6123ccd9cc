//! Applies a list of SQL files within the build, reports progress after each, and watches the locks that they take.

use std::time::Duration;

use crate::model::blueprint::{BuildFile, Migration};
use crate::model::operation::Step;
use crate::pipeline::context::{NOT_OPEN, ProvisionRun};
use crate::pipeline::step_error::StepError;
use crate::pipeline::steps::file_account::{applied, step_error};
use crate::pipeline::tracker::Tracker;
use crate::postgres::build::runner::File;

pub(super) async fn apply(
    run: &mut ProvisionRun,
    files: &[BuildFile<'_>],
    step: Step,
    tracker: &Tracker,
) -> Result<(), StepError> {
    tracker.counted(step, 0, files.len());
    for (number, file) in files.iter().enumerate() {
        if step == Step::Pool && file.file.is_data() {
            run.open_build()?.give_tenant().await?;
        }
        let duration = apply_one(run, *file).await?;
        tracker.counted(step, number + 1, files.len());
        tracker.log(applied(file.file, duration));
    }
    match files.last() {
        Some(last) => at_rest(run, last.file).await,
        None => Ok(()),
    }
}

/// Checks that the files that end with this one leave nothing for COMMIT to do.
pub(super) async fn at_rest(run: &mut ProvisionRun, last: &Migration) -> Result<(), StepError> {
    run.open_build()?.check_deferred_triggers().await.map_err(|error| step_error(last, error))
}

pub(super) async fn apply_one(run: &mut ProvisionRun, what: BuildFile<'_>) -> Result<Duration, StepError> {
    let file = what.file;
    let ProvisionRun { build, warden, target, .. } = run;
    let build = build.as_mut().ok_or(NOT_OPEN)?;
    let session = build.session();
    let statements = what.texts();
    let checksum = file.checksum.to_string();
    let work = build.apply(File { path: &file.path, checksum: &checksum, statements: &statements });
    let applied = match warden {
        Some(warden) => warden.watch(target, &session, work).await,
        None => Ok(work.await),
    };
    match applied {
        Ok(applied) => applied.map_err(|error| step_error(file, error.of(what))),
        Err(crossed) => Err(StepError::Locks { file: file.path.clone(), crossed }),
    }
}
