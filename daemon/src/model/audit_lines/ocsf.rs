//! Events in the Open Cybersecurity Schema Framework: class API Activity (6003), in the version that each event names.
//!
//! Values that the schema has no field for, and values that are only claimed, are under `unmapped`.

use serde_json::{Map, Value, json};
use tenantry_protocol::audit::AuditEvent;
use time::format_description::well_known::Rfc3339;

const SCHEMA_VERSION: &str = "1.8.0";
const CATEGORY: i64 = 6;
const CLASS: i64 = 6_003;

/// The schema's activity ids and names.
const CREATE: (i64, &str) = (1, "Create");
const READ: (i64, &str) = (2, "Read");
const UPDATE: (i64, &str) = (3, "Update");
const DELETE: (i64, &str) = (4, "Delete");
const OTHER: i64 = 99;

pub(super) fn event(event: &AuditEvent) -> Value {
    let (activity_id, activity) = activity(&event.action);
    let (status_id, status) = status(event.outcome.as_deref());
    let mut line = object(json!({
        "category_uid": CATEGORY,
        "category_name": "Application Activity",
        "class_uid": CLASS,
        "class_name": "API Activity",
        "activity_id": activity_id,
        "activity_name": activity,
        "type_uid": CLASS * 100 + activity_id,
        "type_name": format!("API Activity: {activity}"),
        "time": (event.at.unix_timestamp_nanos() / 1_000_000) as i64,
        "severity_id": severity(event),
        "status_id": status_id,
        "status": status,
        "metadata": metadata(event),
        "actor": { "user": user(event) },
        "api": api(event),
        // The caller is a process on the daemon's own machine; the origin that it claims is not proven.
        "src_endpoint": { "name": "unix-socket" },
        "unmapped": unmapped(event),
    }));
    put(&mut line, "duration", event.duration_ms.map(|ms| ms as i64));
    put(&mut line, "status_detail", event.detail.clone());
    if event.tenant_id.is_some() || event.slug.is_some() {
        let mut resource = object(json!({ "type": "tenant" }));
        put(&mut resource, "uid", event.tenant_id.clone());
        put(&mut resource, "name", event.slug.clone());
        line.insert("resources".to_owned(), json!([resource]));
    }
    Value::Object(line)
}

fn metadata(event: &AuditEvent) -> Map<String, Value> {
    let mut metadata = object(json!({
        "version": SCHEMA_VERSION,
        "product": { "name": "Tenantry", "vendor_name": "Tenantry", "version": env!("CARGO_PKG_VERSION") },
        "log_name": "audit",
        "event_code": event.action,
        "sequence": event.seq,
        "original_event_uid": event.hash,
        "original_time": event.at.format(&Rfc3339).unwrap_or_default(),
    }));
    put(&mut metadata, "correlation_uid", event.operation_id.clone());
    metadata
}

/// If the name is redacted, the account's uid remains.
fn user(event: &AuditEvent) -> Map<String, Value> {
    let is_daemon = event.actor == "tenantryd";
    let kind = match (is_daemon, event.role.as_deref()) {
        (true, _) => 4,
        (false, Some("admin")) => 2,
        (false, _) => 1,
    };
    let is_redacted = event.redacted.iter().any(|field| field == "actor");
    let mut user = object(json!({ "type_id": kind }));
    put(&mut user, "name", (!is_redacted).then(|| event.actor.clone()));
    put(&mut user, "uid", event.actor_uid.map(|uid| uid.to_string()));
    user
}

fn api(event: &AuditEvent) -> Map<String, Value> {
    let mut api = object(json!({
        "operation": event.action,
        "service": { "name": "tenantryd", "version": env!("CARGO_PKG_VERSION") },
    }));
    put(&mut api, "request", event.operation_id.as_ref().map(|id| json!({ "uid": id })));
    if let Some(error @ ("failed" | "denied")) = event.outcome.as_deref() {
        let mut response = object(json!({ "error": error }));
        put(&mut response, "error_message", event.detail.clone());
        api.insert("response".to_owned(), Value::Object(response));
    }
    api
}

fn unmapped(event: &AuditEvent) -> Map<String, Value> {
    let mut unmapped = object(json!({
        "prev_hash": event.prev_hash,
        "hash": event.hash,
        "intact": event.intact,
    }));
    put(&mut unmapped, "role", event.role.clone());
    put(&mut unmapped, "claimed", event.claimed.clone());
    put(&mut unmapped, "request_sha256", event.request.clone());
    put(&mut unmapped, "facts", (!event.facts.is_empty()).then_some(&event.facts));
    put(&mut unmapped, "redacted", (!event.redacted.is_empty()).then_some(&event.redacted));
    unmapped
}

