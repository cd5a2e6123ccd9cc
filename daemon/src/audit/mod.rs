//! The writer of the audit trail. It turns an entry into a signed link of the chain within the caller's transaction, and
//! anchors the end of the chain outside the database before the caller continues.
//!
//! The trail fails closed. An entry that cannot be written fails its transaction. Nothing can be changed while the trail is
//! not what this daemon wrote, or while its anchors cannot be written. All writing transactions begin here.

mod anchor_file;
mod anchors;
mod end;
mod issued;
mod key;
mod pass;
mod rotation;
mod shipping;
mod term_start;
mod verification;

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use sqlx::PgConnection;
use tenantry_protocol::audit::{AuditBreak, BreakKind, TrailStatus};
use tenantry_protocol::chain;
use time::OffsetDateTime;
use tokio::sync::{OwnedRwLockReadGuard, watch};
use tracing::field;
use uuid::Uuid;

use crate::fault;
use crate::model::audit_chain::{self, Entry, Moment};
use crate::postgres::audit::append::{self, Head, NewEvent, Signature};
use crate::postgres::audit::stream::TrailEnd;
use crate::postgres::control::{Control, ControlTx};
use crate::postgres::{Error, Result, error::doing};

pub use anchor_file::Anchor;
use anchors::Anchors;
use issued::Issued;
use key::TrailKey;
pub use key::{KeyError, KeyPlace};
pub use pass::Verification;
pub use shipping::Elsewhere;
pub use term_start::TakeUpError;

/// How long a request waits while a term begins. A long trail takes longer.
const JUDGING: Duration = Duration::from_secs(5);

/// The signature of an event is kept if its number is a multiple of this.
pub const CHECKPOINT_EVERY: i64 = 1_000;

/// Where the trail's own files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrailPlaces {
    pub key: KeyPlace,
    pub anchors: PathBuf,
    pub elsewhere: Elsewhere,
}

/// The trail of one control database.
#[derive(Debug)]
pub struct Trail {
    control: Arc<Control>,
    places: TrailPlaces,
    open: RwLock<Option<Arc<Term>>>,
    trouble: RwLock<Option<AuditBreak>>,
    /// A term begins: nothing is written until the state of the trail's end is known.
    is_judging: watch::Sender<bool>,
    /// Held during a look at the end. One look serves all who ask at the same time.
    looking: tokio::sync::Mutex<()>,
    issued: Mutex<Issued>,
    /// Held for reading by transactions that may sign, and for writing by a change of the key.
    signing: Arc<tokio::sync::RwLock<()>>,
    newest_us: AtomicI64,
    verified: RwLock<Verified>,
}

/// The results of this daemon's verifications.
#[derive(Debug, Clone, Default)]
struct Verified {
    /// The newest event covered by a verification that found nothing wrong, and when that was.
    whole: Option<(i64, OffsetDateTime)>,
    /// What the last verification found.
    found: Option<AuditBreak>,
    last: Option<LastVerification>,
}

/// The last verification: when it ended, how long it took, and what the end of the trail was.
#[derive(Debug, Clone)]
struct LastVerification {
    at: Instant,
    took: Duration,
    end: TrailEnd,
}

/// What a term needs to write. A term begins when the daemon takes the control database.
#[derive(Debug, Clone)]
struct Term {
    trail: Uuid,
    key: TrailKey,
    anchors: Anchors,
}

/// A writing transaction. Its events are anchored when it is committed.
#[derive(Debug)]
pub struct AuditedTx<'t> {
    trail: &'t Trail,
    open: Arc<Term>,
    tx: ControlTx,
    end: Option<Anchor>,
    recorded: Vec<CommittedEvent>,
    /// Keeps the key from being changed while this transaction may sign.
    _signing: Option<OwnedRwLockReadGuard<()>>,
}

/// What the log says about an event once it is committed.
#[derive(Debug)]
struct CommittedEvent {
    seq: i64,
    action: &'static str,
    operation: Option<Uuid>,
    tenant: Option<Uuid>,
}

