//! Events by the hundred thousand, with correct links and commitments: a trail as years of work would leave it.
//!
//! The same number always gives the same trail, except for the tenants' ids. Rare values are at its beginning, which a
//! search reaches last.

use std::fmt::Write as _;
use std::io::Write as _;

use data_encoding::HEXLOWER;
use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use ed25519_dalek::{Signer as _, SigningKey};
use sqlx::PgConnection;
use tenantry_protocol::chain::{self, Link, PublicKey};
use uuid::Uuid;

use crate::Env;

/// Tenants that the events are about: `generated-0`, `generated-1`, …
pub const TENANTS: usize = 2_000;
/// The actor of five of the first events.
pub const RARE_ACTOR: &str = "rare";
pub const RARE_UID: u32 = 4_242;
/// The action of three of the first events.
pub const RARE_ACTION: &str = "target.lost";
/// Occurs in the detail of one event in a thousand.
pub const SEARCHED_TEXT: &str = "disk quota";
/// The time between events, in microseconds: a million of them take about a year.
pub const STEP_US: i64 = 30_000_000;

const CHUNK: i64 = 20_000;
/// The kinds of operations, each as often as it occurs here.
const KINDS: [&str; 10] = [
    "verify",
    "verify",
    "verify",
    "provision",
    "credentials.issue",
    "credentials.rotate",
    "update",
    "suspend",
    "resume",
    "rollback",
];

/// The events that were made.
#[derive(Debug, Clone, Copy)]
pub struct Generated {
    pub from: i64,
    pub to: i64,
    /// When the first of them was, in microseconds since 1970; the others follow by [`STEP_US`].
    pub begin_us: i64,
}

