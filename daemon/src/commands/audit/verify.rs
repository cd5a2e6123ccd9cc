//! `audit_verify`, `audit_verification`: whether the trail is unchanged. The daemon also verifies it on schedule.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tenantry_protocol::audit::{
    AuditVerdict, AuditVerification, AuditVerificationRequest, AuditVerifyRequest,
};
use tenantry_protocol::chain::Link;
use tenantry_protocol::error::{ApiError, ErrorCode};
use tokio::sync::watch;

use crate::audit::Anchor;
use crate::model::audit_chain::{Actor, Entry, Outcome};
use crate::postgres;

use super::repeats::RepeatKind;
use crate::commands::{App, Caller, errors};

/// The number of anchors in one request.
const MOST_ANCHORS: usize = 50_000;
/// The number of verifications whose verdict is kept.
const KEPT: usize = 8;
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A requested verification. Its verdict stays readable for a while.
#[derive(Debug, Clone)]
pub(in crate::commands) struct Job {
    id: String,
    has_own_anchors: bool,
    joined: Arc<Joined>,
    state: watch::Receiver<State>,
}

/// The callers who requested the verification while it was running, with their numbers of requests; `None` once these are
/// recorded.
type Joined = Mutex<Option<Vec<(Actor, u64)>>>;

/// The progress, and finally the verdict or an error.
type State = Result<AuditVerification, ApiError>;

pub async fn audit_verify(
    app: &Arc<App>,
    caller: &Caller,
    request: AuditVerifyRequest,
) -> Result<AuditVerification, ApiError> {
    let anchors = anchors(&request)?;
    if let (Some(theirs), Ok(ours)) = (&request.trail, app.trail.id())
        && *theirs != ours.to_string()
    {
        let message = format!("the anchors are of trail {}, and this one is {ours}", theirs.escape_debug());
        return Err(ApiError::invalid("trail", message));
    }
    let mut jobs = app.verifications.lock().unwrap_or_else(PoisonError::into_inner);
    // One of each kind at once: a caller with anchors of its own does not delay the verification that all others share.
    let has_own_anchors = !anchors.is_empty();
    let running =
        jobs.iter().filter(|job| is_running(job)).find(|job| job.has_own_anchors == has_own_anchors);
    match running {
        Some(_) if has_own_anchors => {
            let message = "a verification with anchors is running already: wait for its end, then ask again";
            return Err(ApiError::new(ErrorCode::Conflict, message));
        }
        Some(job) if job.is_joined_by(app.actor(caller)) => return job.state.borrow().clone(),
        _ => {}
    }
    let id = uuid::Uuid::now_v7().to_string();
    let begun = AuditVerification { id: id.clone(), checked: 0, total: 0, verdict: None };
    let (report, state) = watch::channel(Ok(begun.clone()));
    let excess = (jobs.len() + 1).saturating_sub(KEPT);
    jobs.drain(..excess);
    let joined = Arc::new(Mutex::new(Some(Vec::new())));
    jobs.push(Job { id, has_own_anchors, joined: Arc::clone(&joined), state });
    drop(jobs);
    let (task, actor) = (Arc::clone(app), app.actor(caller));
    app.engine.tasks().spawn(async move {
        let progress = |at: crate::audit::Verification| {
            report.send_modify(|state| {
                if let Ok(state) = state {
                    (state.checked, state.total) = (at.checked, at.total);
                }
            });
        };
        let result = verify(&task, anchors, actor, progress).await;
        let joined = joined.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Ok(verdict) = &result {
            for (actor, times) in joined.unwrap_or_default() {
                for _ in 0..times {
                    record(&task, verdict, has_own_anchors, actor.clone()).await;
                }
            }
        }
        report.send_modify(|state| match (result, &mut *state) {
            (Ok(verdict), Ok(state)) => state.verdict = Some(verdict),
            (Err(error), _) => *state = Err(errors::control(error)),
            (Ok(_), Err(_)) => {}
        });
    });
    Ok(begun)
}

impl Job {
    /// Returns false if the verification is already over.
    fn is_joined_by(&self, actor: Actor) -> bool {
        let mut joined = self.joined.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(joined) = joined.as_mut() else { return false };
        match joined.iter_mut().find(|(known, _)| known.uid == actor.uid) {
            Some((_, times)) => *times += 1,
            None => joined.push((actor, 1)),
        }
        true
    }
}

fn is_running(job: &Job) -> bool {
    matches!(&*job.state.borrow(), Ok(AuditVerification { verdict: None, .. }))
        && job.state.has_changed().is_ok()
}

pub async fn audit_verification(
    app: &Arc<App>,
    _: &Caller,
    request: AuditVerificationRequest,
) -> Result<AuditVerification, ApiError> {
    let found = {
        let jobs = app.verifications.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.iter().find(|job| job.id == request.id).map(|job| job.state.clone())
    };
    let Some(mut state) = found else {
        let message = "there is no such verification any more: the daemon was restarted, or it is long done; start another";
        return Err(ApiError::new(ErrorCode::NotFound, message).on_field("id"));
    };
    let wait = Duration::from_millis(request.wait_ms).min(LONGEST_WAIT);
    let is_over = |state: &State| state.as_ref().map_or(true, |state| state.verdict.is_some());
    let _ = tokio::time::timeout(wait, state.wait_for(is_over)).await;
    state.borrow_and_update().clone()
}

