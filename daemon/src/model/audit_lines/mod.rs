//! Events as the lines of an export: verifiable, for spreadsheets, or for security tools.
//!
//! Pure functions from an event to a line. [`tenantry_protocol::chain::export`] defines the verifiable lines; the others
//! are for the people and tools that read them, and prove nothing.

mod csv;
mod ocsf;

use serde::Serialize;
use tenantry_protocol::audit::ExportFormat;
use tenantry_protocol::chain::export::{EventLine, ExportLine, Value};
use tenantry_protocol::text::escaped_json;

use super::audit_reading::{self, StoredEvent};

/// A line that cannot be written, which is a bug: every event has a line.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    #[error("an event cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    #[error("an event cannot be written as CSV")]
    Csv(#[from] ::csv::Error),
    #[error("an event's bytes are no text")]
    NoText,
    #[error("this build does not know the format")]
    UnknownFormat,
}

/// The text before the first event, except the header of a verifiable export.
pub fn heading(format: ExportFormat) -> Result<String, LineError> {
    match format {
        ExportFormat::Csv => csv::heading(),
        _ => Ok(String::new()),
    }
}

/// One event, with the end of its line.
pub fn event(format: ExportFormat, stored: &StoredEvent) -> Result<String, LineError> {
    match format {
        ExportFormat::Jsonl => line(&ExportLine::Event(event_line(stored)?)),
        ExportFormat::Csv => csv::line(&audit_reading::read(stored)),
        ExportFormat::Ocsf => line(&ocsf::event(&audit_reading::read(stored))),
        ExportFormat::Other => Err(LineError::UnknownFormat),
    }
}

/// JSON on a line of its own, harmless when the file is displayed.
pub fn line(value: &impl Serialize) -> Result<String, LineError> {
    let text = serde_json::to_string(value)?;
    Ok(escaped_json(&text).into_owned() + "\n")
}

fn event_line(stored: &StoredEvent) -> Result<EventLine, LineError> {
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let values = stored.values.iter().map(|value| {
        let exported = Value { value: value.value.clone(), salt: hex(&value.salt) };
        (value.field.clone(), exported)
    });
    Ok(EventLine {
        seq: stored.seq,
        prev_hash: hex(&stored.prev_hash),
        hash: hex(&stored.hash),
        payload: String::from_utf8(stored.payload.clone()).map_err(|_| LineError::NoText)?,
        values: values.collect(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tenantry_protocol::chain;

    use super::*;
    use crate::model::audit_reading::StoredValue;

    #[test]
    fn a_verifiable_line_holds_the_very_bytes_and_the_values() {
        let payload = br#"{"at_us":7,"action":"provision","actor_uid":0,"commitments":{}}"#.to_vec();
        let stored = StoredEvent {
            seq: 3,
            prev_hash: vec![1; 32],
            hash: chain::link(3, &[1; 32], &payload).to_vec(),
            payload: payload.clone(),
            values: vec![StoredValue { field: "slug".into(), value: "acme".into(), salt: vec![2; 16] }],
        };
        let text = event(ExportFormat::Jsonl, &stored).unwrap();
        assert_eq!(text.matches('\n').count(), 1);
        let ExportLine::Event(line) = serde_json::from_str(&text).unwrap() else { unreachable!("{text}") };
        assert_eq!(line.payload.as_bytes(), payload);
        assert_eq!(line.values["slug"], Value { value: "acme".into(), salt: "02".repeat(16) });
        assert_eq!((line.seq, line.prev_hash), (3, "01".repeat(32)));
    }
}
