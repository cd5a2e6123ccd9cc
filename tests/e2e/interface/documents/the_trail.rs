//! The commands and methods about the audit trail, checked against their schemas.

use serde_json::json;
use tenantry_harness::Env;

use super::{Checks, words};

/// The commands about a trail that contains both tenants, one of them removed.
pub(super) async fn commands(checks: &mut Checks, env: &Env) {
    let trail = env.dir.join("trail.jsonl");
    let trail = trail.to_str().unwrap();
    for (name, line, status) in [
        ("audit show", "audit show 1", 0),
        ("error", "audit show 1000000", 7),
        ("audit verify", "audit verify", 0),
        ("audit export", &format!("audit export --output {trail}"), 0),
        ("error", &format!("audit export --output {trail}"), 2),
        ("audit key", "audit key", 0),
        ("audit rotate-key", "audit rotate-key", 0),
        ("audit hold", "audit hold matter-7 --tenant globex --reason lawsuit", 0),
        ("audit segments", "audit segments", 0),
        ("audit release", "audit release matter-7", 0),
        ("audit redact", "audit redact --tenant acme --confirm acme", 0),
        ("audit prune", "audit prune --keep-days 30 --dry-run", 0),
    ] {
        checks.command(env, name, &words(line), status).await;
    }
}

/// The methods about a trail that contains a removed tenant `acme`.
pub(super) async fn methods(checks: &mut Checks, env: &Env) {
    checks
        .method(env, "audit", json!({ "slug": "acme", "outcome": "ok", "since": "2020-01-01T00:00:00Z" }))
        .await;
    let id = checks.method(env, "audit_verify", json!({})).await["id"].clone();
    checks.method(env, "audit_verification", json!({ "id": id, "wait_ms": 30_000 })).await;
    let id = checks.method(env, "audit_export", json!({ "format": "ocsf" })).await["id"].clone();
    checks.method(env, "audit_export_read", json!({ "id": id })).await;
    for (method, request) in [
        ("audit_key", json!({})),
        ("audit_rotate_key", json!({})),
        ("audit_hold", json!({ "name": "matter-7", "reason": "a lawsuit" })),
        ("audit_segments", json!({})),
        ("audit_release", json!({ "name": "matter-7" })),
        ("audit_redact", json!({ "slug": "acme", "confirm": "acme" })),
        ("audit_prune", json!({ "before": "2020-01-01T00:00:00Z", "dry_run": true })),
    ] {
        checks.method(env, method, request).await;
    }
    // A real answer requires a trail that lost events; it is an event like those of `audit`.
    checks.hold("audit_acknowledge", "request", &json!({ "seq": 41, "reason": "restored on purpose" }));
    let event = checks.method(env, "audit", json!({ "limit": 1 })).await["events"][0].clone();
    checks.hold("audit_acknowledge", "response", &event);
}
