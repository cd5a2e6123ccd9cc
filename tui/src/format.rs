//! How values are formatted for people, in the commands and in the console alike.
//!
//! Pure. Each state is a glyph and a word, so that no meaning depends on colour alone.

use tenantry_protocol::audit::AuditEvent;
use tenantry_protocol::isolation::IsolationReport;
use tenantry_protocol::operation::{OperationState, StepProgress, StepStatus};
use tenantry_protocol::plan::{Finding, PlanSql, Severity};
use tenantry_protocol::session::{DaemonMode, Role};
use tenantry_protocol::tenant::{Credentials, RollbackPreview, RowCount, TenantState};
use tenantry_protocol::upgrade::rehearsal::Rehearsal;
use time::OffsetDateTime;
use time::macros::format_description;

/// `0.8 ms`, `88 ms`, `1.25 s`, `2 m 05 s`.
pub(crate) fn duration(ms: f64) -> String {
    if ms < 10.0 {
        format!("{ms:.1} ms")
    } else if ms < 1_000.0 {
        format!("{ms:.0} ms")
    } else if ms < 60_000.0 {
        format!("{:.2} s", ms / 1_000.0)
    } else {
        let seconds = (ms / 1_000.0) as u64;
        format!("{} m {:02} s", seconds / 60, seconds % 60)
    }
}

/// A length of time that somebody chose, in the largest unit that it is a whole number of: `7 days`.
pub(crate) fn chosen(seconds: u64) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let (unit, name) =
        units.into_iter().find(|(unit, _)| seconds.is_multiple_of(*unit)).unwrap_or((1, "second"));
    counted(seconds / unit, name)
}

/// How long ago, in one unit: `now`, `12 s`, `4 m`, `3 h`, `9 d`.
pub(crate) fn age(then: OffsetDateTime, now: OffsetDateTime) -> String {
    let seconds = (now - then).whole_seconds();
    match seconds {
        ..=0 => "now".to_owned(),
        1..60 => format!("{seconds} s"),
        60..3_600 => format!("{} m", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// `3 m ago`, `just now`
pub(crate) fn ago(then: OffsetDateTime, now: OffsetDateTime) -> String {
    let seconds = (now - then).whole_seconds();
    if seconds <= 0 { "just now".to_owned() } else { format!("{} ago", age(then, now)) }
}

/// `2026-11-20 23:40:12`, in UTC.
pub(crate) fn timestamp(at: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    at.to_offset(time::UtcOffset::UTC).format(&format).unwrap_or_default()
}

/// `2026-11-20 23:40:12.133`, in UTC.
pub(crate) fn instant(at: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:3]");
    at.to_offset(time::UtcOffset::UTC).format(&format).unwrap_or_default()
}

/// `23:40:12.133`, in UTC.
pub(crate) fn clock(at: OffsetDateTime) -> String {
    let format = format_description!("[hour]:[minute]:[second].[subsecond digits:3]");
    at.to_offset(time::UtcOffset::UTC).format(&format).unwrap_or_default()
}

pub(crate) fn tenant_state(state: &TenantState) -> String {
    let glyph = match state {
        TenantState::Active => '●',
        TenantState::Provisioning | TenantState::RollingBack | TenantState::Retiring { .. } => '◐',
        TenantState::Suspended => '○',
        TenantState::RolledBack { .. } => '✗',
        TenantState::Retired => '·',
        TenantState::NeedsAttention { .. } => '!',
        TenantState::Other => '?',
    };
    let word = match state {
        TenantState::NeedsAttention { .. } => "needs you",
        other => return format!("{glyph} {}", other.name().replace('_', " ")),
    };
    format!("{glyph} {word}")
}

pub(crate) fn operation_state(state: &OperationState) -> String {
    let glyph = match state {
        OperationState::Queued => '·',
        OperationState::Running => '◐',
        OperationState::Succeeded => '✓',
        OperationState::Unwinding { .. } | OperationState::RolledBack { .. } => '↺',
        OperationState::NeedsAttention { .. } => '!',
        OperationState::Cancelled => '✗',
        OperationState::Other => '?',
    };
    format!("{glyph} {}", state.name().replace('_', " "))
}

/// How far a step is: `2 of 3, batch 12, 12,000 rows`.
pub(crate) fn step_count(step: &StepProgress) -> Option<String> {
    let count = step.count.map(|count| format!("{} of {}", count.done, count.total));
    let parts: Vec<String> = count.into_iter().chain(step.note.clone()).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

pub(crate) const fn step_glyph(status: StepStatus) -> char {
    match status {
        StepStatus::Waiting => '·',
        StepStatus::Running => '◐',
        StepStatus::Done => '✓',
        StepStatus::Failed => '✗',
        StepStatus::Undone => '↺',
        StepStatus::Other => '?',
    }
}

pub(crate) const fn step_word(status: StepStatus) -> &'static str {
    match status {
        StepStatus::Waiting => "waiting",
        StepStatus::Running => "running",
        StepStatus::Done => "done",
        StepStatus::Failed => "failed",
        StepStatus::Undone => "undone",
        StepStatus::Other => "unknown",
    }
}

pub(crate) const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Ok => "ok",
        Severity::Warning => "warning",
        Severity::Error => "error",
        Severity::Other => "note",
    }
}

