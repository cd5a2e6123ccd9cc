//! What the steps of a removal share. Each step asks the marker first, so that it touches only objects that are proven
//! ours. Each step can be repeated.

use crate::fault;
use crate::pipeline::context::ChangeRun;
use crate::pipeline::step_error::StepError;
use crate::pipeline::tracker::Tracker;
use crate::postgres::Error;
use crate::postgres::removal::Removal;
use crate::postgres::target::Ready;
use crate::postgres::target::settlement::Settled;

pub(super) async fn look<'a>(
    run: &'a ChangeRun,
    ready: &'a Ready,
) -> Result<(Removal<'a>, Settled), StepError> {
    let (removal, settled) = Removal::begin(run.site(), ready, run.mark, run.placement()).await?;
    if settled == Settled::Void && !run.kind.removes() {
        // Its roles may exist all the same: restoring a database leaves the server's roles unchanged.
        return Err(Error::Unmarked { build: run.mark.build }.into());
    }
    Ok((removal, settled))
}

/// What there is to remove; `None` if nothing was ever committed.
pub(super) async fn begin<'a>(
    run: &'a ChangeRun,
    ready: &'a Ready,
    tracker: &Tracker,
) -> Result<Option<Removal<'a>>, StepError> {
    let (removal, settled) = look(run, ready).await?;
    if settled == Settled::Void {
        tracker.log("nothing was ever committed on the target".to_owned());
        return Ok(None);
    }
    Ok(Some(removal))
}

/// Removes everything in one go: the undo of a provision.
pub(in crate::pipeline) async fn all(removal: &Removal<'_>, settled: Settled) -> Result<(), StepError> {
    if settled == Settled::Committed {
        fault::around("undo.close_logins", removal.close_logins()).await?;
        fault::around("undo.end_sessions", removal.end_sessions()).await?;
        fault::around("undo.drop_objects", removal.drop_objects()).await?;
        fault::around("undo.drop_roles", removal.drop_roles()).await?;
    }
    fault::around("undo.confirm_absence", confirm(removal)).await
}

pub(super) async fn confirm(removal: &Removal<'_>) -> Result<(), StepError> {
    let left = removal.leftovers().await?;
    if left.is_empty() { Ok(()) } else { Err(StepError::Leftovers(left)) }
}
