//! The audit trail's writer: turns an entry into a signed link of the chain, inside the caller's transaction, and anchors
//! the chain's end outside the database before the caller goes on.
//!
//! Fail closed: an entry that cannot be written fails its transaction; a trail that is not what this daemon wrote, or
//! whose anchors cannot be written, lets nothing be changed. All writing transactions begin here.

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

/// How long a request waits while a term begins; a long trail takes longer.
const JUDGING: Duration = Duration::from_secs(5);

/// A signature stays at each event whose number this divides.
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
    /// A term begins: nothing is written before it is known what the trail's end is.
    is_judging: watch::Sender<bool>,
    /// Held by who looks at the end: one look is enough for all who ask at once.
    looking: tokio::sync::Mutex<()>,
    issued: Mutex<Issued>,
    /// Held for reading by whoever may sign, and for writing by who changes the key.
    signing: Arc<tokio::sync::RwLock<()>>,
    newest_us: AtomicI64,
    verified: RwLock<Verified>,
}

/// What this daemon's verifications came to.
#[derive(Debug, Clone, Default)]
struct Verified {
    /// The newest event that one covered which found nothing, and when.
    whole: Option<(i64, OffsetDateTime)>,
    /// What the last one found.
    found: Option<AuditBreak>,
    last: Option<LastVerification>,
}

/// The last one: when it ended, how long it took, and what stood at the trail's end.
#[derive(Debug, Clone)]
struct LastVerification {
    at: Instant,
    took: Duration,
    end: TrailEnd,
}

/// What a term needs to write: from the taking of the control database on.
#[derive(Debug, Clone)]
struct Term {
    trail: Uuid,
    key: TrailKey,
    anchors: Anchors,
}

/// A writing transaction; what is recorded in it is anchored when it is committed.
#[derive(Debug)]
pub struct AuditedTx<'t> {
    trail: &'t Trail,
    open: Arc<Term>,
    tx: ControlTx,
    end: Option<Anchor>,
    recorded: Vec<CommittedEvent>,
    /// No other key takes over while this transaction may sign.
    _signing: Option<OwnedRwLockReadGuard<()>>,
}

/// What the log says of an event once it is committed.
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

    /// A transaction that may write; not one, while the trail is in doubt.
    pub async fn begin(&self) -> Result<AuditedTx<'_>> {
        if !self.is_judged_in_time().await {
            return Err(Error::Fenced);
        }
        // Somebody may have put back what they took.
        if self.trouble().is_some() {
            self.look_at_end().await?;
        }
        self.say_if_anchors_began_anew().await?;
        let signing = Arc::clone(&self.signing).read_owned().await;
        let open = self.writable()?;
        let tx = self.control.begin().await?;
        Ok(AuditedTx { trail: self, open, tx, end: None, recorded: Vec::new(), _signing: Some(signing) })
    }

    /// Before the trail's end is known nothing is written on it.
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

    /// An error before the first term.
    fn opened(&self) -> Result<Arc<Term>> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(Error::Fenced)
    }

    /// Makes sure that what is committed is anchored, after a COMMIT whose answer was lost; gives the newest event.
    pub async fn anchor_head(&self) -> Result<i64> {
        let (open, head) = (self.opened()?, self.head().await?);
        if self.lock_issued().has(&head) {
            open.anchors.reach(Anchor { seq: head.seq, hash: head.hash }).await;
        }
        Ok(head.seq)
    }

    /// Signs for a reader outside, with the key of this moment.
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

    /// The trail could not even be read: that is told like what is found in it.
    pub fn note_unreadable(&self, why: &str) {
        let message =
            format!("the trail cannot be read: {why}. Find out who changed its tables, and restore them");
        self.note(0, Some(&AuditBreak { seq: 1, kind: BreakKind::Other, message }));
    }

    /// Keeps what a verification came to.
    fn note(&self, to_seq: i64, found: Option<&AuditBreak>) {
        let mut verified = self.verified.write().unwrap_or_else(PoisonError::into_inner);
        if found.is_none() {
            verified.whole = Some((to_seq, OffsetDateTime::now_utc()));
        }
        verified.found = found.cloned();
    }

    /// What is known without reading the trail; `head_seq` is the caller's to know.
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

    /// Microseconds since 1970, UTC; never before an earlier answer, whatever is done to the clock.
    fn now_us(&self) -> i64 {
        let now = i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX);
        self.newest_us.fetch_max(now, Ordering::Relaxed).max(now)
    }

    fn lock_issued(&self) -> std::sync::MutexGuard<'_, Issued> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AuditedTx<'_> {
    /// Appends `entry`; gives its `seq`. Last in a transaction, because it holds the chain's head until the commit.
    pub async fn record(&mut self, entry: &Entry) -> Result<i64> {
        if fault::audit_is_off() {
            return Ok(0);
        }
        let found = append::lock_head(&mut self.tx).await?;
        let is_ours = |head: &Head| head.trail == self.open.trail && self.trail.lock_issued().has(head);
        let Some((head, xid)) = found.filter(|(head, _)| is_ours(head)) else {
            return Err(self.trail.doubt().await);
        };
        // Under the head's lock, so that times follow the order of the events.
        let moment = Moment { at_us: self.trail.now_us(), xid: &xid };
        let sealed = audit_chain::seal(entry, moment, rand::random)
            .map_err(|error| Error::Corrupt { what: "an audit entry", why: error.to_string() })?;
        let seq = head.seq + 1;
        let hash = chain::link(seq, &head.hash, &sealed.payload);
        let signature = self.open.key.sign(&chain::checkpoint(self.open.trail, seq, &hash));
        // Before the database has it: whatever becomes of this transaction, the place is known.
        self.trail.lock_issued().add(seq, hash, signature.clone());
        let event = NewEvent {
            seq,
            payload: &sealed.payload,
            hash: &hash,
            details: &sealed.details,
            signature: &signature,
            is_checkpoint: seq % CHECKPOINT_EVERY == 0 || chain::KEY_ACTIONS.contains(&entry.action),
        };
        let appended = append::append(&mut self.tx, &head, &event).await;
        if !matches!(appended, Ok(true)) {
            self.trail.lock_issued().take_back(seq, hash);
        }
        if !appended? {
            return Err(self.trail.doubt().await);
        }
        self.end = Some(Anchor { seq, hash });
        let (operation, tenant) = (entry.operation_id, entry.tenant_id);
        self.recorded.push(CommittedEvent { seq, action: entry.action, operation, tenant });
        Ok(seq)
    }

    /// Commits, and comes back when the chain's end is anchored. An error is the COMMIT's alone.
    pub async fn commit(self, what: &'static str) -> Result<()> {
        self.tx.commit().await.map_err(doing(what))?;
        for CommittedEvent { seq, action, operation, tenant } in &self.recorded {
            // By hand, so that an absent one is no field.
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
