//! A new key, and an acknowledged loss: the two events that change what the trail is verified against.

use std::sync::{Arc, PoisonError};

use tenantry_protocol::audit::AuditBreak;

use crate::model::audit_chain::{Actor, Entry, Outcome};
use crate::postgres::{Error, Result};

use super::{AuditedTx, Issued, Term, Trail};

impl Trail {
    /// Signs with a new key from the next event on. The event that names the new key is the last one that the old key signs.
    pub async fn rotate_key(&self, by: Actor) -> Result<i64> {
        // All transactions that may sign have ended, and none begins until the new key is in place.
        let _signing = self.signing.write().await;
        let open = self.writable()?;
        let previous = open.key.public().to_hex();
        let place = self.places.key.clone();
        let refused = |error: super::KeyError| Error::Refused(error.to_string());
        let next = place.prepare().map_err(refused)?;
        let mut tx = self.open_tx(open).await?;
        let named = Entry {
            outcome: Some(Outcome::Ok),
            ..Entry::new("audit.key_change", by)
                .fact("key", next.public().to_hex())
                .fact("previous_key", previous)
        };
        let seq = tx.record(&named).await?;
        tx.commit("commit the change of the audit key").await?;
        // The new key is valid from here on. If a crash comes before the file is in place, the next start replaces the file.
        place.replace(&next).map_err(refused)?;
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(current) = open.as_ref() {
            *open = Some(Arc::new(Term { key: next, ..current.as_ref().clone() }));
        }
        Ok(seq)
    }

    /// An administrator states that the trail continues from its current end, although more events were known. The
    /// event that records this is the first of those that follow, and is signed like any other. The old anchors
    /// are kept beside the new ones.
    pub async fn acknowledge(&self, trouble: &AuditBreak, by: Actor, reason: Option<String>) -> Result<i64> {
        let _signing = self.signing.write().await;
        let open = self.opened()?;
        self.must_be_as_known(trouble).await?;
        let head = self.head().await?;
        if head.trail != open.trail {
            return Err(Error::Refused(trouble.message.clone()));
        }
        let known = open.anchors.reached().newest;
        let to = known.map_or(head.seq, |anchor| anchor.seq).max(head.seq).max(trouble.seq);
        let lost = known.map_or_else(String::new, |anchor| data_encoding::HEXLOWER.encode(&anchor.hash));
        let entry = Entry {
            outcome: Some(Outcome::Ok),
            detail: reason,
            ..Entry::new("audit.acknowledge", by)
                .fact("kind", trouble.kind.name())
                .fact("from", trouble.seq)
                .fact("to", to)
                .fact("lost_hash", lost)
                .fact("key", open.key.public().to_hex())
        };
        *self.lock_issued() = Issued::only(&head);
        let mut tx = self.open_tx(Arc::clone(&open)).await?;
        let seq = tx.record(&entry).await?;
        let Some(end) = tx.end else { return Err(Error::Fenced) };
        tx.commit("commit the acknowledgement of a loss").await?;
        // After the commit: a crash between the two steps leaves the old anchors, so that the loss must be acknowledged again.
        open.anchors
            .restart(end, trouble.seq)
            .await
            .map_err(|error| Error::Unanchored(format!("{}: {error}", open.anchors.path().display())))?;
        self.set_trouble(None);
        Ok(seq)
    }

    /// Makes sure that the trouble to be acknowledged is the present one, and not something that was done to the trail since.
    async fn must_be_as_known(&self, trouble: &AuditBreak) -> Result<()> {
        let now = self.verify(Vec::new(), |_| {}).await?.broken;
        match now {
            Some(now) if (now.seq, now.kind) != (trouble.seq, trouble.kind) => {
                let message =
                    format!("the trail is {} at event {} by now: read it again", now.kind.name(), now.seq);
                self.set_trouble(Some(now));
                Err(Error::Refused(message))
            }
            Some(_) => Ok(()),
            None => {
                Err(Error::Refused("the trail is whole by now: there is nothing to acknowledge".to_owned()))
            }
        }
    }

    /// Begins a transaction for a caller that holds the key's lock for writing.
    async fn open_tx(&self, open: Arc<Term>) -> Result<AuditedTx<'_>> {
        let tx = self.control.begin().await?;
        Ok(AuditedTx { trail: self, open, tx, end: None, recorded: Vec::new(), _signing: None })
    }
}
