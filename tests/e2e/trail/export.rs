//! Exports: whole or filtered, in parts, each on record; the content of a file can be checked against the trail's key.

use sha2::{Digest as _, Sha256};
use tenantry_harness::Env;
use tenantry_harness::rpc::context;
use tenantry_harness::trail::generate;
use tenantry_protocol::audit::{
    AuditEvent, AuditExport, AuditExportPart, AuditExportReadRequest, AuditExportRequest, AuditFilter,
    AuditKeyRequest, AuditRequest, ExportFormat,
};
use tenantry_protocol::chain::export::{End, ExportLine, Header, Signed};
use tenantry_protocol::chain::{self, Link, PublicKey};
use tenantry_protocol::error::{ApiError, ErrorCode};
use uuid::Uuid;

async fn open(env: &Env, filter: AuditFilter, format: ExportFormat) -> Result<AuditExport, ApiError> {
    env.rpc().await.audit_export(context(), AuditExportRequest { filter, format }).await.unwrap()
}

async fn read(env: &Env, id: &str) -> Result<AuditExportPart, ApiError> {
    env.rpc().await.audit_export_read(context(), AuditExportReadRequest { id: id.into() }).await.unwrap()
}

/// The whole text, and the last part with its totals.
pub(crate) async fn export(
    env: &Env,
    filter: AuditFilter,
    format: ExportFormat,
) -> (String, AuditExportPart) {
    let opened = open(env, filter, format).await.unwrap();
    let mut text = String::new();
    loop {
        let part = read(env, &opened.id).await.unwrap();
        assert!(part.text.len() < 1_200_000, "a part has {} bytes", part.text.len());
        assert_eq!(part.to_seq, opened.to_seq);
        text += &part.text;
        if part.is_last {
            return (text, part);
        }
    }
}

/// What a verifiable export holds.
pub(crate) struct Verifiable {
    pub(crate) header: Header,
    pub(crate) events: Vec<chain::export::EventLine>,
    pub(crate) checkpoints: Vec<Signed>,
}

pub(crate) async fn public_key(env: &Env) -> PublicKey {
    let key = env.rpc().await.audit_key(context(), AuditKeyRequest {}).await.unwrap().unwrap();
    PublicKey::from_pem(&key.public_key).unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap()
}

fn link(hex: &str) -> Link {
    bytes(hex).try_into().unwrap()
}

fn assert_signed(signed: &Signed, trail: Uuid, key: &PublicKey) {
    let statement = chain::checkpoint(trail, signed.seq, &link(&signed.hash));
    assert!(key.has_signed(&statement, &bytes(&signed.signature)), "{signed:?}");
}

/// Reads the export as an auditor would: each link, each value, each signature.
pub(crate) fn verified(text: &str, key: &PublicKey) -> Verifiable {
    let last = text.trim_end().rfind('\n').unwrap() + 1;
    let mut lines = text[..last].lines().map(|line| serde_json::from_str::<ExportLine>(line).unwrap());
    let Some(ExportLine::Header(header)) = lines.next() else { panic!("no header: {}", &text[..200]) };
    assert_signed(&header.head, header.trail, key);
    let (mut events, mut checkpoints) = (Vec::<chain::export::EventLine>::new(), Vec::new());
    for line in lines {
        match line {
            ExportLine::Event(event) => {
                let linked = chain::link(event.seq, &link(&event.prev_hash), event.payload.as_bytes());
                assert_eq!(linked, link(&event.hash), "event {}", event.seq);
                let payload: serde_json::Value = serde_json::from_str(&event.payload).unwrap();
                for (field, value) in &event.values {
                    let commitment = chain::commitment(&bytes(&value.salt), &value.value);
                    let said = payload["commitments"][field].as_str().unwrap();
                    assert_eq!(commitment, link(said), "{field} of event {}", event.seq);
                }
                events.push(event);
            }
            ExportLine::Checkpoint(signed) => {
                assert_signed(&signed, header.trail, key);
                let before = events.last().map_or(header.from.seq, |event| event.seq);
                assert_eq!(signed.seq, before, "a checkpoint follows the event that it is of");
                checkpoints.push(signed);
            }
            other => panic!("in the middle: {other:?}"),
        }
    }
    let Ok(ExportLine::End(end)) = serde_json::from_str(&text[last..]) else { panic!("{}", &text[last..]) };
    assert_end(&end, &text[..last], header.trail, key);
    assert_eq!(end.events, events.len() as u64);
    Verifiable { header: *header, events, checkpoints }
}

fn assert_end(end: &End, before: &str, trail: Uuid, key: &PublicKey) {
    let sha256: Link = Sha256::digest(before).into();
    assert_eq!(link(&end.sha256), sha256);
    assert!(key.has_signed(&chain::export_statement(trail, &sha256), &bytes(&end.signature)));
}

async fn newest(env: &Env, limit: u32) -> Vec<AuditEvent> {
    let request = AuditRequest { limit: Some(limit), ..AuditRequest::default() };
    env.rpc().await.audit(context(), request).await.unwrap().unwrap().events
}

