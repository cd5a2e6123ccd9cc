//! Masks what differs from run to run: identifiers, times, measurements, names of this test's databases.
//!
//! It must not hide the contract: keys, types, codes and everything that a blueprint or a request determines stay.

use serde_json::{Map, Value};
use tenantry_harness::Env;

pub(super) struct Mask {
    /// Texts of this run and their placeholders, the longest first.
    texts: Vec<(String, &'static str)>,
    /// The progress of an operation that was just started is a race: its state, steps and durations vary.
    racing: bool,
}

/// Numbers under these keys are measured or counted by the machine.
const MEASURED: [&str; 12] = [
    "to_seq",
    "since_seq",
    "pid",
    "epoch",
    "verified_to",
    "anchored_to",
    "latency_ms",
    "duration_ms",
    "cursor",
    "audit_seq",
    "size_bytes",
    "actor_uid",
];
/// Texts under these keys are made anew each time, or describe the machine.
const MADE: [&str; 10] = [
    "config",
    "password",
    "version",
    "server_version",
    "actor",
    "evidence",
    "message",
    "text",
    "public_key",
    "placed_by",
];

impl Mask {
    pub(super) fn of(env: &Env, method: &str) -> Self {
        let mut texts = vec![
            (env.cluster.socket_dir().display().to_string(), "<socket directory>"),
            (env.target_db.clone(), "<target database>"),
            (env.control_db.clone(), "<control database>"),
            (env.provisioner.clone(), "<provisioner>"),
        ];
        texts.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        Self { texts, racing: ["provision", "rollback"].contains(&method) }
    }

    pub(super) fn apply(&self, value: Value) -> Value {
        match value {
            Value::Object(map) => Value::Object(self.object(map)),
            Value::Array(values) => Value::Array(values.into_iter().map(|value| self.apply(value)).collect()),
            Value::String(text) => Value::String(self.text(text)),
            other => other,
        }
    }

    fn object(&self, map: Map<String, Value>) -> Map<String, Value> {
        let masked = map.into_iter().map(|(key, value)| {
            let value = match (key.as_str(), value) {
                (key, Value::Number(_)) if MEASURED.contains(&key) => "<number>".into(),
                // A blueprint's version is part of the contract; a program's version is masked.
                ("version", Value::String(text)) if text.matches('.').count() == 1 => text.into(),
                (key, Value::String(_)) if MADE.contains(&key) => format!("<{key}>").into(),
                ("state", _) if self.racing => "<state>".into(),
                ("status", _) if self.racing => "<status>".into(),
                (_, value) => self.apply(value),
            };
            (key, value)
        });
        masked.filter(|(key, _)| !(self.racing && (key == "duration_ms" || key == "count"))).collect()
    }

    fn text(&self, mut text: String) -> String {
        for (own, stands) in &self.texts {
            text = text.replace(own, stands);
        }
        if uuid::Uuid::parse_str(&text).is_ok() {
            return "<id>".into();
        }
        let hex = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if hex(&text) {
            return "<sha-256>".into();
        }
        if text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return "<key>".into();
        }
        let time = |text: &str| text.len() >= 20 && text.as_bytes()[4] == b'-' && text.as_bytes()[10] == b'T';
        if time(&text) {
            return "<time>".into();
        }
        match text.strip_prefix("t_") {
            Some(rest) if rest.len() >= 13 && rest.is_ascii() => format!("<placement>{}", &rest[13..]),
            _ => text,
        }
    }
}
