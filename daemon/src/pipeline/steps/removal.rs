//! The steps of a rollback, which are also the undo of a provision: close, end, drop, and look.
//!
//! Each asks the marker first, so that only what is proven ours is touched, and each can be done again.

use crate::fault;
use crate::model::operation::Step;
use crate::pipeline::context::{ChangeRun, misplaced};
use crate::pipeline::step::StepError;
use crate::pipeline::tracker::Tracker;
use crate::postgres::Error;
use crate::postgres::removal::Removal;
use crate::postgres::target::marker::Settled;

pub(in crate::pipeline) async fn run(
    run: &ChangeRun,
    step: Step,
    tracker: &Tracker,
) -> Result<(), StepError> {
    let ready = run.target.ready().await?;
    let (removal, settled) = Removal::begin(run.site(), &ready, run.mark, run.placement()).await?;
    if settled == Settled::Void && !run.kind.removes() {
        // Its roles may be there all the same: a restored database leaves the server's roles as they are.
        return Err(Error::Unmarked { build: run.mark.build }.into());
    }
    if settled == Settled::Void && step != Step::ConfirmAbsence {
        tracker.log("nothing was ever committed on the target".to_owned());
        return Ok(());
    }
    match step {
        Step::CloseLogins => Ok(removal.close_logins().await?),
        Step::EndSessions => {
            let ended = removal.end_sessions().await?;
            tracker.log(format!("{ended} sessions ended"));
            Ok(())
        }
        Step::DropObjects => Ok(removal.drop_objects().await?),
        Step::DropRoles => Ok(removal.drop_roles().await?),
        Step::ConfirmAbsence => confirm(&removal).await,
        _ => Err(misplaced(step)),
    }
}

/// All of it in one go.
pub(in crate::pipeline) async fn all(removal: &Removal<'_>, settled: Settled) -> Result<(), StepError> {
    if settled == Settled::Committed {
        fault::around("undo.close_logins", removal.close_logins()).await?;
        fault::around("undo.end_sessions", removal.end_sessions()).await?;
        fault::around("undo.drop_objects", removal.drop_objects()).await?;
        fault::around("undo.drop_roles", removal.drop_roles()).await?;
    }
    fault::around("undo.confirm_absence", confirm(removal)).await
}

async fn confirm(removal: &Removal<'_>) -> Result<(), StepError> {
    let left = removal.leftovers().await?;
    if left.is_empty() { Ok(()) } else { Err(StepError::Leftovers(left)) }
}