#[tokio::test]
async fn a_whole_export_is_a_chain_that_anybody_can_follow() {
    let mut env = Env::new().await;
    generate::append_signed(&mut env, 4_500, 0).await;
    env.provision("acme").await;
    let (text, last) = export(&env, AuditFilter::default(), ExportFormat::Jsonl).await;
    let whole = verified(&text, &public_key(&env).await);
    assert_eq!((whole.header.from.seq, whole.header.filter), (0, None));
    assert_eq!(whole.header.head.seq, last.to_seq);
    let mut hash = whole.header.from.hash;
    for (event, seq) in whole.events.iter().zip(1..) {
        assert_eq!((event.seq, &event.prev_hash), (seq, &hash));
        hash.clone_from(&event.hash);
    }
    assert_eq!(hash, whole.header.head.hash);
    assert_eq!(whole.events.len() as u64, last.events);
    assert!(whole.checkpoints.iter().map(|signed| signed.seq).any(|seq| seq == 4_000));
    assert!(text.contains(r#""value":"acme""#), "values stand beside the events");
}

#[tokio::test]
async fn a_filtered_export_holds_what_the_filter_finds() {
    let mut env = Env::new().await;
    generate::append_signed(&mut env, 5_000, 0).await;
    let filter = AuditFilter {
        action: Some("credentials.*".into()),
        outcome: Some("ok".into()),
        ..AuditFilter::default()
    };
    let (text, _) = export(&env, filter.clone(), ExportFormat::Jsonl).await;
    let found = verified(&text, &public_key(&env).await);
    assert_eq!(found.header.filter, Some(filter.clone()));
    let expected: i64 = sqlx::query_scalar(
        "select count(*) from control.audit_event where action like 'credentials.%' and outcome = 'ok'",
    )
    .fetch_one(&mut env.control().await)
    .await
    .unwrap();
    assert!(expected > 100);
    assert_eq!(i64::try_from(found.events.len()).unwrap(), expected);
    assert!(found.events.is_sorted_by_key(|event| event.seq));
    let nothing = AuditFilter { slug: Some("nobody".into()), ..AuditFilter::default() };
    let (text, last) = export(&env, nothing, ExportFormat::Jsonl).await;
    assert_eq!((verified(&text, &public_key(&env).await).events.len(), last.events), (0, 0));
}

#[tokio::test]
async fn spreadsheets_and_security_tools_get_a_line_an_event() {
    let mut env = Env::new().await;
    generate::append_signed(&mut env, 2_000, 0).await;
    let (csv, last) = export(&env, AuditFilter::default(), ExportFormat::Csv).await;
    assert!(csv.starts_with("seq,at,actor,actor_uid,role,claimed,action,outcome,slug,"));
    assert_eq!(csv.lines().count() as u64, last.events + 1);
    let (ocsf, last) = export(&env, AuditFilter::default(), ExportFormat::Ocsf).await;
    let mut count = 0;
    for line in ocsf.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            (event["class_uid"].as_i64(), event["metadata"]["version"].as_str()),
            (Some(6003), Some("1.8.0"))
        );
        count += 1;
    }
    assert_eq!(count, last.events);
}

#[tokio::test]
async fn an_export_is_on_record_before_it_begins_and_when_it_ends() {
    let env = Env::new().await;
    let filter = AuditFilter { actor: Some("tenantryd".into()), ..AuditFilter::default() };
    let opened = open(&env, filter, ExportFormat::Csv).await.unwrap();
    let intent = newest(&env, 1).await.remove(0);
    assert_eq!((intent.action.as_str(), intent.outcome.as_deref()), ("audit.export.intent", None));
    assert_eq!((intent.seq, intent.detail.as_deref()), (opened.to_seq, Some("actor=tenantryd")));
    assert_eq!(intent.facts["format"], "csv");
    let part = read(&env, &opened.id).await.unwrap();
    assert!(part.is_last);
    let ended = newest(&env, 1).await.remove(0);
    assert_eq!((ended.action.as_str(), ended.outcome.as_deref()), ("audit.export", Some("ok")));
    assert_eq!(ended.facts["events"], part.events.to_string());
    assert_eq!(ended.facts["sha256"], data_encoding::HEXLOWER.encode(&Sha256::digest(&part.text)));
    assert_eq!(ended.request, intent.request);
    let error = read(&env, &opened.id).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound, "{error}");
}

#[tokio::test]
async fn what_happens_meanwhile_is_not_in_it() {
    let mut env = Env::new().await;
    generate::append_signed(&mut env, 3_000, 0).await;
    let opened = open(&env, AuditFilter::default(), ExportFormat::Jsonl).await.unwrap();
    let first = read(&env, &opened.id).await.unwrap();
    assert!(!first.is_last, "3,000 events are more than one part");
    env.provision("acme").await;
    let mut text = first.text;
    loop {
        let part = read(&env, &opened.id).await.unwrap();
        text += &part.text;
        if part.is_last {
            break;
        }
    }
    let whole = verified(&text, &public_key(&env).await);
    assert_eq!(whole.events.last().unwrap().seq, opened.to_seq);
}

#[tokio::test]
async fn exports_are_few_and_their_mistakes_are_named() {
    let env = Env::new().await;
    for _ in 0..4 {
        open(&env, AuditFilter::default(), ExportFormat::Csv).await.unwrap();
    }
    let error = open(&env, AuditFilter::default(), ExportFormat::Csv).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Conflict, "{error}");
    for id in ["", "x", "00000000-0000-4000-8000-000000000000"] {
        assert_eq!(read(&env, id).await.unwrap_err().code, ErrorCode::NotFound);
    }
    let wrong = AuditFilter { outcome: Some("bad".into()), ..AuditFilter::default() };
    let error = open(&env, wrong, ExportFormat::Csv).await.unwrap_err();
    assert_eq!(error.field.as_deref(), Some("outcome"));
    let error = open(&env, AuditFilter::default(), ExportFormat::Other).await.unwrap_err();
    assert_eq!(error.field.as_deref(), Some("format"));
}