struct Event {
    payload: String,
    values: Vec<(&'static str, String, [u8; 16])>,
}

/// The end of the chain, and the key that signs it.
struct Chain {
    trail: Uuid,
    hash: Link,
    key: Option<SigningKey>,
}

/// Appends `count` events that end now, as a superuser and unsigned: the daemon reads such a trail, and does not continue it.
pub async fn append(connection: &mut PgConnection, count: i64) -> Generated {
    write_all(connection, count, 0, None).await
}

/// Appends `count` events that ended so many days ago, signed with the daemon's own key while it is stopped; it continues
/// them when it is started again.
pub async fn append_signed(env: &mut Env, count: i64, days_ago: i64) -> Generated {
    env.take_daemon().stop().await;
    let key = key(env);
    let made = write_all(&mut env.control().await, count, days_ago, Some(key)).await;
    anchor(env, made).await;
    env.start_daemon().await;
    made
}

fn key(env: &Env) -> SigningKey {
    let pem = std::fs::read_to_string(env.dir.join("state/audit/key")).unwrap();
    SigningKey::from_pkcs8_pem(&pem).unwrap()
}

/// Makes it look as if each event had been anchored when it was recorded, so that the start need not read the added events.
async fn anchor(env: &Env, made: Generated) {
    let anchors: Vec<String> = sqlx::query_scalar(
        "select seq || ' ' || encode(hash, 'hex') || E'\\n' from control.audit_event where seq >= $1 order by seq",
    )
    .bind(made.from)
    .fetch_all(&mut env.control().await)
    .await
    .unwrap();
    let mut file =
        std::fs::OpenOptions::new().append(true).open(env.dir.join("state/audit/anchors")).unwrap();
    file.write_all(anchors.concat().as_bytes()).unwrap();
}

/// Like [`append_signed`], but replaces the whole trail: an old trail must not begin with the daemon's own first events of
/// today.
pub async fn replace_signed(env: &mut Env, count: i64, days_ago: i64) -> Generated {
    env.take_daemon().stop().await;
    let (key, anchors) = (key(env), env.dir.join("state/audit/anchors"));
    let header = std::fs::read_to_string(&anchors).unwrap().lines().next().unwrap().to_owned();
    std::fs::write(anchors, header + "\n").unwrap();
    let connection = &mut env.control().await;
    sqlx::raw_sql(
        "alter table control.audit_event disable trigger audit_event_is_not_truncated;
         alter table control.audit_event_p0 disable trigger audit_event_is_not_truncated;
         alter table control.audit_checkpoint disable trigger audit_checkpoint_is_not_truncated;
         truncate control.audit_event, control.audit_detail, control.audit_checkpoint;
         alter table control.audit_event enable always trigger audit_event_is_not_truncated;
         alter table control.audit_event_p0 enable always trigger audit_event_is_not_truncated;
         alter table control.audit_checkpoint enable always trigger audit_checkpoint_is_not_truncated;
         update control.audit_head set seq = 0, hash = decode(repeat('00', 32), 'hex')",
    )
    .execute(&mut *connection)
    .await
    .unwrap();
    let made = write_all(connection, count, days_ago, Some(key)).await;
    anchor(env, made).await;
    env.start_daemon().await;
    made
}

async fn write_all(
    connection: &mut PgConnection,
    count: i64,
    days_ago: i64,
    key: Option<SigningKey>,
) -> Generated {
    let tenants = tenants(connection).await;
    let (trail, head, hash, now_us): (Uuid, i64, Vec<u8>, i64) = sqlx::query_as(
        "select trail, seq, hash, (extract(epoch from now()) * 1000000)::bigint from control.audit_head",
    )
    .fetch_one(&mut *connection)
    .await
    .unwrap();
    let begin_us = now_us - days_ago * 86_400_000_000 - count * STEP_US;
    let made = Generated { from: head + 1, to: head + count, begin_us };
    let mut chain = Chain { trail, hash: hash.try_into().unwrap(), key };
    let mut seq = made.from;
    while seq <= made.to {
        let end = (seq + CHUNK - 1).min(made.to);
        write(connection, made, seq..=end, &mut chain, &tenants).await;
        seq = end + 1;
    }
    sqlx::raw_sql("analyze control.audit_event, control.audit_detail").execute(connection).await.unwrap();
    made
}

/// One chunk, with the head moved to its end.
async fn write(
    connection: &mut PgConnection,
    made: Generated,
    seqs: std::ops::RangeInclusive<i64>,
    chain: &mut Chain,
    tenants: &[Uuid],
) {
    let end = *seqs.end();
    let (mut events, mut details, mut checkpoints) = (String::new(), String::new(), String::new());
    for seq in seqs {
        let event = event(seq - made.from, made.begin_us, tenants);
        let hash = chain::link(seq, &chain.hash, event.payload.as_bytes());
        let [prev_hex, payload, hash_hex] =
            [&chain.hash[..], event.payload.as_bytes(), &hash[..]].map(|bytes| HEXLOWER.encode(bytes));
        let _ = writeln!(events, "{seq}\t\\\\x{prev_hex}\t\\\\x{payload}\t\\\\x{hash_hex}");
        for (field, value, salt) in &event.values {
            let _ = writeln!(details, "{seq}\t{field}\t{value}\t\\\\x{}", HEXLOWER.encode(salt));
        }
        chain.hash = hash;
        if seq % 1_000 == 0
            && let Some((key, signature)) = chain.signed(seq)
        {
            let signature = HEXLOWER.encode(&signature);
            let _ = writeln!(checkpoints, "{seq}\t\\\\x{hash_hex}\t{key}\t\\\\x{signature}");
        }
    }
    let (key, signature) = chain.signed(end).unzip();
    sqlx::query("update control.audit_head set seq = $1, hash = $2, key = $3, signature = $4")
        .bind(end)
        .bind(chain.hash.as_slice())
        .bind(key)
        .bind(signature)
        .execute(&mut *connection)
        .await
        .unwrap();
    sqlx::query("select control.ensure_audit_partition($1)")
        .bind(end)
        .execute(&mut *connection)
        .await
        .unwrap();
    for (table, text) in [
        ("copy control.audit_event (seq, prev_hash, payload, hash) from stdin", events),
        ("copy control.audit_detail (seq, field, value, salt) from stdin", details),
        ("copy control.audit_checkpoint (seq, hash, key, signature) from stdin", checkpoints),
    ] {
        let mut copy = connection.copy_in_raw(table).await.unwrap();
        copy.send(text.into_bytes()).await.unwrap();
        copy.finish().await.unwrap();
    }
}

impl Chain {
    /// The id of the key, and its signature over the end at `seq`.
    fn signed(&self, seq: i64) -> Option<(String, Vec<u8>)> {
        let key = self.key.as_ref()?;
        let signature = key.sign(&chain::checkpoint(self.trail, seq, &self.hash)).to_bytes().to_vec();
        Some((PublicKey::new(key.verifying_key()).id(), signature))
    }
}

/// The event at `index`, counted from 0. Intent and outcome alternate.
fn event(index: i64, begin_us: i64, tenants: &[Uuid]) -> Event {
    let dice = mixed(index / 2);
    let tenant = dice as usize % tenants.len();
    let kind = KINDS[(dice >> 16) as usize % KINDS.len()];
    let actor = (dice >> 24) % 20;
    let (uid, name) = match kind {
        "verify" => (998, "tenantryd".to_owned()),
        _ => (1_000 + actor, format!("ops{actor} (uid {})", 1_000 + actor)),
    };
    let is_intent = index % 2 == 0;
    let has_failed = (dice >> 32).is_multiple_of(50);
    let detail = match (dice >> 40) % 1_000 {
        _ if is_intent => None,
        0 => Some(format!("no space left: {SEARCHED_TEXT} of generated-{tenant}")),
        _ if has_failed => Some(format!("relation \"t{actor}\" already exists (42P07)")),
        _ => None,
    };
    let (action, outcome) = match (is_intent, index) {
        (_, 100 | 200 | 300) => (RARE_ACTION.to_owned(), "failed"),
        (true, _) => (format!("{kind}.intent"), ""),
        (false, _) if (dice >> 50).is_multiple_of(400) => (kind.to_owned(), "denied"),
        (false, _) => (kind.to_owned(), if has_failed { "failed" } else { "ok" }),
    };
    let (uid, name) = match index {
        10 | 20 | 30 | 40 | 50 => (u64::from(RARE_UID), format!("{RARE_ACTOR} (uid {RARE_UID})")),
        _ => (uid, name),
    };
    let mut values = vec![("actor", name), ("slug", format!("generated-{tenant}"))];
    values.extend(detail.map(|detail| ("detail", detail)));
    sealed(index, begin_us + index * STEP_US, (&action, outcome), (uid, tenants[tenant], dice), values)
}

fn sealed(
    index: i64,
    at_us: i64,
    (action, outcome): (&str, &str),
    (uid, tenant, dice): (u64, Uuid, u64),
    values: Vec<(&'static str, String)>,
) -> Event {
    let operation = Uuid::from_u64_pair(dice, index.unsigned_abs() / 2);
    let values: Vec<(&'static str, String, [u8; 16])> = values
        .into_iter()
        .zip(1_u64..)
        .map(|((field, value), n)| (field, value, *Uuid::from_u64_pair(dice ^ n, mixed(index)).as_bytes()))
        .collect();
    let mut commitments: Vec<String> = values
        .iter()
        .map(|(field, value, salt)| {
            format!("\"{field}\":\"{}\"", HEXLOWER.encode(&chain::commitment(salt, value)))
        })
        .collect();
    commitments.sort();
    let outcome = match outcome {
        "" => String::new(),
        outcome => format!("\"outcome\":\"{outcome}\",\"duration_us\":{},", dice % 900_000),
    };
    let payload = format!(
        "{{\"at_us\":{at_us},\"action\":\"{action}\",\"actor_uid\":{uid},\"tenant_id\":\"{tenant}\",\
         \"operation_id\":\"{operation}\",{outcome}\"commitments\":{{{}}}}}",
        commitments.join(",")
    );
    Event { payload, values }
}

/// Pseudo-random bits (splitmix64).
fn mixed(number: i64) -> u64 {
    let mut z = number.unsigned_abs().wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Tenants of the registry that never had anything on a target. They count as removed, so that nothing looks after them.
async fn tenants(connection: &mut PgConnection) -> Vec<Uuid> {
    let known: Vec<Uuid> = named(connection).await;
    if !known.is_empty() {
        return known;
    }
    sqlx::query(
        "insert into control.tenant (id, slug, display_name, blueprint, major, minor, target, placement, state, build_id, tenancy)
         select gen_random_uuid(), 'generated-' || n, 'Generated ' || n, v.blueprint, v.major, v.minor, t.name,
                't_generated' || n, 'rolled_back', gen_random_uuid(), 'schema'
         from generate_series(0, $1 - 1) n,
              (select * from control.blueprint_version limit 1) v, (select * from control.target limit 1) t",
    )
    .bind(i32::try_from(TENANTS).unwrap())
    .execute(&mut *connection)
    .await
    .unwrap();
    named(connection).await
}

async fn named(connection: &mut PgConnection) -> Vec<Uuid> {
    sqlx::query_scalar(
        "select id from control.tenant where slug like 'generated-%' order by substr(slug, 11)::bigint",
    )
    .fetch_all(connection)
    .await
    .unwrap()
}
