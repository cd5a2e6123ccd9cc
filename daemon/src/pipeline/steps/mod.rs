//! The steps, one file each, and [`spec`], which lists them all. The steps of a build share its one transaction. All of
//! them are undone by the removal of the tenant, which asks the marker what there is to undo. Every other step can be
//! repeated.

mod attack;
mod batches;
mod file_account;
mod make_way;
mod opened;
mod outside_file;

use std::time::Duration;

use futures::future::BoxFuture;
use tenantry_protocol::plan::PlanSql;

use crate::fault;
use crate::model::blueprint::Blueprint;
use crate::model::operation::Step;
use crate::postgres::preparation::{self, extensions};
use crate::postgres::removal::Removal;
use crate::postgres::target::location::Site;

use super::context::{ChangeRun, ProvisionRun, Run};
use super::plan_sql::Recipe;
use super::step_error::StepError;
use super::tracker::Tracker;

/// The steps that build a tenant in one transaction, their runner, and the steps that run outside the transaction. A
/// build that was committed is undone by the removal of the whole tenant.
mod build {
    pub(in crate::pipeline) mod activate;
    pub(in crate::pipeline) mod commit;
    pub(in crate::pipeline) mod create_database;
    mod files;
    pub(in crate::pipeline) mod join;
    pub(in crate::pipeline) mod migrations;
    pub(in crate::pipeline) mod outside;
    pub(in crate::pipeline) mod pool;
    pub(in crate::pipeline) mod reserve;
    pub(in crate::pipeline) mod roles;
    pub(in crate::pipeline) mod schema;
    pub(in crate::pipeline) mod seed;
    pub(in crate::pipeline) mod verify;
}

/// The steps of operations on an existing tenant, one file each, from a new secret to its removal.
mod change {
    pub(in crate::pipeline) mod apply_settings;
    pub(in crate::pipeline) mod archive;
    pub(in crate::pipeline) mod close_logins;
    pub(in crate::pipeline) mod close_old_login;
    pub(in crate::pipeline) mod close_probe;
    pub(in crate::pipeline) mod confirm_absence;
    mod drift;
    pub(in crate::pipeline) mod drop_objects;
    pub(in crate::pipeline) mod drop_roles;
    pub(in crate::pipeline) mod end_sessions;
    pub(in crate::pipeline) mod open_logins;
    pub(in crate::pipeline) mod removing;
    pub(in crate::pipeline) mod set_secret;
    pub(in crate::pipeline) mod upgrade;
    pub(in crate::pipeline) mod verify;
}

/// The future of a running step.
pub(super) type StepFuture<'a> = BoxFuture<'a, Result<(), StepError>>;

/// What each run of a step is given.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) tracker: &'a Tracker,
    /// The operation's remaining time.
    pub(super) left: Duration,
}

/// A step that builds a tenant.
pub(super) trait BuildStep: Sync {
    /// The SQL that a plan shows for the step.
    fn sql(&self, of: Recipe<'_>) -> Vec<PlanSql>;

    fn run<'a>(&'a self, run: &'a mut ProvisionRun, attempt: Attempt<'a>) -> StepFuture<'a>;
}

/// A step of an operation on an existing tenant.
pub(super) trait ChangeStep: Sync {
    fn run<'a>(&'a self, run: &'a mut ChangeRun, attempt: Attempt<'a>) -> StepFuture<'a>;

    /// Undoes what the step did, however far it got; can be repeated.
    fn undo<'a>(&'a self, run: &'a ChangeRun) -> StepFuture<'a>;
}

