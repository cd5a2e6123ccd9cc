//! `audit verify`: whether the trail is unchanged. It checks the daemon's own trail or, with `--file`, an export without a
//! daemon.
//!
//! Invariant: the findings are printed whole before the exit status reports them: 0 for whole, 6 for broken. Every verdict
//! also says what a verification cannot promise.

use std::path::Path;
use std::time::Duration;

use tenantry_protocol::audit::{AuditVerdict, AuditVerificationRequest, AuditVerifyRequest};

use super::anchors;
use crate::cli::Context;
use crate::cli::args::AuditVerify;
use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::cli::output::document::AuditVerified;
use crate::cli::output::meter::Meter;
use crate::client::reconnect;
use crate::{format, text, trail};

/// How often the daemon is asked for the progress.
const STEP_MS: u64 = 250;
/// The verification goes on in the daemon while we reconnect.
const PATIENCE: Duration = Duration::from_secs(30);

/// The daemon verifies its own trail.
pub(in crate::cli) async fn run(context: &Context, verify: AuditVerify) -> Result<(), CliError> {
    let request = match &verify.anchors {
        Some(path) => {
            let read = anchors::read(path)?;
            context.output.note(&noted(&read));
            AuditVerifyRequest { trail: Some(read.trail.to_string()), anchors: read.anchors }
        }
        None => AuditVerifyRequest::default(),
    };
    let mut client = context.client().await?;
    let mut meter = Meter::new(context.output, "verifying", format::count);
    let mut now = client.audit_verify(request).await?;
    let verdict = loop {
        let amount = |events: i64| u64::try_from(events).unwrap_or_default();
        meter.at(amount(now.checked), amount(now.total));
        if let Some(verdict) = now.verdict {
            break verdict;
        }
        let request = AuditVerificationRequest { id: now.id.clone(), wait_ms: STEP_MS };
        now = match client.audit_verification(request).await {
            Ok(newer) => newer,
            Err(error) if error.is_loss() => {
                client = reconnect(&client, Some(PATIENCE), error).await?;
                now
            }
            Err(error) => return Err(error.into()),
        };
    };
    drop(meter);
    print(context.output, None, verdict)
}

/// `12 anchors of trail 0193…` or, if there are more than can be used, how many were taken.
pub(super) fn noted(read: &anchors::Anchors) -> String {
    let used = read.anchors.len() as u64;
    let trail = read.trail;
    if used == read.lines {
        return format!("{} of trail {trail}", format::counted(used, "anchor"));
    }
    format!(
        "{} of trail {trail}, of which {} are used",
        format::counted(read.lines, "anchor"),
        format::count(used)
    )
}

/// The verdict, and the exit status that follows from it.
pub(super) fn print(output: Output, file: Option<&Path>, verdict: AuditVerdict) -> Result<(), CliError> {
    // What it says can be an export's own words, and nobody knows who wrote those.
    let verdict = &if output.is_json() { verdict } else { text::wire(verdict) };
    if output.is_json() {
        let file = file.map(|file| file.display().to_string());
        output.document(&AuditVerified { is_whole: verdict.broken.is_none(), file, verdict })?;
    } else {
        output.lines(&trail::verdict(verdict).join("\n"))?;
    }
    match &verdict.broken {
        None => Ok(()),
        Some(broken) => {
            Err(CliError::Attention(format!("{}: {}", trail::trouble(broken), text::line(&broken.message))))
        }
    }
}
