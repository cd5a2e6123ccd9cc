//! A tenant's login roles: a new secret on one, or the end of another.
//!
//! Invariant: a secret is set only by the daemon that made it, for the caller who waits for it. One that takes the
//! operation up has no secret to give to anybody, so it closes what was opened, unless the tenant works with it.

use crate::model::operation::Step;
use crate::pipeline::context::{ChangeRun, misplaced};
use crate::pipeline::step::StepError;
use crate::pipeline::tracker::Tracker;
use crate::postgres::Error;
use crate::postgres::build::credentials::{self, Issue};

pub(in crate::pipeline) async fn set(run: &ChangeRun) -> Result<(), StepError> {
    let login = login(run, Step::SetSecret)?;
    let Some(verifier) = &run.secret else {
        let command = run.kind.command_of_secrets(&run.tenant.slug).unwrap_or_default();
        return Err(StepError::SecretLost { command });
    };
    match credentials::issue(&run.target, run.mark, login, verifier).await? {
        Issue::Done => Ok(()),
        Issue::NotActive => Err(Error::Refused(format!(
            "{0} is being changed or removed, and only an active tenant gets credentials: look at it with \
             `tenantry tenant show {0}`",
            run.tenant.slug
        ))
        .into()),
    }
}

/// A login that was opened for a secret that nobody got. Where the tenant has a secret on it already, that one may be
/// overwritten; the login stays, and another secret is asked for.
pub(in crate::pipeline) async fn close_unissued(run: &ChangeRun) -> Result<(), StepError> {
    let login = login(run, Step::SetSecret)?;
    if !run.issued_roles().iter().any(|issued| issued == login) {
        let ready = run.target.ready().await?;
        credentials::close_slot(&run.target, &ready, run.mark, login).await?;
    }
    Ok(())
}

pub(in crate::pipeline) async fn close_old(run: &ChangeRun, tracker: &Tracker) -> Result<(), StepError> {
    let login = login(run, Step::CloseOldLogin)?;
    let ready = run.target.ready().await?;
    let ended = credentials::close_slot(&run.target, &ready, run.mark, login).await?;
    let ended = usize::try_from(ended).unwrap_or(usize::MAX);
    tracker.counted(Step::CloseOldLogin, ended, ended);
    Ok(())
}

fn login(run: &ChangeRun, step: Step) -> Result<&str, StepError> {
    run.arguments.login.as_deref().ok_or_else(|| misplaced(step))
}
