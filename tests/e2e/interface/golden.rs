//! The wire protocol, frozen: each method's request as the exact bytes that any language may send, and its answer without
//! what changes from run to run. A difference here is a change of the contract.
//!
//! `TENANTRY_BLESS=1` writes the answers again; no program ever writes the requests.

mod mask;

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;
use tenantry_harness::binaries::project_dir;
use tenantry_harness::rpc::{self, RawSocket};
use tenantry_harness::{Cluster, Env, Version, eventually};
use tenantry_protocol::{TenantryRequest, service};
use tokio::net::UnixListener;

use mask::Mask;

fn golden_dir() -> PathBuf {
    project_dir().join("tests/golden")
}

fn request_frame(method: &str) -> String {
    let path = golden_dir().join(format!("{method}.request.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.trim_end().to_owned()
}

/// Ordered so that each finds what it needs: `provision` before `tenant`, `rollback` last.
const METHODS: &[&str] = &[
    "hello",
    "health",
    "targets",
    "blueprints",
    "blueprint_check",
    "blueprint_try",
    "blueprint_draft",
    "blueprint_add",
    "plan",
    "provision",
    "operation",
    "operations",
    "tenants",
    "tenant",
    "issue_credentials",
    "watch",
    "audit",
    "audit_verify",
    "audit_verification",
    "audit_export",
    "audit_export_read",
    "audit_acknowledge",
    "audit_key",
    "audit_rotate_key",
    "audit_redact",
    "audit_segments",
    "audit_hold",
    "audit_release",
    "audit_prune",
    "rollback_preview",
    "drift",
    "rotate_credentials",
    "finish_rotation",
    "suspend",
    "resume",
    "verify_isolation",
    "update_tenant",
    "upgrade_tenant",
    "upgrade_plan",
    "upgrade_rehearse",
    "upgrade",
    "upgrades",
    "upgrade_status",
    "upgrade_units",
    "upgrade_pause",
    "upgrade_resume",
    "upgrade_cancel",
    "upgrade_retry",
    "downgrade",
    "cancel",
    "retry",
    "retire",
    "rollback",
];

#[test]
fn every_method_has_a_golden_request() {
    let names: BTreeSet<&str> = service::METHODS.iter().map(|method| method.name).collect();
    assert_eq!(METHODS.iter().copied().collect::<BTreeSet<_>>(), names);
}

#[tokio::test]
async fn every_golden_request_is_answered_as_it_always_was() {
    // The findings of a target's check depend on every database of its cluster.
    let env = Env::on(Cluster::private(Version::Packaged)).await;
    // A target that is still being prepared is not reachable yet, and the trail is verified during the first requests.
    eventually("the target answers, and the trail is verified", async || {
        let health = &env.tenantry(&["status", "--json"]).await.json()["health"];
        let is_verified = health["control"]["trail"]["verified_to"].is_number();
        (is_verified && health["targets"][0]["reachable"] == true).then_some(())
    })
    .await;
    let mut raw = RawSocket::connect(env.socket()).await;
    let mut different = Vec::new();
    let mut operation = String::new();
    for &method in METHODS {
        // The operation's id is the only part that no file can know.
        let request = request_frame(method).replace("00000000-0000-0000-0000-000000000000", &operation);
        raw.send_frame(request.as_bytes()).await;
        let answer = raw.receive().await.unwrap_or_else(|| panic!("{method} is answered"));
        let started = answer["message"]["Ok"].as_object().and_then(|ok| ok.values().next());
        // The operation that this call started must have ended before the next call.
        if let Some(id) = started.and_then(|answer| answer["Ok"]["operation"]["id"].as_str()) {
            env.wait_for_operation(id, "succeeded").await;
            if method == "provision" {
                id.clone_into(&mut operation);
            }
        }
        if method == "upgrade" {
            // It has nothing to do, and has ended before the next call looks at it.
            env.tenantry(&["upgrade", "watch"]).await.assert_status(0);
        }
        let masked = Mask::of(&env, method).apply(answer);
        different.extend(compare(method, &masked));
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// The difference from the file, or `None`. With `TENANTRY_BLESS`, it writes the file.
fn compare(method: &str, answer: &Value) -> Option<String> {
    let path = golden_dir().join(format!("{method}.response.json"));
    let text = format!("{answer:#}\n");
    if std::env::var_os("TENANTRY_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
        return None;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (old, new) = (lines(&expected), lines(&text));
    let at = old.iter().zip(&new).position(|(old, new)| old != new).unwrap_or(old.len().min(new.len()));
    let show =
        |lines: &[String]| lines[at.saturating_sub(3).min(lines.len())..(at + 3).min(lines.len())].join("\n");
    (old != new).then(|| format!("{method}, line {}: was\n{}\nis\n{}", at + 1, show(&old), show(&new)))
}

#[test]
fn the_protocol_writes_each_golden_request_byte_for_byte() {
    for &method in METHODS {
        let frame = request_frame(method);
        let value: Value = serde_json::from_str(&frame).unwrap();
        let message = value["Request"]["message"].to_string();
        let at = frame.find("\"message\":").unwrap() + "\"message\":".len();
        let written = frame[at..].strip_suffix("}}").unwrap();
        let parsed: TenantryRequest =
            serde_json::from_str(&message).unwrap_or_else(|error| panic!("{method}: {error}"));
        assert_eq!(serde_json::to_string(&parsed).unwrap(), written, "{method}");
    }
}

#[tokio::test]
async fn the_client_sends_the_golden_envelope() {
    let socket = Cluster::shared().new_dir().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    let client = rpc::connect(&socket).await;
    let call = tokio::spawn(async move { client.hello(rpc::context(), rpc::hello(1)).await });
    let (stream, _) = listener.accept().await.unwrap();
    let mut sent = RawSocket::from(stream).receive().await.unwrap();
    call.abort();
    let golden: Value = serde_json::from_str(&request_frame("hello")).unwrap();
    let context = &mut sent["Request"]["context"];
    assert!(context["deadline"]["secs"].as_u64().is_some_and(|secs| secs <= 60), "{context}");
    assert!(
        context["trace_context"]["trace_id"].as_array().is_some_and(|bytes| bytes.len() == 16),
        "{context}"
    );
    *context = golden["Request"]["context"].clone();
    sent["Request"]["message"]["Hello"]["request"]["client"] =
        golden["Request"]["message"]["Hello"]["request"]["client"].clone();
    assert_eq!(sent, golden);
}
