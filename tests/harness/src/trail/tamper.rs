//! What a person with the database's superuser, but without the key, can do to the trail; and how it is put back.
//!
//! Triggers are switched off first, as such a person would do. PostgreSQL computes the hashes if they are to fit.

use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use ed25519_dalek::{Signer as _, SigningKey};
use sqlx::{Executor as _, PgConnection};
use tenantry_protocol::audit::BreakKind;
use tenantry_protocol::chain::{Link, PublicKey, checkpoint, link};
use uuid::Uuid;

use crate::Env;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    EditPayload,
    EditHash,
    EditPrevHash,
    EditValue,
    /// One event is edited, with a hash that fits it.
    EditAndRehash,
    Remove,
    /// The events after it are moved up, so that no number is missing.
    RemoveAndRenumber,
    SwapNeighbours,
    SwapDistant,
    SwapPayloads,
    /// The end is cut off, and the head is as it was then.
    Restore,
    /// The end is cut off, and the head is left as it is.
    CutOff,
    /// Everything from there on is rewritten, with hashes that fit.
    Rewrite,
    /// Like [`Self::Rewrite`], with the key at hand.
    RewriteAndSign,
    Insert,
    Append,
    ForgeHead,
    ForgeCheckpoint,
}

impl Class {
    pub const ALL: [Self; 18] = [
        Self::EditPayload,
        Self::EditHash,
        Self::EditPrevHash,
        Self::EditValue,
        Self::EditAndRehash,
        Self::Remove,
        Self::RemoveAndRenumber,
        Self::SwapNeighbours,
        Self::SwapDistant,
        Self::SwapPayloads,
        Self::Restore,
        Self::CutOff,
        Self::Rewrite,
        Self::RewriteAndSign,
        Self::Insert,
        Self::Append,
        Self::ForgeHead,
        Self::ForgeCheckpoint,
    ];

    /// What the verifier must report for it, at event `at` of `last`.
    pub fn expected(self, at: i64, last: i64) -> (i64, BreakKind) {
        let is_last = at == last;
        match self {
            Self::EditPayload | Self::EditHash | Self::EditPrevHash | Self::EditValue => {
                (at, BreakKind::Edited)
            }
            Self::EditAndRehash if is_last => (at, BreakKind::Rewritten),
            Self::EditAndRehash => (at, BreakKind::Edited),
            Self::Remove | Self::RemoveAndRenumber if is_last => (at, BreakKind::Cut),
            Self::Remove | Self::RemoveAndRenumber => (at, BreakKind::Removed),
            Self::SwapNeighbours | Self::SwapDistant | Self::SwapPayloads => (at, BreakKind::Reordered),
            Self::Restore | Self::CutOff => (at, BreakKind::Cut),
            Self::Rewrite | Self::RewriteAndSign => (at, BreakKind::Rewritten),
            Self::Insert | Self::ForgeCheckpoint => (at, BreakKind::Forged),
            Self::Append => (last + 1, BreakKind::Forged),
            Self::ForgeHead => (last, BreakKind::Forged),
        }
    }

    const fn moves_the_head(self) -> bool {
        matches!(
            self,
            Self::RemoveAndRenumber
                | Self::Restore
                | Self::Rewrite
                | Self::RewriteAndSign
                | Self::Insert
                | Self::Append
                | Self::ForgeHead
        )
    }

    /// Whether it needs an event after it.
    pub const fn needs_a_next(self) -> bool {
        matches!(self, Self::SwapNeighbours | Self::SwapDistant | Self::SwapPayloads)
    }
}

/// An event as it is stored.
#[derive(Debug)]
struct Stored {
    seq: i64,
    prev_hash: Vec<u8>,
    payload: Vec<u8>,
}

/// The superuser's session, and the trail before the tampering.
pub struct Tamperer {
    session: PgConnection,
    key: SigningKey,
    trail: Uuid,
    pub last: i64,
    /// The last hash of a chain that was rewritten.
    resealed: Option<Link>,
    /// Whether the head has been locked since the trail was saved, so that the saved trail is the one that is tampered with.
    is_held: bool,
}

