//! What a term begins with: the key, the anchor file, and whether the trail's end is the one that they know.
//!
//! A trail that is not goes with a trouble on record: it can be read and verified, and nothing is changed until an
//! administrator has settled it.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use serde::Deserialize;
use tenantry_protocol::audit::{AuditBreak, BreakKind};
use tenantry_protocol::chain::verify::Break;
use tenantry_protocol::chain::{self, PublicKey};

use crate::model::audit_chain::{Actor, Entry};
use crate::postgres::Error;
use crate::postgres::audit_append::{self, Head};

use super::anchors::{Anchor, Anchors};
use super::key::{Key, KeyError};
use super::shipping::Shipping;
use super::{Issued, Open, Trail};

#[derive(Debug, thiserror::Error)]
pub enum TakeUpError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the anchor file {} cannot be used", path.display())]
    Anchors { path: PathBuf, source: io::Error },
    #[error("the audit trail cannot be read: {}", .0.explain())]
    Control(Error),
}

impl From<Error> for TakeUpError {
    fn from(error: Error) -> Self {
        Self::Control(error)
    }
}

impl Trail {
    /// Opens what writing takes, holds the trail's end against it, and begins to sign where nobody has yet.
    pub async fn take_up(&self) -> Result<(), TakeUpError> {
        self.is_judging.send_replace(true);
        self.is_head_foreign.store(false, Ordering::Relaxed);
        let head = audit_append::head(self.control.pool()).await?;
        let anchors = self.open_anchors(&head).await?;
        let known = anchors.reached().newest;
        let (key, is_new) = self.key(&head).await?;
        let open = Arc::new(Open { trail: head.trail, key, anchors });
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&open));
        let newest_us = audit_append::time_of(self.control.pool(), head.seq).await?;
        self.newest_us.fetch_max(newest_us.unwrap_or(0), Ordering::Relaxed);
        let is_unsigned = head.signature.is_none();
        let begins = is_unsigned && is_new && known.is_none();
        let trouble = if begins { None } else { self.judge(&open, &head, known).await? };
        let is_trusted = trouble.is_none();
        self.set_trouble(trouble);
        if is_trusted {
            *self.lock_issued() = Issued::only(head.seq, head.hash);
        }
        self.is_judging.send_replace(false);
        if begins {
            return Ok(self.begin_to_sign().await?);
        }
        if is_trusted {
            open.anchors.reach(Anchor { seq: head.seq, hash: head.hash }).await;
            if known.is_none() {
                self.say_that_anchors_begin(&head).await?;
            }
        }
        Ok(())
    }

    /// Opened once in a daemon's life: a later term goes on with the same writer.
    async fn open_anchors(&self, head: &Head) -> Result<Anchors, TakeUpError> {
        if let Ok(open) = self.opened() {
            return Ok(open.anchors.clone());
        }
        let path = self.places.anchors.clone();
        let (trail, elsewhere) = (head.trail, self.places.elsewhere.clone());
        let opened = tokio::task::spawn_blocking(move || {
            let shipping = Shipping::start(elsewhere, trail)?;
            Anchors::open(&path, trail, shipping)
        });
        let failed = |source| TakeUpError::Anchors { path: self.places.anchors.clone(), source };
        opened
            .await
            .map_err(io::Error::other)
            .and_then(|opened| opened)
            .map_err(failed)
            .map(|(anchors, _)| anchors)
    }

    /// The key, and whether nobody can have signed with it yet. A rotation that a crash interrupted is ended.
    async fn key(&self, head: &Head) -> Result<(Key, bool), TakeUpError> {
        let place = &self.places.key;
        let Some(key) = place.load()? else { return Ok((place.create()?, true)) };
        if let Some(next) = place.prepared()? {
            if self.names(head.seq, next.public()).await? {
                place.replace(&next)?;
                return Ok((next, false));
            }
            place.discard()?;
        }
        // A key that is given was there before this daemon: only an empty trail was signed by nobody.
        Ok((key, head.seq == 0))
    }

    /// Whether the event says that this key signs from then on.
    async fn names(&self, seq: i64, key: &PublicKey) -> Result<bool, Error> {
        #[derive(Deserialize)]
        struct Said {
            #[serde(default)]
            facts: std::collections::BTreeMap<String, String>,
        }
        let payload = audit_append::payload(self.control.pool(), seq).await?;
        let said: Option<Said> = payload.and_then(|payload| serde_json::from_slice(&payload).ok());
        Ok(said.is_some_and(|said| said.facts.get("key") == Some(&key.to_hex())))
    }

    /// Holds the trail's end against the newest anchor and the key.
    async fn judge(
        &self,
        open: &Open,
        head: &Head,
        known: Option<Anchor>,
    ) -> Result<Option<AuditBreak>, TakeUpError> {
        if known.is_some_and(|anchor| anchor.seq > head.seq) {
            // It ends too early; whether that is all that was done, only the whole of it tells.
            let verdict = self.verify(Vec::new(), |_| {}).await?;
            let cut = || Break { seq: head.seq + 1, at_most: head.seq + 1, kind: BreakKind::Cut }.to_wire();
            return Ok(Some(verdict.broken.unwrap_or_else(cut)));
        }
        let statement = chain::checkpoint(head.trail, head.seq, &head.hash);
        let signed = match &head.signature {
            Some(signature) if signature.key == open.key.id() => {
                open.key.public().has_signed(&statement, &signature.bytes)
            }
            // The event that ends a key's time is the last that it signed.
            Some(_) => self.names(head.seq, open.key.public()).await?,
            None => false,
        };
        if !signed {
            return Ok(Some(self.unsigned(open, head, known)));
        }
        let found = self.verify_after(known.unwrap_or(Anchor { seq: 0, hash: chain::BEGINNING })).await?;
        Ok(found.map(|found| found.to_wire()))
    }

    fn unsigned(&self, open: &Open, head: &Head, known: Option<Anchor>) -> AuditBreak {
        let seq = known.map_or(1, |anchor| anchor.seq + 1).clamp(1, head.seq.max(1));
        let key = head.signature.as_ref().map_or("no key", |signature| signature.key.as_str());
        let message = format!(
            "the trail's end (event {}) is signed by {key}, and not by this daemon's key {}: it was forged, or the key \
             file was replaced. Put the right key back ({}) and start again; if that key is lost for good, an \
             administrator says so: `tenantry audit acknowledge {seq}`",
            head.seq,
            open.key.id(),
            self.places.key.path().display()
        );
        AuditBreak { seq, kind: BreakKind::Forged, message }
    }

    /// A trail that goes on without its anchors may be an older copy: whoever reads it has to know.
    async fn say_that_anchors_begin(&self, head: &Head) -> Result<(), Error> {
        tracing::warn!(seq = head.seq, path = %self.places.anchors.display(), "the anchor file was begun anew");
        let mut tx = self.begin().await?;
        let daemon = Actor::daemon(nix::unistd::geteuid().as_raw());
        tx.record(&Entry::new("audit.anchors_begun", daemon).fact("from", head.seq)).await?;
        tx.commit("commit the beginning of the anchors").await
    }

    /// The first event that is signed, and names the key.
    async fn begin_to_sign(&self) -> Result<(), Error> {
        let key = self.public_key()?.to_hex();
        let mut tx = self.begin().await?;
        let daemon = Actor::daemon(nix::unistd::geteuid().as_raw());
        tx.record(&Entry::new("audit.begin", daemon).fact("key", key)).await?;
        tx.commit("commit the beginning of the trail").await
    }
}

/// For `map_err` of what happens outside the database and is told like an error of it.
pub(super) fn reading(path: &std::path::Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |error| Error::Refused(format!("{} cannot be read: {error}", path.display()))
}