/// A step's implementation, by the kind of operation that it belongs to.
pub(super) enum Spec {
    Build(&'static dyn BuildStep),
    Change(&'static dyn ChangeStep),
    Either(&'static dyn BuildStep, &'static dyn ChangeStep),
}

/// Installs what the version's files need and the place lacks, where that is not for an administrator.
async fn install_extensions(
    site: Site<'_>,
    blueprint: &Blueprint,
    tracker: &Tracker,
) -> Result<(), StepError> {
    for extension in extensions::install(site, &blueprint.extensions).await? {
        tracker.log(format!("installed the extension {extension} into tenantry_ext"));
    }
    Ok(())
}

pub(super) fn spec(step: Step) -> Spec {
    match step {
        Step::Reserve => Spec::Build(&build::reserve::Reserve),
        Step::CreateDatabase => Spec::Build(&build::create_database::CreateDatabase),
        Step::Pool => Spec::Build(&build::pool::Pool),
        Step::Roles => Spec::Build(&build::roles::Roles),
        Step::Schema => Spec::Build(&build::schema::CreateSchema),
        Step::Join => Spec::Build(&build::join::Join),
        Step::Migrations => Spec::Build(&build::migrations::Migrations),
        Step::Seed => Spec::Build(&build::seed::Seed),
        Step::Commit => Spec::Build(&build::commit::Commit),
        Step::Outside => Spec::Build(&build::outside::RunOutside),
        Step::Verify => Spec::Either(&build::verify::VerifyBuild, &change::verify::VerifyTenant),
        Step::Activate => Spec::Build(&build::activate::Activate),
        Step::CloseLogins => Spec::Change(&change::close_logins::CloseLogins),
        Step::EndSessions => Spec::Change(&change::end_sessions::EndSessions),
        Step::Archive => Spec::Change(&change::archive::MakeArchive),
        Step::DropObjects => Spec::Change(&change::drop_objects::DropObjects),
        Step::DropRoles => Spec::Change(&change::drop_roles::DropRoles),
        Step::ConfirmAbsence => Spec::Change(&change::confirm_absence::ConfirmAbsence),
        Step::OpenLogins => Spec::Change(&change::open_logins::OpenLogins),
        Step::ApplySettings => Spec::Change(&change::apply_settings::ApplySettings),
        Step::Upgrade => Spec::Change(&change::upgrade::UpgradeTenant),
        Step::SetSecret => Spec::Change(&change::set_secret::SetSecret),
        Step::CloseOldLogin => Spec::Change(&change::close_old_login::CloseOldLogin),
        Step::CloseProbe => Spec::Change(&change::close_probe::CloseProbe),
    }
}

/// For a step that has nothing to do or to undo.
pub(super) fn nothing<'a>() -> StepFuture<'a> {
    Box::pin(std::future::ready(Ok(())))
}

pub(super) async fn run(run: &mut Run, step: Step, attempt: Attempt<'_>) -> Result<(), StepError> {
    match (run, spec(step)) {
        (Run::Provision(run), Spec::Build(step) | Spec::Either(step, _)) => step.run(run, attempt).await,
        (Run::Change(run), Spec::Change(step) | Spec::Either(_, step)) => step.run(run, attempt).await,
        (Run::Provision(_), Spec::Change(_)) | (Run::Change(_), Spec::Build(_)) => {
            Err(StepError::OutOfOrder { lacks: "an operation of its kind" })
        }
    }
}

/// Undoes whatever the operation may have done on its target; can be repeated.
pub(super) async fn undo(run: &mut Run) -> Result<(), StepError> {
    run.abandon().await;
    match run {
        Run::Provision(run) => {
            let ready = preparation::ready(&run.target).await?;
            let removal = Removal::begin(run.site(), &ready, run.standing(), &run.tenant.placement);
            let (removal, settled) = fault::around("undo.settle", removal).await?;
            change::removing::all(&removal, settled).await
        }
        Run::Change(run) => fault::around("undo.restore", undo_change(run)).await,
    }
}

/// Undoes the last step first.
async fn undo_change(run: &ChangeRun) -> Result<(), StepError> {
    for step in run.kind.steps().into_iter().rev() {
        match spec(step) {
            Spec::Change(step) | Spec::Either(_, step) => step.undo(run).await?,
            Spec::Build(_) => return Err(StepError::OutOfOrder { lacks: "an operation of its kind" }),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tenantry_protocol::blueprint::Tenancy;

    use super::*;
    use crate::model::operation::{Archiving, Kind, Outside, Seeding};

    #[test]
    fn an_operation_has_no_step_of_the_other_kind() {
        for seed in [Seeding::With, Seeding::Without] {
            for outside in [Outside::With, Outside::Without] {
                for tenancy in [Tenancy::Schema, Tenancy::Shared, Tenancy::Database] {
                    for step in (Kind::Provision { seed, outside, tenancy }).steps() {
                        assert!(!matches!(spec(step), Spec::Change(_)), "{step:?} builds nothing");
                    }
                }
            }
        }
        let archive = Archiving::With;
        for kind in [
            Kind::Rollback { archive },
            Kind::Retire { archive },
            Kind::Suspend,
            Kind::Resume,
            Kind::Update,
            Kind::Purge,
            Kind::IssueCredentials,
            Kind::RotateCredentials,
            Kind::FinishRotation,
            Kind::Verify,
            Kind::Upgrade,
        ] {
            for step in kind.steps() {
                assert!(!matches!(spec(step), Spec::Build(_)), "{step:?} is a step of a build");
            }
        }
    }
}