/// The chain's SHA-256, computed by PostgreSQL.
const HASH: &str =
    "sha256(convert_to('tenantry.audit.v1', 'UTF8') || '\\x00'::bytea || int8send(seq) || prev_hash
     || int8send(octet_length(payload)) || payload)";
/// Changes a digit of the time to the next one: it remains a valid time.
const OTHER_PAYLOAD: &str =
    "set_byte(payload, 12, case get_byte(payload, 12) when 57 then 48 else get_byte(payload, 12) + 1 end)";

impl Tamperer {
    pub async fn of(env: &Env) -> Self {
        let pem = std::fs::read_to_string(env.dir.join("state/audit/key")).unwrap();
        let key = SigningKey::from_pkcs8_pem(pem.trim()).unwrap();
        let mut session = env.control().await;
        session
            .execute(
                "create schema if not exists saved;
                 create unlogged table if not exists saved.event as select seq, prev_hash, payload, hash from control.audit_event where false;
                 create unlogged table if not exists saved.detail as select * from control.audit_detail where false;
                 create unlogged table if not exists saved.checkpoint as select * from control.audit_checkpoint where false;
                 create unlogged table if not exists saved.head as select * from control.audit_head where false",
            )
            .await
            .unwrap();
        let trail = sqlx::query_scalar("select trail from control.audit_head");
        let trail = trail.fetch_one(&mut session).await.unwrap();
        let mut this = Self { session, key, trail, last: 0, resealed: None, is_held: false };
        this.save().await;
        this.release().await;
        this
    }

    /// Saves the trail as it is; until the tampering, nothing can be added to it.
    pub async fn save(&mut self) {
        self.release().await;
        self.is_held = true;
        self.session
            .execute(
                "begin; select from control.audit_head for update;
                 truncate saved.event, saved.detail, saved.checkpoint, saved.head;
                 insert into saved.event select seq, prev_hash, payload, hash from control.audit_event;
                 insert into saved.detail select * from control.audit_detail;
                 insert into saved.checkpoint select * from control.audit_checkpoint;
                 insert into saved.head select * from control.audit_head",
            )
            .await
            .unwrap();
        let last = sqlx::query_scalar("select seq from saved.head");
        self.last = last.fetch_one(&mut self.session).await.unwrap();
    }

    async fn release(&mut self) {
        if std::mem::take(&mut self.is_held) {
            self.session.execute("commit").await.unwrap();
        }
    }

    /// Restores the saved rows that are missing or changed. If the head was left alone, the daemon has added events since;
    /// those stay.
    pub async fn put_back(&mut self, class: Class) {
        let up_to = if class.moves_the_head() { i64::MAX } else { self.last };
        let mut sql: String = [
            ("event", "seq, prev_hash, payload, hash", "seq"),
            ("detail", "seq, field, value, salt", "seq, field"),
            ("checkpoint", "seq, hash, key, signature", "seq"),
        ]
        .map(|(table, columns, key)| {
            let (table, saved) = (format!("control.audit_{table}"), format!("saved.{table}"));
            format!(
                "delete from {table} where seq <= {up_to} and ({columns}) not in (select {columns} from {saved});
                 insert into {table} ({columns}) select {columns} from {saved}
                   where ({key}) not in (select {key} from {table});"
            )
        })
        .concat();
        if class.moves_the_head() {
            sql += "update control.audit_head h set seq = s.seq, hash = s.hash, key = s.key, signature = s.signature
                    from saved.head s;";
        }
        self.guarded(&sql).await;
    }

    /// An event that fits after the last one, and that the head does not know.
    pub async fn event_after(&mut self, last: i64) -> String {
        self.inserted(last + 1).await.split("update").next().unwrap().to_owned()
    }

