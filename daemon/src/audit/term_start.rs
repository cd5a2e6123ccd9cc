//! The start of a term: the key, the anchor file, and whether the end of the trail is the one that they know.
//!
//! If it is not, the term starts with a trouble on record. The trail can then be read and verified, but nothing is changed
//! until an administrator has settled it.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use serde::Deserialize;
use tenantry_protocol::chain::{self, PublicKey};
use uuid::Uuid;

use crate::model::audit_chain::{Actor, Entry};
use crate::postgres::Error;
use crate::postgres::audit::append::{self, Head};
use crate::postgres::audit::facts;

use super::anchor_file::{self, Anchor};
use super::anchors::Anchors;
use super::issued::Issued;
use super::key::{KeyError, TrailKey};
use super::shipping::Shipping;
use super::{Term, Trail};

#[derive(Debug, thiserror::Error)]
pub enum TakeUpError {
    #[error(transparent)]
    TrailKey(#[from] KeyError),
    #[error("the anchor file {} cannot be used", path.display())]
    Anchors { path: PathBuf, source: io::Error },
    #[error(
        "the audit trail has no head (control.audit_head has no row), and there is no anchor file that says which trail it \
         is: put back the one or the other"
    )]
    Nameless,
    #[error("the audit trail cannot be read: {}", .0.explain())]
    Control(Error),
}

impl From<Error> for TakeUpError {
    fn from(error: Error) -> Self {
        Self::Control(error)
    }
}

impl Trail {
    /// Opens everything that writing needs, checks the end of the trail against it, and begins to sign if nobody has signed
    /// yet.
    pub async fn take_up(&self) -> Result<(), TakeUpError> {
        self.is_judging.send_replace(true);
        self.set_trouble(None);
        let head = append::head(self.control.pool()).await?;
        let end_seq = facts::head_seq(self.control.pool()).await?;
        let (trail, anchors) = self.open_anchors(head.as_ref()).await?;
        let known = anchors.reached().newest;
        let (key, is_new) = self.key(end_seq).await?;
        let open = Arc::new(Term { trail, key, anchors });
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&open));
        let newest_us = append::time_of(self.control.pool(), end_seq).await?;
        self.newest_us.fetch_max(newest_us.unwrap_or(0), Ordering::Relaxed);
        let begins = if is_new && known.is_none() { self.nobody_has_signed().await? } else { None };
        match &begins {
            Some(head) => *self.lock_issued() = Issued::only(head),
            None => drop(self.look_at_end().await?),
        }
        self.is_judging.send_replace(false);
        if begins.is_some() {
            return Ok(self.begin_to_sign().await?);
        }
        if let (None, Some(head)) = (self.trouble(), head) {
            open.anchors.reach(Anchor { seq: head.seq, hash: head.hash }).await;
            if known.is_none() {
                self.say_that_anchors_begin(head.seq).await?;
            }
        }
        Ok(())
    }

    /// The head of a trail that stands but has no signature yet.
    async fn nobody_has_signed(&self) -> Result<Option<Head>, Error> {
        let head = append::standing_head(self.control.pool()).await?;
        Ok(head.filter(|head| head.signature.is_none()))
    }

    /// Opened once in the lifetime of a daemon. A later term continues with the same writer.
    async fn open_anchors(&self, head: Option<&Head>) -> Result<(Uuid, Anchors), TakeUpError> {
        if let Ok(open) = self.opened() {
            return Ok((open.trail, open.anchors.clone()));
        }
        let path = self.places.anchors.clone();
        let failed = |source| TakeUpError::Anchors { path: self.places.anchors.clone(), source };
        let of_file = anchor_file::trail_of(&path).map_err(failed)?;
        let trail = self.which(head, of_file)?;
        let elsewhere = self.places.elsewhere.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let shipping = Shipping::start(elsewhere, trail)?;
            Anchors::open(&path, trail, shipping)
        });
        let opened = opened.await.map_err(io::Error::other).and_then(|opened| opened).map_err(failed);
        opened.map(|(anchors, _)| (trail, anchors))
    }

    /// The trail's id. The file outside the database is trusted more, unless the key has signed what the database says. In
    /// that case the file belongs to another installation, and [`Anchors::open`] says so.
    fn which(&self, head: Option<&Head>, of_file: Option<Uuid>) -> Result<Uuid, TakeUpError> {
        let Some(head) = head else { return of_file.ok_or(TakeUpError::Nameless) };
        let Some(of_file) = of_file.filter(|of_file| *of_file != head.trail) else { return Ok(head.trail) };
        let key = self.places.key.load()?;
        let statement = chain::checkpoint(head.trail, head.seq, &head.hash);
        let is_signed = key.zip(head.signature.as_ref()).is_some_and(|(key, signature)| {
            key.id() == signature.key && key.public().has_signed(&statement, &signature.bytes)
        });
        Ok(if is_signed { head.trail } else { of_file })
    }

    /// The key, and whether nobody can have signed with it yet. Completes a rotation that a crash interrupted.
    async fn key(&self, end_seq: i64) -> Result<(TrailKey, bool), TakeUpError> {
        let place = &self.places.key;
        let Some(key) = place.load()? else { return Ok((place.create()?, true)) };
        if let Some(next) = place.prepared()? {
            if self.names(end_seq, next.public()).await? {
                place.replace(&next)?;
                return Ok((next, false));
            }
            place.discard()?;
        }
        // A given key existed before this daemon, so only an empty trail is known to be unsigned.
        Ok((key, end_seq == 0))
    }

    /// Whether the event says that this key signs from then on.
    async fn names(&self, seq: i64, key: &PublicKey) -> Result<bool, Error> {
        #[derive(Deserialize)]
        struct Said {
            #[serde(default)]
            facts: std::collections::BTreeMap<String, String>,
        }
        let payload = append::payload(self.control.pool(), seq).await?;
        let said: Option<Said> = payload.and_then(|payload| serde_json::from_slice(&payload).ok());
        Ok(said.is_some_and(|said| said.facts.get("key") == Some(&key.to_hex())))
    }

    /// A trail that continues without its anchors may be an older copy, and its readers have to know.
    pub(super) async fn say_that_anchors_begin(&self, from: i64) -> Result<(), Error> {
        tracing::warn!(seq = from, path = %self.places.anchors.display(), "the anchor file was begun anew");
        let mut tx = self.begin().await?;
        let daemon = Actor::daemon(nix::unistd::geteuid().as_raw());
        tx.record(&Entry::new("audit.anchors_begun", daemon).fact("from", from)).await?;
        tx.commit("commit the beginning of the anchors").await
    }

    /// Records the first signed event, which names the key.
    async fn begin_to_sign(&self) -> Result<(), Error> {
        let key = self.public_key()?.to_hex();
        let mut tx = self.begin().await?;
        let daemon = Actor::daemon(nix::unistd::geteuid().as_raw());
        tx.record(&Entry::new("audit.begin", daemon).fact("key", key)).await?;
        tx.commit("commit the beginning of the trail").await
    }
}

/// For `map_err` of a failure outside the database that is reported like a database error.
pub(super) fn reading(path: &std::path::Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |error| Error::Refused(format!("{} cannot be read: {error}", path.display()))
}