/// The note on a file whose statements run by themselves.
pub(crate) const OUTSIDE: &str = "outside the transaction";

/// The name of a plan's file, and how it runs.
pub(crate) fn plan_file(file: &str, sql: &PlanSql) -> String {
    if sql.outside { format!("{file} ({OUTSIDE})") } else { file.to_owned() }
}

/// `V5__comments.sql:12: error[code]: message`
pub(crate) fn finding(finding: &Finding) -> String {
    let place = match (&finding.file, finding.line) {
        (Some(file), Some(line)) => format!("{file}:{line}: "),
        (Some(file), None) => format!("{file}: "),
        (None, _) => String::new(),
    };
    format!("{place}{}[{}]: {}", severity(finding.severity), finding.code, finding.message)
}

pub(crate) const fn role(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Operator => "operator",
        Role::Admin => "admin",
        Role::Other => "unknown role",
    }
}

pub(crate) const fn mode(mode: DaemonMode) -> &'static str {
    match mode {
        DaemonMode::Embedded => "embedded",
        DaemonMode::Ephemeral => "ephemeral",
        DaemonMode::Configured => "configured",
        DaemonMode::Other => "unknown mode",
    }
}

/// `held 69 of 69 attacks (full)`, followed by what the catalog shows and whether the victim was touched.
pub(crate) fn isolation(report: Option<&IsolationReport>) -> String {
    let Some(report) = report else { return "not verified".to_owned() };
    let findings = match report.found() {
        0 => String::new(),
        found => format!(", {}", counted(found, "catalog finding")),
    };
    let victim = if report.victim_unchanged { "" } else { ", VICTIM CHANGED" };
    format!(
        "held {} of {} attacks ({}){findings}{victim}",
        report.held(),
        report.verdicts.len(),
        report.depth.name()
    )
}

