//! An export that a person with the database could make from any content of it, verified without a daemon.

use ed25519_dalek::Signer as _;
use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use sha2::{Digest as _, Sha256};
use tenantry_protocol::audit::{AuditAnchor, BreakKind};
use tenantry_protocol::chain::export::{End, EventLine, ExportLine, Header, Point, Signed, Value};
use tenantry_protocol::chain::verify::ExportVerifier;
use tenantry_protocol::chain::{Link, PublicKey, export_statement};
use uuid::Uuid;

use crate::Env;

/// What the verification of such an export finds, with anchors that were kept elsewhere.
pub async fn verdict(env: &Env, anchors: &[AuditAnchor]) -> Option<(i64, BreakKind)> {
    let pem = std::fs::read_to_string(env.dir.join("state/audit/key")).unwrap();
    let key = ed25519_dalek::SigningKey::from_pkcs8_pem(pem.trim()).unwrap();
    let public = PublicKey::new(key.verifying_key());
    let kept = anchors
        .iter()
        .map(|anchor| {
            let hash = data_encoding::HEXLOWER.decode(anchor.hash.as_bytes()).unwrap();
            (anchor.seq, hash.try_into().unwrap())
        })
        .collect();
    let mut verifier = ExportVerifier::new(public, kept);
    let (trail, lines) = lines(env).await;
    let mut digest = Sha256::new();
    let events = lines.iter().filter(|line| matches!(line, ExportLine::Event(_))).count();
    for line in &lines {
        let text = serde_json::to_string(line).unwrap();
        digest.update(&text);
        digest.update("\n");
        verifier.line(&text).unwrap();
    }
    let sha256: Link = digest.finalize().into();
    let end = End {
        events: events as u64,
        sha256: hex(&sha256),
        key: public.id(),
        signature: hex(&key.sign(&export_statement(trail, &sha256)).to_bytes()),
    };
    verifier.line(&serde_json::to_string(&ExportLine::End(end)).unwrap()).unwrap();
    verifier.finish().unwrap().broken.map(|found| (found.seq, found.kind))
}

async fn lines(env: &Env) -> (Uuid, Vec<ExportLine>) {
    let mut control = env.control().await;
    let (trail, seq, hash, key, signature): (Uuid, i64, Vec<u8>, Option<String>, Option<Vec<u8>>) =
        sqlx::query_as("select trail, seq, hash, key, signature from control.audit_head")
            .fetch_one(&mut control)
            .await
            .unwrap();
    let signed = |seq, hash: &[u8], key: &str, signature: &[u8]| Signed {
        seq,
        hash: hex(hash),
        key: key.to_owned(),
        signature: hex(signature),
    };
    let mut lines = vec![ExportLine::Header(Box::new(Header {
        version: 1,
        trail,
        from: Point { seq: 0, hash: "00".repeat(32) },
        head: signed(seq, &hash, &key.unwrap_or_default(), &signature.unwrap_or_default()),
        filter: None,
        made_at: "2026-01-01T00:00:00Z".to_owned(),
        made_by: "somebody".to_owned(),
    }))];
    type Row = (i64, Vec<u8>, Vec<u8>, Vec<u8>);
    let events: Vec<Row> = sqlx::query_as(
        "select seq, prev_hash, payload, hash from control.audit_event where seq <= $1 order by seq",
    )
    .bind(seq)
    .fetch_all(&mut control)
    .await
    .unwrap();
    for (seq, prev_hash, payload, hash) in events {
        let values: Vec<(String, String, Vec<u8>)> =
            sqlx::query_as("select field, value, salt from control.audit_detail where seq = $1")
                .bind(seq)
                .fetch_all(&mut control)
                .await
                .unwrap();
        let of = |(field, value, salt): (String, String, Vec<u8>)| (field, Value { value, salt: hex(&salt) });
        lines.push(ExportLine::Event(EventLine {
            seq,
            prev_hash: hex(&prev_hash),
            hash: hex(&hash),
            payload: String::from_utf8(payload).unwrap(),
            values: values.into_iter().map(of).collect(),
        }));
        let checkpoint: Option<(Vec<u8>, String, Vec<u8>)> =
            sqlx::query_as("select hash, key, signature from control.audit_checkpoint where seq = $1")
                .bind(seq)
                .fetch_optional(&mut control)
                .await
                .unwrap();
        lines.extend(
            checkpoint
                .map(|(hash, key, signature)| ExportLine::Checkpoint(signed(seq, &hash, &key, &signature))),
        );
    }
    (trail, lines)
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}
