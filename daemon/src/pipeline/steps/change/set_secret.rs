//! Gives a login role of the tenant a new secret.
//!
//! Invariant: only the daemon that made a secret sets it, for the caller who waits for it. A daemon that takes over the
//! operation has no secret to return, so it closes the login that was opened, unless the tenant works with that login.

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

    /// Closes a login that was opened for a secret that nobody received. If the tenant already has a secret on that
    /// login, the secret may have been overwritten; the login stays open, and the operator requests another secret.
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
