//! The trail's end: whether anything may follow it.
//!
//! Whether it holds is found out cheaply and often: at a start, before each event, for each `status`. What is wrong where it
//! does not, only the verification of the whole trail says, so that one state has one name wherever it is seen.

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

/// While a trail in trouble looks the same at its end, it is verified anew for whoever still wants to change something for this
/// part of the time at most.
const SHARE_OF_TIME: u32 = 10;

impl Trail {
    /// Looks at the end anew: what is wrong with it, if anything is. Nobody may write while there is.
    pub async fn look_at_end(&self) -> Result<Option<AuditBreak>> {
        let _alone = self.looking.lock().await;
        let open = self.opened()?;
        // Before the snapshot: what is anchored by now is in it.
        let known = open.anchors.reached().newest;
        let mut snapshot = TrailSnapshot::take(&self.control).await?;
        let holds = end_holds(&mut snapshot, &open, known).await;
        let end = snapshot.end.clone();
        snapshot.close().await;
        let trouble = self.trouble();
        if let (true, Some(head)) = (holds?, append::only(end.heads.clone())) {
            self.go_on_from(&head);
            if trouble.is_some() {
                // What the last verification found is no more; what is further back stays.
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

    /// The newest event, and whether its place is as this daemon left it, or is known not to be; a look at the end tells
    /// otherwise.
    pub async fn glance(&self) -> Result<(i64, bool)> {
        let pool = self.control.pool();
        let seq = facts::head_seq(pool).await?;
        // Another daemon writes, or what there is is being looked at.
        let (Ok(open), Ok(_), false) = (self.opened(), self.control.may_write(), *self.is_judging.borrow())
        else {
            return Ok((seq, true));
        };
        let before = self.lock_issued().clone();
        let head = append::standing_head(pool).await?;
        // What was written meanwhile is not in what was issued before, or not any more in what was issued since.
        let is_ours =
            |head: &Head| head.trail == open.trail && (before.has(head) || self.lock_issued().has(head));
        let holds = head.is_some_and(|head| is_ours(&head));
        Ok((seq, holds || self.trouble().is_some()))
    }

    /// Why nothing can be added: for who found that the end is not what it was.
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

    /// The head is this trail's, and holds: what was wrong before, somebody has put back.
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

    /// What a verification of this daemon's own found settles whether anybody may write; `before` is the trouble there was.
    pub(super) fn settle(&self, found: Option<&AuditBreak>, end: Option<&Head>, before: Option<&AuditBreak>) {
        match (found, end) {
            (Some(found), None) => self.set_trouble(Some(found.clone())),
            // Not what came up since.
            (_, Some(head)) if before.is_some() && self.trouble().as_ref() == before => self.go_on_from(head),
            _ => {}
        }
    }

    /// The head as it is now; an error where there is not one.
    pub async fn head(&self) -> Result<Head> {
        append::head(self.control.pool()).await?.ok_or_else(|| {
            let message = "the audit trail has no head, or several (rows of control.audit_head): verify it, and put it back";
            Error::Distrusted(message.to_owned())
        })
    }

    /// The anchor file was shortened or taken away under the daemon's hands: whoever reads the trail has to know.
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

    /// For how long the last verification counts, and for what end.
    pub(super) fn note_last(&self, begin: Instant, end: TrailEnd) {
        let mut verified = self.verified.write().unwrap_or_else(PoisonError::into_inner);
        verified.last = Some(LastVerification { at: Instant::now(), took: begin.elapsed(), end });
    }
}
