//! A login role of the tenant works with a new secret.
//!
//! Invariant: a secret is set only by the daemon that made it, for the caller who waits for it. One that takes the
//! operation up has no secret to give to anybody, so it closes what was opened, unless the tenant works with it.

use crate::pipeline::context::ChangeRun;
use crate::pipeline::step_error::StepError;
use crate::pipeline::steps::{Attempt, ChangeStep, StepFuture};
use crate::postgres::Error;
use crate::postgres::credentials::{self, Issue};
use crate::postgres::preparation;

pub(in crate::pipeline) struct SetSecret;

impl ChangeStep for SetSecret {
    fn run<'a>(&'a self, run: &'a mut ChangeRun, _: Attempt<'a>) -> StepFuture<'a> {
        Box::pin(set(run))
    }

    /// A login that was opened for a secret that nobody got is closed. Where the tenant has a secret on it already, that one
    /// may be overwritten; the login stays, and another secret is asked for.
    fn undo<'a>(&'a self, run: &'a ChangeRun) -> StepFuture<'a> {
        Box::pin(async {
            let login = run.login()?;
            if !run.issued_roles().iter().any(|issued| issued == login) {
                let ready = preparation::ready(&run.target).await?;
                credentials::close_slot(&run.target, &ready, run.mark, login).await?;
            }
            Ok(())
        })
    }
}

async fn set(run: &ChangeRun) -> Result<(), StepError> {
    let login = run.login()?;
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