fn activity(action: &str) -> (i64, &str) {
    let what = action.strip_suffix(".intent").or_else(|| action.strip_suffix(".undo")).unwrap_or(action);
    match what {
        "provision" | "blueprint.add" | "credentials.issue" | "audit.begin" | "audit.hold" => CREATE,
        "verify" | "archive" | "audit.verify" | "audit.export" | "isolation.broken" | "drift.found" => READ,
        "rollback" | "purge" | "retire" | "audit.redact" | "audit.prune" | "audit.release" => DELETE,
        "suspend" | "resume" | "update" | "credentials.rotate" | "credentials.finish"
        | "audit.key_change" => UPDATE,
        _ => (OTHER, action),
    }
}

fn status(outcome: Option<&str>) -> (i64, &str) {
    match outcome {
        Some("ok") => (1, "Success"),
        Some("failed") => (2, "Failure"),
        Some(other) => (if other == "denied" { 2 } else { OTHER }, other),
        None => (OTHER, "intent"),
    }
}

/// Informational; medium for an event that failed or was denied; high for one that breaks a promise.
fn severity(event: &AuditEvent) -> i64 {
    match (event.action.as_str(), event.outcome.as_deref()) {
        ("isolation.broken" | "audit.broken", _) => 4,
        (_, Some("failed" | "denied")) => 3,
        _ => 1,
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Absent values are left out.
fn put(map: &mut Map<String, Value>, key: &str, value: Option<impl serde::Serialize>) {
    if let Some(value) = value.and_then(|value| serde_json::to_value(value).ok()) {
        map.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied() -> AuditEvent {
        AuditEvent {
            seq: 7,
            at: time::OffsetDateTime::UNIX_EPOCH + time::Duration::milliseconds(1_500),
            actor: "ops1 (uid 1003)".into(),
            actor_uid: Some(1003),
            role: Some("viewer".into()),
            claimed: Some("SSH_CONNECTION=10.1.2.3 1 2 3".into()),
            action: "provision".into(),
            slug: Some("acme".into()),
            tenant_id: Some("t".into()),
            operation_id: Some("o".into()),
            outcome: Some("denied".into()),
            duration_ms: Some(1.5),
            detail: Some("why".into()),
            request: Some("r".into()),
            facts: [("grade".to_owned(), "A".to_owned())].into(),
            redacted: Vec::new(),
            intact: true,
            prev_hash: "0".repeat(64),
            hash: "1".repeat(64),
        }
    }

    /// The fields of the base event, of the class and of its objects that version 1.8.0 of the schema requires.
    const REQUIRED: [&str; 14] = [
        "/activity_id",
        "/category_uid",
        "/class_uid",
        "/metadata/product/name",
        "/metadata/version",
        "/severity_id",
        "/time",
        "/type_uid",
        "/actor/user/uid",
        "/api/operation",
        "/api/service/name",
        "/src_endpoint/name",
        "/status_id",
        "/unmapped/hash",
    ];

    #[test]
    fn every_event_has_what_the_class_requires() {
        let bare = AuditEvent {
            role: None,
            claimed: None,
            slug: None,
            tenant_id: None,
            operation_id: None,
            outcome: None,
            duration_ms: None,
            detail: None,
            request: None,
            redacted: vec!["actor".into()],
            action: "something.new".into(),
            ..denied()
        };
        for source in [denied(), bare] {
            let line = event(&source);
            for pointer in REQUIRED {
                assert!(line.pointer(pointer).is_some_and(|value| !value.is_null()), "{pointer}: {line}");
            }
            let number = |key: &str| line[key].as_i64().unwrap_or_default();
            assert_eq!(number("type_uid"), number("class_uid") * 100 + number("activity_id"));
            assert_eq!(number("class_uid") / 1_000, number("category_uid"));
        }
    }

    #[test]
    fn an_event_says_who_did_what_to_whom_with_what_outcome() {
        let line = event(&denied());
        assert_eq!((line["time"].as_i64(), line["activity_name"].as_str()), (Some(1_500), Some("Create")));
        assert_eq!((line["status_id"].as_i64(), line["severity_id"].as_i64()), (Some(2), Some(3)));
        assert_eq!(line["resources"][0]["name"], "acme");
        assert_eq!(line["api"]["response"]["error"], "denied");
        assert_eq!(line["unmapped"]["claimed"], "SSH_CONNECTION=10.1.2.3 1 2 3");
        let redacted = AuditEvent { redacted: vec!["actor".into()], ..denied() };
        let user = &event(&redacted)["actor"]["user"];
        assert_eq!((user.get("name"), user["uid"].as_str()), (None, Some("1003")));
    }
}
