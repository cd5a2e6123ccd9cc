//! Applies a list of SQL files within the build, reports progress after each, and watches the locks that they take.

use std::time::Duration;

use crate::model::blueprint::{BuildFile, Migration};
use crate::model::operation::Step;
use crate::pipeline::context::{NOT_OPEN, ProvisionRun};
use crate::pipeline::step_error::StepError;
use crate::pipeline::steps::file_account::{applied, step_error};
use crate::pipeline::tracker::Tracker;
use crate::postgres::build::runner::{Build, File};

/// So many files are sent together at most: so often is their progress told.
const MOST_TOGETHER: usize = 32;
const MOST_BYTES: u64 = 256 * 1024;

pub(super) async fn apply(
    run: &mut ProvisionRun,
    files: &[BuildFile<'_>],
    step: Step,
    tracker: &Tracker,
) -> Result<(), StepError> {
    tracker.counted(step, 0, files.len());
    let (mut rest, mut done) = (files, 0);
    while !rest.is_empty() {
        let (now, later) = rest.split_at(leading(rest));
        let times = if now.len() > 1 { apply_together(run, now).await? } else { None };
        for (number, file) in now.iter().enumerate() {
            let duration = match times.as_ref().and_then(|times| times.get(number)) {
                Some(duration) => *duration,
                None => {
                    if step == Step::Pool && file.file.is_data() {
                        run.open_build()?.give_tenant().await?;
                    }
                    apply_one(run, *file).await?
                }
            };
            done += 1;
            tracker.counted(step, done, files.len());
            tracker.log(applied(file.file, duration));
        }
        rest = later;
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

/// How many of the first files are sent next: one, or several that only define things.
fn leading(files: &[BuildFile<'_>]) -> usize {
    let mut bytes = 0;
    let together = files.iter().take(MOST_TOGETHER).take_while(|file| {
        bytes += file.file.bytes;
        file.file.is_declarative && bytes <= MOST_BYTES
    });
    together.count().max(1)
}

pub(super) async fn apply_one(run: &mut ProvisionRun, what: BuildFile<'_>) -> Result<Duration, StepError> {
    let text = FileText::of(&what);
    let applied = watched(run, what.file, async |build| build.apply(text.file(&what)).await).await?;
    applied.map_err(|error| step_error(what.file, error.of(what)))
}

/// Applies the files in one message, and returns what each took. `None` if they have to come one by one, which also tells what is
/// wrong with one of them: nothing of them has happened then.
async fn apply_together(
    run: &mut ProvisionRun,
    files: &[BuildFile<'_>],
) -> Result<Option<Vec<Duration>>, StepError> {
    let Some(last) = files.last() else { return Ok(None) };
    let texts: Vec<FileText> = files.iter().map(FileText::of).collect();
    let sent: Vec<File<'_>> = files.iter().zip(&texts).map(|(file, text)| text.file(file)).collect();
    let applied = watched(run, last.file, async |build| build.apply_together(&sent).await).await?;
    applied.map_err(|error| step_error(last.file, error))
}

/// Does this with the open build, while the locks that it takes are counted.
async fn watched<T>(
    run: &mut ProvisionRun,
    file: &Migration,
    work: impl AsyncFnOnce(&mut Build) -> T,
) -> Result<T, StepError> {
    let ProvisionRun { build, warden, target, .. } = run;
    let build = build.as_mut().ok_or(NOT_OPEN)?;
    let session = build.session();
    let work = work(build);
    let done = match warden {
        Some(warden) => warden.watch(target, &session, work).await,
        None => Ok(work.await),
    };
    done.map_err(|crossed| StepError::Locks { file: file.path.clone(), crossed })
}

/// What is sent of a file.
struct FileText {
    statements: Vec<String>,
    checksum: String,
}

impl FileText {
    fn of(what: &BuildFile<'_>) -> Self {
        Self { statements: what.texts(), checksum: what.file.checksum.to_string() }
    }

    fn file<'a>(&'a self, what: &BuildFile<'a>) -> File<'a> {
        File { path: &what.file.path, checksum: &self.checksum, statements: &self.statements }
    }
}
