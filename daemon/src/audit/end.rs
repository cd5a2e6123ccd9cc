//! The end of the trail, and whether anything may be appended to it.
//!
//! Whether the end holds is checked cheaply and often: at a start, before each event, and for each `status`. Only a
//! verification of the whole trail says what is wrong, so that one state has the same name wherever it is seen.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tenantry_protocol::audit::AuditBreak;

use crate::postgres::audit::append::{self, Head};
use crate::postgres::audit::facts;
use crate::postgres::audit::stream::{TrailEnd, TrailSnapshot};
use crate::postgres::{Error, Result};

use super::issued::Issued;
use super::pass::end_holds;
use super::{LastVerification, Trail};

/// A trail in trouble is verified again when somebody still wants to write. While its end looks the same, the verifications
/// take at most this part of the time.
const SHARE_OF_TIME: u32 = 10;

impl Trail {
    /// Looks at the end again and returns what is wrong with it, if anything is. Nobody may write while something is wrong.
    pub async fn look_at_end(&self) -> Result<Option<AuditBreak>> {
        let _alone = self.looking.lock().await;
        let open = self.opened()?;
        // Before the snapshot, so that everything anchored by now is in the snapshot.
        let known = open.anchors.reached().newest;
        let mut snapshot = TrailSnapshot::take(&self.control).await?;
        let holds = end_holds(&mut snapshot, &open, known).await;
        let end = snapshot.end.clone();
        snapshot.close().await;
        let trouble = self.trouble();
        if let (true, Some(head)) = (holds?, append::only(end.heads.clone())) {
            self.go_on_from(&head);
            if trouble.is_some() {
                // The finding of the last verification no longer holds. A fault further back stays.
                self.verify(Vec::new(), |_| {}).await?;
            }
            return Ok(None);
        }
        match trouble.filter(|_| self.was_verified_just_now(&end)) {
            Some(trouble) => Ok(Some(trouble)),
            None => Ok(self.verify(Vec::new(), |_| {}).await?.broken),
        }
    }

    fn was_verified_just_now(&self, end: &TrailEnd) -> bool {
        let verified = self.verified.read().unwrap_or_else(PoisonError::into_inner);
        verified
            .last
            .as_ref()
            .is_some_and(|last| last.end == *end && last.at.elapsed() < last.took * SHARE_OF_TIME)
    }

    /// The newest event, and whether the end looks sound: it is as this daemon left it, or its fault is already known. If this
    /// is false, a look at the end tells more.
    pub async fn glance(&self) -> Result<(i64, bool)> {
        let pool = self.control.pool();
        let seq = facts::head_seq(pool).await?;
        // Another daemon writes, or the trail's end is being judged.
        let (Ok(open), Ok(_), false) = (self.opened(), self.control.may_write(), *self.is_judging.borrow())
        else {
            return Ok((seq, true));
        };
        let before = self.lock_issued().clone();
        let head = append::standing_head(pool).await?;
        // An event that was written meanwhile is not in the older copy, and an older event may no longer be in the current
        // one.
        let is_ours =
            |head: &Head| head.trail == open.trail && (before.has(head) || self.lock_issued().has(head));
        let holds = head.is_some_and(|head| is_ours(&head));
        Ok((seq, holds || self.trouble().is_some()))
    }

    /// Says why nothing can be appended, after the caller found that the end has changed.
    pub(super) async fn doubt(&self) -> Error {
        match self.look_at_end().await {
            Ok(Some(found)) => Error::Distrusted(found.message),
            Ok(None) => Error::Distrusted(
                "the audit trail's end was another for a moment, and is again what it was: try again"
                    .to_owned(),
            ),
            Err(error) => error,
        }
    }

    /// The head belongs to this trail and holds: somebody has undone what was wrong.
    pub(super) fn go_on_from(&self, head: &Head) {
        let mut issued = self.lock_issued();
        if !issued.has(head) {
            *issued = Issued::only(head);
        }
        drop(issued);
        if self.trouble().is_some() {
            tracing::warn!(seq = head.seq, "the audit trail's end is again what it was");
            self.set_trouble(None);
        }
    }

    /// The result of this daemon's own verification settles whether anybody may write. `before` is the trouble
    /// that was known when it began.
    pub(super) fn settle(&self, found: Option<&AuditBreak>, end: Option<&Head>, before: Option<&AuditBreak>) {
        match (found, end) {
            (Some(found), None) => self.set_trouble(Some(found.clone())),
            // This clears only the trouble that was known, not one that came up since.
            (_, Some(head)) if before.is_some() && self.trouble().as_ref() == before => self.go_on_from(head),
            _ => {}
        }
    }

    /// The current head. It is an error if there is not exactly one.
    pub async fn head(&self) -> Result<Head> {
        append::head(self.control.pool()).await?.ok_or_else(|| {
            let message = "the audit trail has no head, or several (rows of control.audit_head): verify it, and put it back";
            Error::Distrusted(message.to_owned())
        })
    }

    /// Records that the anchor file was shortened or removed while the daemon ran. Readers of the trail have to know.
    pub(super) async fn say_if_anchors_began_anew(&self) -> Result<()> {
        let Ok(open) = self.opened() else { return Ok(()) };
        if open.anchors.began_anew.swap(false, Ordering::Relaxed)
            && let Err(error) = Box::pin(self.say_that_anchors_begin(open.anchors.reached().seq())).await
        {
            open.anchors.began_anew.store(true, Ordering::Relaxed);
            return Err(error);
        }
        Ok(())
    }

    /// Notes how long the last verification took and which end it saw. This decides how long it counts.
    pub(super) fn note_last(&self, begin: Instant, end: TrailEnd) {
        let mut verified = self.verified.write().unwrap_or_else(PoisonError::into_inner);
        verified.last = Some(LastVerification { at: Instant::now(), took: begin.elapsed(), end });
    }
}
