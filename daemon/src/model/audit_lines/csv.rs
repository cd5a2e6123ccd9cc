//! Events for a spreadsheet. A cell that a spreadsheet would take for a formula begins with an apostrophe, as users of
//! spreadsheets write it: a tenant's name or an error's text must not run on an auditor's machine. Line ends and control
//! characters are escaped, so that a value cannot break a line or control the reader's terminal.

use std::borrow::Cow;

use csv::Writer;
use tenantry_protocol::audit::AuditEvent;
use tenantry_protocol::text::escaped;
use time::format_description::well_known::Rfc3339;

use super::LineError;

const COLUMNS: [&str; 19] = [
    "seq",
    "at",
    "actor",
    "actor_uid",
    "role",
    "claimed",
    "action",
    "outcome",
    "slug",
    "tenant_id",
    "operation_id",
    "duration_ms",
    "detail",
    "request",
    "facts",
    "redacted",
    "intact",
    "prev_hash",
    "hash",
];

pub(super) fn heading() -> Result<String, LineError> {
    record(COLUMNS.map(Cow::Borrowed))
}

pub(super) fn line(event: &AuditEvent) -> Result<String, LineError> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let facts: Vec<String> = event.facts.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let cells = [
        event.seq.to_string(),
        event.at.format(&Rfc3339).unwrap_or_default(),
        event.actor.clone(),
        event.actor_uid.map(|uid| uid.to_string()).unwrap_or_default(),
        text(&event.role),
        text(&event.claimed),
        event.action.clone(),
        text(&event.outcome),
        text(&event.slug),
        text(&event.tenant_id),
        text(&event.operation_id),
        event.duration_ms.map(|ms| ms.to_string()).unwrap_or_default(),
        text(&event.detail),
        text(&event.request),
        facts.join("; "),
        event.redacted.join("; "),
        event.intact.to_string(),
        event.prev_hash.clone(),
        event.hash.clone(),
    ];
    record(cells.map(|cell| harmless(cell).into()))
}

/// Makes a cell harmless that a spreadsheet would compute or a terminal obey.
fn harmless(cell: String) -> String {
    let cell = escaped(&cell);
    if cell.starts_with(['=', '+', '-', '@']) { format!("'{cell}") } else { cell.into_owned() }
}

fn record(cells: [Cow<'_, str>; COLUMNS.len()]) -> Result<String, LineError> {
    let mut writer = Writer::from_writer(Vec::new());
    writer.write_record(cells.iter().map(|cell| cell.as_bytes()))?;
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
    String::from_utf8(bytes).map_err(|_| LineError::NoText)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn event(detail: &str) -> AuditEvent {
        AuditEvent {
            seq: 7,
            at: time::OffsetDateTime::UNIX_EPOCH,
            actor: "ops1 (uid 1003)".into(),
            actor_uid: Some(1003),
            role: None,
            claimed: None,
            action: "provision".into(),
            slug: Some("acme".into()),
            tenant_id: None,
            operation_id: None,
            outcome: Some("failed".into()),
            duration_ms: Some(1.5),
            detail: Some(detail.into()),
            request: None,
            facts: [("grade".to_owned(), "A".to_owned())].into(),
            redacted: vec!["claimed".into()],
            intact: true,
            prev_hash: "0".repeat(64),
            hash: "1".repeat(64),
        }
    }

    fn read(text: &str) -> Vec<csv::StringRecord> {
        csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(text.as_bytes())
            .into_records()
            .map(Result::unwrap)
            .collect()
    }

    #[test]
    fn every_event_fills_the_columns_of_the_heading() {
        let text = heading().unwrap() + &line(&event("a, \"b\"\nc")).unwrap();
        let records = read(&text);
        assert_eq!(records.len(), 2);
        let cell = |name: &str| {
            let column = records[0].iter().position(|column| column == name).unwrap();
            records[1][column].to_owned()
        };
        assert_eq!(cell("detail"), "a, \"b\"\\nc");
        assert_eq!((cell("at"), cell("duration_ms")), ("1970-01-01T00:00:00Z".into(), "1.5".into()));
        assert_eq!((cell("facts"), cell("redacted")), ("grade=A".into(), "claimed".into()));
    }

    #[test]
    fn no_cell_is_a_formula() {
        for formula in ["=1+1", "+1", "-1", "@sum(a1)"] {
            let text = line(&event(formula)).unwrap();
            let records = read(&text);
            assert_eq!(&records[0][12], format!("'{formula}"));
        }
        assert_eq!(&read(&line(&event("a=b")).unwrap())[0][12], "a=b");
    }

    #[test]
    fn no_cell_reaches_a_terminal_or_breaks_a_line() {
        let text = line(&event("\t=1\r\n\u{1b}[2J\u{9b}\u{202e}\u{2028}")).unwrap();
        assert!(!text.trim_end_matches('\n').contains(tenantry_protocol::text::is_hostile), "{text:?}");
        assert_eq!(&read(&text)[0][12], r"\t=1\r\n\u{1b}[2J\u{9b}\u{202e}\u{2028}");
    }
}