fn anchors(request: &AuditVerifyRequest) -> Result<Vec<Anchor>, ApiError> {
    let invalid = |message: String| ApiError::new(ErrorCode::InvalidArgument, message).on_field("anchors");
    if request.anchors.len() > MOST_ANCHORS {
        return Err(invalid(format!(
            "at most {MOST_ANCHORS} anchors at once: send the newest, and some of the others"
        )));
    }
    let parse = |anchor: &tenantry_protocol::audit::AuditAnchor| {
        let hash = data_encoding::HEXLOWER_PERMISSIVE.decode(anchor.hash.as_bytes()).ok();
        let hash = hash.and_then(|hash| Link::try_from(hash).ok());
        match (anchor.seq > 0, hash) {
            (true, Some(hash)) => Ok(Anchor { seq: anchor.seq, hash }),
            _ => Err(invalid(format!(
                "the anchor of event {} needs a number above 0 and a hash of 64 hexadecimal digits",
                anchor.seq
            ))),
        }
    };
    request.anchors.iter().map(parse).collect()
}

/// Verifies the trail and records the verdict. If the same caller gets the same verdict again within a while, it is only
/// counted.
async fn verify(
    app: &App,
    anchors: Vec<Anchor>,
    actor: Actor,
    progress: impl Fn(crate::audit::Verification) + Send + Sync,
) -> postgres::Result<AuditVerdict> {
    let has_anchors = !anchors.is_empty();
    let verdict = app.trail.verify(anchors, progress).await?;
    if let Some(found) = &verdict.broken {
        tracing::error!(seq = found.seq, kind = found.kind.name(), "{}", found.message);
    }
    // The daemon verifies so often that only a verdict of interest becomes an event.
    if verdict.broken.is_none() && actor == Actor::daemon(app.own_uid) {
        return Ok(verdict);
    }
    record(app, &verdict, has_anchors, actor).await;
    Ok(verdict)
}

/// The verdict is returned even if it cannot be recorded, because a broken trail may not accept new events.
async fn record(app: &App, verdict: &AuditVerdict, has_anchors: bool, actor: Actor) {
    let (what, found) = match &verdict.broken {
        found if !has_anchors => (RepeatKind::Verified, found.as_ref().map(|found| (found.seq, found.kind))),
        None => (RepeatKind::AnchorsAgreed, None),
        Some(_) => (RepeatKind::AnchorsDiffered, None),
    };
    let Some(unrecorded) = app.repeats.count(&actor, what, found) else { return };
    let entry = entry(verdict, actor, what, unrecorded);
    if let Err(error) = app.record_alone(&entry).await {
        tracing::warn!(error = %error.explain(), "a verification of the trail could not be recorded");
        app.repeats.put_back(&entry.actor, what, found, unrecorded + 1);
    }
}

fn entry(verdict: &AuditVerdict, actor: Actor, what: RepeatKind, unrecorded: u64) -> Entry {
    let outcome = if verdict.broken.is_none() { Outcome::Ok } else { Outcome::Failed };
    let mut entry = Entry {
        outcome: Some(outcome),
        duration_ms: Some(verdict.duration_ms),
        ..Entry::new("audit.verify", actor).fact("from", verdict.from_seq).fact("to", verdict.to_seq)
    };
    if what != RepeatKind::Verified {
        entry = entry.fact("anchors", "given");
    }
    if let Some(found) = &verdict.broken {
        entry = entry.fact("kind", found.kind.name()).fact("seq", found.seq);
    }
    if unrecorded > 0 { entry.fact("unrecorded", unrecorded) } else { entry }
}

/// Verifies the whole trail at the beginning of a term and then on schedule, for as long as the term lasts.
pub async fn verify_trail_in_turn(app: &App) {
    loop {
        let every = app.settings().verify_trail_every;
        let Some(every) = every else {
            app.sleep_unless_changed(UNWANTED).await;
            continue;
        };
        match verify(app, Vec::new(), Actor::daemon(app.own_uid), |_| {}).await {
            Ok(_) => app.sleep_unless_changed(every).await,
            Err(error) => {
                tracing::error!(error = %error.explain(), "the trail could not be verified");
                if !error.is_unreachable() && !matches!(error, postgres::Error::Fenced) {
                    app.trail.note_unreadable(&error.explain());
                }
                tokio::time::sleep(AFTER_ERROR.min(every)).await;
            }
        }
    }
}

const AFTER_ERROR: Duration = Duration::from_secs(60);
/// The pause before the settings are read again, if verification is off.
const UNWANTED: Duration = Duration::from_secs(3_600);
