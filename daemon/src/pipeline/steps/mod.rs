//! The steps, one file each. The steps of a build share its one transaction; the way back from any of them is
//! [`removal`], which asks the marker what there is to undo. Each of the others can be run again.

pub(super) mod activate;
pub(super) mod archive;
pub(super) mod commit;
pub(super) mod database;
pub(super) mod files;
pub(super) mod join;
pub(super) mod logins;
pub(super) mod migrations;
pub(super) mod outside;
pub(super) mod pool;
pub(super) mod removal;
pub(super) mod roles;
pub(super) mod schema;
pub(super) mod secrets;
pub(super) mod seed;
pub(super) mod settings;
pub(super) mod verify;

use crate::model::operation::{Kind, Step};

use super::context::{ChangeRun, misplaced};
use super::step::StepError;
use super::tracker::Tracker;

/// A step of an operation on a tenant that stands.
pub(super) async fn change(run: &ChangeRun, step: Step, tracker: &Tracker) -> Result<(), StepError> {
    match step {
        Step::OpenLogins => logins::open(run).await,
        Step::ApplySettings => settings::apply(run).await,
        Step::SetSecret => secrets::set(run).await,
        Step::CloseOldLogin => secrets::close_old(run, tracker).await,
        Step::Archive => archive::run(run, tracker).await,
        Step::CloseProbe => verify::close(run).await,
        Step::CloseLogins
        | Step::EndSessions
        | Step::DropObjects
        | Step::DropRoles
        | Step::ConfirmAbsence => removal::run(run, step, tracker).await,
        _ => Err(misplaced(step)),
    }
}

/// Takes back what the steps of such an operation did, as far as it went.
pub(super) async fn undo_change(run: &ChangeRun) -> Result<(), StepError> {
    match run.kind {
        Kind::Rollback { .. } | Kind::Retire { .. } => {
            archive::clear(run, &*run.target.ready().await?).await?;
            logins::restore(run).await
        }
        Kind::Suspend => logins::restore(run).await,
        Kind::Resume => logins::close_again(run).await,
        Kind::Update => settings::restore(run).await,
        Kind::IssueCredentials | Kind::RotateCredentials => secrets::close_unissued(run).await,
        Kind::Verify => verify::close(run).await,
        // Their steps have no way back, so nothing asks for one.
        Kind::Provision { .. } | Kind::Purge | Kind::FinishRotation => Err(misplaced(Step::ConfirmAbsence)),
    }
}