/// `18,204`
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 table`, `25 tables`
pub(crate) fn counted(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `944 B`, `8.2 MB`: powers of 1,024, like PostgreSQL's own `pg_size_pretty`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    let mut amount = bytes as f64 / 1_024.0;
    let mut unit = 0;
    while amount >= 1_024.0 && unit + 1 < UNITS.len() {
        amount /= 1_024.0;
        unit += 1;
    }
    let unit = UNITS[unit];
    if amount < 10.0 { format!("{amount:.1} {unit}") } else { format!("{amount:.0} {unit}") }
}

/// `18,204 rows`; an estimate is marked as one.
pub(crate) fn rows(rows: RowCount) -> String {
    match rows {
        RowCount::Exact { rows } => counted(rows, "row"),
        RowCount::Estimated { rows } => format!("≈ {}", counted(rows, "row")),
        RowCount::Other => "rows not counted".to_owned(),
    }
}

/// What a rollback removes, one line for each kind of object.
pub(crate) fn rollback_effects(preview: &RollbackPreview) -> [String; 3] {
    let size = preview.size_bytes.map_or_else(|| "size unknown, a table is locked".to_owned(), bytes);
    let (tables, rows) = (counted(preview.tables, "table"), rows(preview.rows));
    let data = match &preview.pool {
        Some(pool) => format!("{rows} in the shared tables of {pool}, which stay for other tenants"),
        None => format!("schema {}: {tables}, {rows}, {size}", preview.tenant.placement),
    };
    [
        data,
        format!("roles {}", preview.roles.join(", ")),
        match preview.sessions {
            0 => "no sessions are open".to_owned(),
            sessions => format!("{} will be cut", counted(sessions, "session")),
        },
    ]
}

/// `It was active for 12 d.`
pub(crate) fn was_active(preview: &RollbackPreview, now: OffsetDateTime) -> String {
    match preview.active_since {
        Some(since) if (now - since).whole_seconds() > 0 => format!("It was active for {}.", age(since, now)),
        Some(_) => "It has just become active.".to_owned(),
        None => "It was never active.".to_owned(),
    }
}

/// One event on a line, for a report about it: number, time, actor, action, tenant, outcome, hash.
pub(crate) fn audit_event(event: &AuditEvent) -> String {
    format!(
        "{} {} UTC {} {} {} {} {}",
        event.seq,
        timestamp(event.at),
        event.actor,
        event.action,
        event.slug.as_deref().unwrap_or("-"),
        event.outcome.as_deref().unwrap_or("-"),
        event.hash
    )
}

/// A libpq connection URL. A Unix socket's directory is passed as a parameter, as libpq expects.
pub(crate) fn url(credentials: &Credentials, password: &str) -> String {
    let login = format!("{}:{}", percent(&credentials.role), percent(password));
    let database = percent(&credentials.database);
    let (host, port) = (&credentials.host, credentials.port);
    if host.starts_with('/') {
        format!("postgres://{login}@/{database}?host={}&port={port}", percent(host))
    } else if host.contains(':') {
        format!("postgres://{login}@[{host}]:{port}/{database}")
    } else {
        format!("postgres://{login}@{}:{port}/{database}", percent(host))
    }
}

fn percent(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// What a rehearsal saw: the headline, and a line for each kind of thing.
pub(crate) fn rehearsal(one: &Rehearsal) -> Vec<String> {
    let took = one.duration_ms.map(|ms| format!(" in {ms} ms, without the rows of a customer"));
    let mut lines = vec![format!(
        "rehearsed from {} on {}: {}{}",
        one.from,
        one.target,
        one.state.name(),
        took.unwrap_or_default()
    )];
    lines.extend(one.reason.iter().map(|reason| format!("  {reason}")));
    let locks: Vec<String> =
        one.locks.iter().map(|lock| format!("{} {} ({})", lock.kind, lock.relation, lock.mode)).collect();
    for (what, of) in [("locks", &locks), ("rewrites", &one.rewritten), ("differs", &one.differences)] {
        if !of.is_empty() {
            lines.push(format!("  {what:<8}  {}", of.join(", ")));
        }
    }
    if one.left_out > 0 {
        lines.push(format!("  and {} more", one.left_out));
    }
    lines
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tenantry_protocol::name::Slug;

    use super::*;

    fn credentials(host: &str) -> Credentials {
        Credentials {
            slug: Slug::parse("acme").unwrap(),
            role: "t_x_a".into(),
            password: None,
            host: host.into(),
            port: 5432,
            database: "tenants".into(),
            issued_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn urls_are_encoded_and_know_sockets() {
        assert_eq!(
            url(&credentials("/run/pg dir"), "p@ss/ä"),
            "postgres://t_x_a:p%40ss%2F%C3%A4@/tenants?host=%2Frun%2Fpg%20dir&port=5432"
        );
        assert_eq!(url(&credentials("db1"), "pw"), "postgres://t_x_a:pw@db1:5432/tenants");
        assert_eq!(url(&credentials("::1"), "pw"), "postgres://t_x_a:pw@[::1]:5432/tenants");
    }

    #[test]
    fn numbers_can_be_read() {
        assert_eq!((count(0), count(999), count(18_204)), ("0".into(), "999".into(), "18,204".into()));
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(
            (bytes(944), bytes(8_601_600), bytes(44_040_192)),
            ("944 B".into(), "8.2 MB".into(), "42 MB".into())
        );
        assert_eq!(rows(RowCount::Estimated { rows: 1 }), "≈ 1 row");
    }

    #[test]
    fn times_have_one_unit() {
        let now = OffsetDateTime::UNIX_EPOCH + time::Duration::days(2);
        assert_eq!(age(now, now), "now");
        assert_eq!(age(now - time::Duration::seconds(61), now), "1 m");
        assert_eq!(age(OffsetDateTime::UNIX_EPOCH, now), "2 d");
        assert_eq!(duration(0.84), "0.8 ms");
        assert_eq!(duration(125_000.0), "2 m 05 s");
    }
}