    /// Tampers at event `at`; `other` is a later event, for classes that need two.
    pub async fn tamper(&mut self, class: Class, at: i64, other: i64) {
        let last = self.last;
        let event = |set: &str| format!("update control.audit_event set {set} where seq = {at};");
        let bump = |column: &str| {
            event(&format!("{column} = set_byte({column}, 3, (get_byte({column}, 3) + 1) % 256)"))
        };
        // Swaps a column of two events, with the values of the saved trail.
        let swap = |column: &str, one: i64, two: i64| {
            format!(
                "update control.audit_event set {column} = case seq when {one} then
                   (select {column} from saved.event where seq = {two}) else (select {column} from saved.event where seq = {one}) end
                 where seq in ({one}, {two});"
            )
        };
        let swap_whole = |one, two| ["prev_hash", "payload", "hash"].map(|c| swap(c, one, two)).concat();
        let drop_from = |from: i64| {
            format!(
                "delete from control.audit_event where seq >= {from}; delete from control.audit_detail where seq >= {from};
                 delete from control.audit_checkpoint where seq >= {from};"
            )
        };
        let sql = match class {
            Class::EditPayload => event(&format!("payload = {OTHER_PAYLOAD}")),
            Class::EditHash => bump("hash"),
            Class::EditPrevHash => bump("prev_hash"),
            Class::EditValue => {
                format!("update control.audit_detail set value = value || '!' where seq = {at} and field = 'actor';")
            }
            Class::EditAndRehash => {
                event(&format!("payload = {OTHER_PAYLOAD}")) + &event(&format!("hash = {HASH}"))
            }
            Class::Remove => format!("delete from control.audit_event where seq = {at};"),
            Class::RemoveAndRenumber => format!(
                "delete from control.audit_event where seq >= {at};
                 insert into control.audit_event (seq, prev_hash, payload, hash)
                   select seq - 1, prev_hash, payload, hash from saved.event where seq > {at};
                 update control.audit_head set seq = seq - 1;"
            ),
            Class::SwapNeighbours => swap_whole(at, at + 1),
            Class::SwapDistant => swap_whole(at, other),
            Class::SwapPayloads => swap("payload", at, other),
            Class::CutOff => drop_from(at),
            Class::Restore => drop_from(at) + &self.older_head(at - 1).await,
            Class::Rewrite => self.rewritten(at).await,
            Class::RewriteAndSign => self.rewritten(at).await + &self.signed_anew(at).await,
            Class::Insert => self.inserted(at).await,
            Class::Append => self.inserted(last + 1).await,
            Class::ForgeHead => {
                "update control.audit_head set signature = set_byte(signature, 3, (get_byte(signature, 3) + 1) % 256);".into()
            }
            Class::ForgeCheckpoint => format!(
                "delete from control.audit_checkpoint where seq = {at};
                 insert into control.audit_checkpoint (seq, hash, key, signature)
                   select {at}, (select hash from saved.event where seq = {at}), key,
                          set_byte(signature, 3, (get_byte(signature, 3) + 1) % 256) from saved.head;"
            ),
        };
        self.guarded(&sql).await;
        self.resealed = None;
    }

    /// The head as it was at an earlier event: a backup contains it with its signature.
    pub async fn older_head(&mut self, seq: i64) -> String {
        let hash: Option<Vec<u8>> = sqlx::query_scalar("select hash from saved.event where seq = $1")
            .bind(seq)
            .fetch_optional(&mut self.session)
            .await
            .unwrap();
        let hash: Link = hash.map_or([0; 32], |hash| hash.try_into().unwrap());
        self.head(seq, &hash)
    }

    fn head(&self, seq: i64, hash: &Link) -> String {
        format!(
            "update control.audit_head set seq = {seq}, hash = {}, key = '{}', signature = {};",
            bytea(hash),
            self.key_id(),
            bytea(&self.sign(seq, hash))
        )
    }

    fn key_id(&self) -> String {
        PublicKey::new(self.key.verifying_key()).id()
    }

    fn sign(&self, seq: i64, hash: &Link) -> [u8; 64] {
        self.key.sign(&checkpoint(self.trail, seq, hash)).to_bytes()
    }