impl Trail {
    pub fn new(control: Arc<Control>, places: TrailPlaces) -> Self {
        Self {
            control,
            places,
            open: RwLock::default(),
            trouble: RwLock::default(),
            is_judging: watch::Sender::new(false),
            looking: tokio::sync::Mutex::default(),
            issued: Mutex::default(),
            signing: Arc::default(),
            newest_us: AtomicI64::new(0),
            verified: RwLock::default(),
        }
    }

    pub const fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// Begins a transaction that may write. Fails while the trail is in doubt.
    pub async fn begin(&self) -> Result<AuditedTx<'_>> {
        if !self.is_judged_in_time().await {
            return Err(Error::Fenced);
        }
        // Somebody may have put back what they took away.
        if self.trouble().is_some() {
            self.look_at_end().await?;
        }
        self.say_if_anchors_began_anew().await?;
        let signing = Arc::clone(&self.signing).read_owned().await;
        let open = self.writable()?;
        let tx = self.control.begin().await?;
        Ok(AuditedTx { trail: self, open, tx, end: None, recorded: Vec::new(), _signing: Some(signing) })
    }

    /// Waits until the state of the trail's end is known. Nothing is written before that.
    async fn is_judged_in_time(&self) -> bool {
        let mut judging = self.is_judging.subscribe();
        let judged = async { judging.wait_for(|is_judging| !is_judging).await.is_ok() };
        tokio::time::timeout(JUDGING, judged).await.unwrap_or(false)
    }

    fn writable(&self) -> Result<Arc<Term>> {
        if let Some(trouble) = self.trouble() {
            return Err(Error::Distrusted(trouble.message));
        }
        let open = self.opened()?;
        match open.anchors.reached().trouble {
            Some(trouble) => Err(Error::Unanchored(trouble)),
            None => Ok(open),
        }
    }

    /// The current term. It is an error before the first term.
    fn opened(&self) -> Result<Arc<Term>> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(Error::Fenced)
    }

    /// After a COMMIT whose answer was lost, makes sure that committed events are anchored. Returns the newest event.
    pub async fn anchor_head(&self) -> Result<i64> {
        let (open, head) = (self.opened()?, self.head().await?);
        if self.lock_issued().has(&head) {
            open.anchors.reach(Anchor { seq: head.seq, hash: head.hash }).await;
        }
        Ok(head.seq)
    }

    /// Signs a statement for an outside reader, with the current key.
    pub fn sign(&self, statement: &[u8]) -> Result<Signature> {
        Ok(self.opened()?.key.sign(statement))
    }

    pub fn id(&self) -> Result<Uuid> {
        Ok(self.opened()?.trail)
    }

    pub fn public_key(&self) -> Result<chain::PublicKey> {
        Ok(*self.opened()?.key.public())
    }

    pub fn trouble(&self) -> Option<AuditBreak> {
        self.trouble.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_trouble(&self, trouble: Option<AuditBreak>) {
        if let Some(trouble) = trouble.as_ref().filter(|trouble| self.trouble().as_ref() != Some(*trouble)) {
            tracing::error!(seq = trouble.seq, kind = trouble.kind.name(), "{}", trouble.message);
        }
        *self.trouble.write().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// The trail could not even be read. This is reported like a verification's finding.
    pub fn note_unreadable(&self, why: &str) {
        let message =
            format!("the trail cannot be read: {why}. Find out who changed its tables, and restore them");
        self.note(0, Some(&AuditBreak { seq: 1, kind: BreakKind::Other, message }));
    }

    /// Keeps the result of a verification.
    fn note(&self, to_seq: i64, found: Option<&AuditBreak>) {
        let mut verified = self.verified.write().unwrap_or_else(PoisonError::into_inner);
        if found.is_none() {
            verified.whole = Some((to_seq, OffsetDateTime::now_utc()));
        }
        verified.found = found.cloned();
    }

    /// What is known without reading the trail. The caller supplies `head_seq`.
    pub fn status(&self, head_seq: i64) -> TrailStatus {
        let verified = self.verified.read().unwrap_or_else(PoisonError::into_inner).clone();
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner).clone();
        TrailStatus {
            head_seq,
            verified_to: verified.whole.map(|(seq, _)| seq),
            verified_at: verified.whole.map(|(_, at)| at),
            found: verified.found,
            anchored_to: open.map(|open| open.anchors.reached().seq()),
            trouble: self.trouble(),
        }
    }

    /// Microseconds since 1970, UTC. Never earlier than a previous answer, even if the clock is set back.
    fn now_us(&self) -> i64 {
        let now = i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX);
        self.newest_us.fetch_max(now, Ordering::Relaxed).max(now)
    }

    fn lock_issued(&self) -> std::sync::MutexGuard<'_, Issued> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AuditedTx<'_> {
    /// Appends `entry` and returns its `seq`. Call it last in a transaction, because it holds the
    /// chain's head until the commit.
    pub async fn record(&mut self, entry: &Entry) -> Result<i64> {
        self.record_all(std::slice::from_ref(entry)).await
    }

    /// Like [`Self::record`], for entries that follow each other; returns the last one's `seq`.
    pub async fn record_all(&mut self, entries: &[Entry]) -> Result<i64> {
        if fault::audit_is_off() {
            return Ok(0);
        }
        let found = append::lock_head(&mut self.tx).await?;
        let is_ours = |head: &Head| head.trail == self.open.trail && self.trail.lock_issued().has(head);
        let Some((head, xid)) = found.filter(|(head, _)| is_ours(head)) else {
            return Err(self.trail.doubt().await);
        };
        let mut sealed = Vec::with_capacity(entries.len());
        for entry in entries {
            // Taken under the head's lock, so that times follow the order of the events.
            let moment = Moment { at_us: self.trail.now_us(), xid: &xid };
            sealed.push(
                audit_chain::seal(entry, moment, rand::random)
                    .map_err(|error| Error::Corrupt { what: "an audit entry", why: error.to_string() })?,
            );
        }
        let mut end = Anchor { seq: head.seq, hash: head.hash };
        let mut events = Vec::with_capacity(entries.len());
        for (entry, sealed) in entries.iter().zip(&sealed) {
            let (seq, previous) = (end.seq + 1, end.hash);
            end = Anchor { seq, hash: chain::link(seq, &previous, &sealed.payload) };
            let is_checkpoint = seq % CHECKPOINT_EVERY == 0 || chain::KEY_ACTIONS.contains(&entry.action);
            events.push(NewEvent {
                seq,
                previous,
                payload: &sealed.payload,
                hash: end.hash,
                details: &sealed.details,
                checkpoint: is_checkpoint.then(|| self.signature(end)),
            });
        }
        let signature = self.signature(end);
        // Noted before the database has it: the place is known whatever becomes of this transaction.
        self.trail.lock_issued().add(end.seq, end.hash, signature.clone());
        let appended = append::append(&mut self.tx, &head, &events, &signature).await;
        if !matches!(appended, Ok(true)) {
            self.trail.lock_issued().take_back(end.seq, end.hash);
        }
        if !appended? {
            return Err(self.trail.doubt().await);
        }
        self.end = Some(end);
        let recorded = entries.iter().zip(&events).map(|(entry, event)| {
            let (operation, tenant) = (entry.operation_id, entry.tenant_id);
            CommittedEvent { seq: event.seq, action: entry.action, operation, tenant }
        });
        self.recorded.extend(recorded);
        Ok(end.seq)
    }

    fn signature(&self, place: Anchor) -> Signature {
        self.open.key.sign(&chain::checkpoint(self.open.trail, place.seq, &place.hash))
    }

    /// Commits, and returns when the end of the chain is anchored. An error always comes from the COMMIT.
    pub async fn commit(self, what: &'static str) -> Result<()> {
        self.tx.commit().await.map_err(doing(what))?;
        for CommittedEvent { seq, action, operation, tenant } in &self.recorded {
            // Converted by hand, so that an absent value does not become a field.
            let (operation, tenant) = (operation.map(field::display), tenant.map(field::display));
            tracing::info!(seq, action, operation, tenant, "recorded");
        }
        if let Some(end) = self.end {
            self.trail.lock_issued().settle(end.seq, end.hash);
            fault::around("anchor", async {
                self.open.anchors.reach(end).await;
                Ok::<_, Error>(())
            })
            .await?;
        }
        Ok(())
    }
}

impl Deref for AuditedTx<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.tx
    }
}

impl DerefMut for AuditedTx<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.tx
    }
}