    /// Changes event `at`, and rewrites the chain from there on so that it fits.
    async fn rewritten(&mut self, at: i64) -> String {
        let mut events = self.saved_from(at).await;
        let digit = &mut events[0].payload[12];
        *digit = if *digit == b'9' { b'0' } else { *digit + 1 };
        let mut prev: Link = events[0].prev_hash.clone().try_into().unwrap();
        let mut sql = format!("delete from control.audit_event where seq >= {at};");
        for event in events {
            let hash = link(event.seq, &prev, &event.payload);
            sql += &insert(event.seq, &prev, &event.payload, &hash);
            prev = hash;
        }
        sql += &format!("update control.audit_head set hash = {};", bytea(&prev));
        self.resealed = Some(prev);
        sql
    }

    /// Signs what [`Self::rewritten`] made: the head only, since the checkpoints are dropped.
    async fn signed_anew(&mut self, at: i64) -> String {
        let hash = self.resealed.unwrap();
        format!("delete from control.audit_checkpoint where seq >= {at};") + &self.head(self.last, &hash)
    }

    /// Puts an event that nobody recorded in place `at`, and moves the others down.
    async fn inserted(&mut self, at: i64) -> String {
        let before: Option<Vec<u8>> = sqlx::query_scalar("select hash from saved.event where seq = $1")
            .bind(at - 1)
            .fetch_optional(&mut self.session)
            .await
            .unwrap();
        let prev: Link = before.map_or([0; 32], |hash| hash.try_into().unwrap());
        let payload = br#"{"at_us":1790000000000000,"action":"provision","actor_uid":0}"#;
        let hash = link(at, &prev, payload);
        let mut sql = format!("delete from control.audit_event where seq >= {at};");
        sql += &insert(at, &prev, payload, &hash);
        sql += &format!(
            "insert into control.audit_event (seq, prev_hash, payload, hash)
               select seq + 1, prev_hash, payload, hash from saved.event where seq >= {at};
             delete from control.audit_detail where seq >= {at};
             insert into control.audit_detail select seq + 1, field, value, salt from saved.detail where seq >= {at};
             update control.audit_head set seq = seq + 1, hash = (select hash from control.audit_event order by seq desc limit 1);"
        );
        sql
    }

    async fn saved_from(&mut self, at: i64) -> Vec<Stored> {
        let rows: Vec<(i64, Vec<u8>, Vec<u8>)> =
            sqlx::query_as("select seq, prev_hash, payload from saved.event where seq >= $1 order by seq")
                .bind(at)
                .fetch_all(&mut self.session)
                .await
                .unwrap();
        rows.into_iter().map(|(seq, prev_hash, payload)| Stored { seq, prev_hash, payload }).collect()
    }

    /// Runs without the triggers that keep everybody else out.
    pub async fn guarded(&mut self, sql: &str) {
        const TRIGGERS: [(&str, &str); 7] = [
            ("audit_event", "audit_event_is_immutable"),
            ("audit_event", "audit_event_is_not_truncated"),
            ("audit_event_p0", "audit_event_is_immutable"),
            ("audit_event_p0", "audit_event_is_not_truncated"),
            ("audit_detail", "audit_detail_is_immutable"),
            ("audit_checkpoint", "audit_checkpoint_is_immutable"),
            ("audit_checkpoint", "audit_checkpoint_is_not_truncated"),
        ];
        let switch = |how: &str| -> String {
            TRIGGERS
                .iter()
                .map(|(table, trigger)| format!("alter table control.{table} {how} trigger {trigger};"))
                .collect()
        };
        let begin = if std::mem::take(&mut self.is_held) { "" } else { "begin;" };
        let sql = format!("{begin} {} {sql} {} commit", switch("disable"), switch("enable always"));
        let result = self.session.execute(sqlx::AssertSqlSafe(sql.clone())).await;
        result.unwrap_or_else(|error| panic!("{error}: {}", &sql[..sql.len().min(3_000)]));
    }
}

fn bytea(bytes: &[u8]) -> String {
    format!("'\\x{}'::bytea", data_encoding::HEXLOWER.encode(bytes))
}

fn insert(seq: i64, prev: &Link, payload: &[u8], hash: &Link) -> String {
    format!(
        "insert into control.audit_event (seq, prev_hash, payload, hash) values ({seq}, {}, {}, {});",
        bytea(prev),
        bytea(payload),
        bytea(hash)
    )
}
