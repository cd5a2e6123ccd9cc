//! The filter language for events of the audit trail, and the times in it: `tenant:acme since:2d refused`.
//!
//! Invariant: a filter means the same in the console and on the command line. Pure; the caller passes the time.

use tenantry_protocol::audit::AuditFilter;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::{format_description, time};
use time::{Date, Duration, OffsetDateTime, PrimitiveDateTime};

/// The outcomes that an event can have; `intent` stands for none.
pub(crate) const OUTCOMES: [&str; 4] = ["ok", "failed", "denied", "intent"];

/// A filter that cannot be understood: where, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word}: {problem}")]
pub(crate) struct WrongFilter {
    word: &'static str,
    problem: String,
}

/// Which end of a day a date stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Day {
    Begin,
    /// The end of that day, so that the day is included.
    End,
}

/// Parses a filter. Words without a name are a text to search for, as they stand.
pub(crate) fn parse(words: &str, now: OffsetDateTime) -> Result<AuditFilter, WrongFilter> {
    let mut filter = AuditFilter::default();
    let mut text: Vec<&str> = Vec::new();
    for word in words.split_whitespace() {
        let (name, value) = word.split_once(':').unwrap_or(("", word));
        match name {
            "tenant" => set("tenant", &mut filter.slug, value)?,
            "actor" => set("actor", &mut filter.actor, value)?,
            "action" => set("action", &mut filter.action, value)?,
            "operation" => set("operation", &mut filter.operation_id, value)?,
            "outcome" => {
                outcome(value).map_err(|problem| WrongFilter { word: "outcome", problem })?;
                set("outcome", &mut filter.outcome, value)?;
            }
            "since" => once("since", &mut filter.since, at("since", value, now, Day::Begin)?)?,
            "until" => once("until", &mut filter.until, at("until", value, now, Day::End)?)?,
            // Not one of our names: `V5__comments.sql:12` is as good a text as any.
            _ => text.push(word),
        }
    }
    filter.text = (!text.is_empty()).then(|| text.join(" "));
    Ok(filter)
}

/// `ok`, `failed`, `denied` or `intent`.
pub(crate) fn outcome(text: &str) -> Result<String, String> {
    if OUTCOMES.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!("'{text}' is no outcome; there are {}", OUTCOMES.join(", ")))
}

/// A point in time: RFC 3339, a date, a date and a time in UTC, or a span back from `now`: `90s`, `15m`, `3h`, `2d`, `4w`.
pub(crate) fn moment(text: &str, now: OffsetDateTime, day: Day) -> Result<OffsetDateTime, String> {
    if let Some(span) = span(text) {
        let then = now.checked_sub(span);
        return then.ok_or_else(|| format!("'{text}' is longer ago than a date can say"));
    }
    if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
        return Ok(at);
    }
    if let Some(at) = clock_time(text) {
        return Ok(at.assume_utc());
    }
    let date = Date::parse(text, format_description!("[year]-[month]-[day]"));
    let date = date.map_err(|_| {
        format!("'{text}' is no time; write 2026-11-20, 2026-11-20T23:40:00Z, or a span back as 90s, 15m, 3h, 2d, 4w")
    })?;
    let date = match day {
        Day::Begin => Some(date),
        Day::End => date.next_day(),
    };
    let date = date.ok_or_else(|| format!("'{text}' is the last day that there is"))?;
    Ok(date.with_time(time!(0:00)).assume_utc())
}

/// `2026-11-20T23:40:12` and similar forms, as our own tables show times.
fn clock_time(text: &str) -> Option<PrimitiveDateTime> {
    const FORMS: [&[BorrowedFormatItem<'_>]; 4] = [
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]"),
        format_description!("[year]-[month]-[day] [hour]:[minute]:[second]"),
        format_description!("[year]-[month]-[day]T[hour]:[minute]"),
        format_description!("[year]-[month]-[day] [hour]:[minute]"),
    ];
    FORMS.iter().find_map(|form| PrimitiveDateTime::parse(text, form).ok())
}

/// `90s`, `15m`, `3h`, `2d`, `4w`
fn span(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    // Longer than anybody keeps a trail, and far from the limits of a date.
    let number = number.parse::<u32>().ok().filter(|number| *number <= 1_000_000)?;
    let number = i64::from(number);
    Some(match unit {
        "s" => Duration::seconds(number),
        "m" => Duration::minutes(number),
        "h" => Duration::hours(number),
        "d" => Duration::days(number),
        "w" => Duration::weeks(number),
        _ => return None,
    })
}

fn at(word: &'static str, value: &str, now: OffsetDateTime, day: Day) -> Result<OffsetDateTime, WrongFilter> {
    moment(value, now, day).map_err(|problem| WrongFilter { word, problem })
}

fn set(word: &'static str, field: &mut Option<String>, value: &str) -> Result<(), WrongFilter> {
    if value.is_empty() {
        return Err(WrongFilter { word, problem: "nothing stands after the colon".to_owned() });
    }
    once(word, field, value.to_owned())
}

fn once<T>(word: &'static str, field: &mut Option<T>, value: T) -> Result<(), WrongFilter> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => {
            Err(WrongFilter { word, problem: "it stands there twice; one of them must go".to_owned() })
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);

    #[test]
    fn words_with_a_name_are_fields_and_the_others_a_text() {
        let words = "tenant:acme  actor:ops1 V5__x.sql:12 action:credentials.* refused outcome:denied";
        let filter = parse(words, NOW).unwrap();
        assert_eq!(filter.slug.as_deref(), Some("acme"));
        assert_eq!(filter.actor.as_deref(), Some("ops1"));
        assert_eq!(filter.action.as_deref(), Some("credentials.*"));
        assert_eq!(filter.outcome.as_deref(), Some("denied"));
        assert_eq!(filter.text.as_deref(), Some("V5__x.sql:12 refused"));
        assert_eq!(parse("  ", NOW).unwrap(), AuditFilter::default());
    }

    #[test]
    fn times_are_absolute_or_a_span_back_and_a_last_day_is_whole() {
        for (text, day, wanted) in [
            ("2d", Day::Begin, datetime!(2026-11-18 12:00 UTC)),
            ("90s", Day::Begin, datetime!(2026-11-20 11:58:30 UTC)),
            ("2026-11-01", Day::Begin, datetime!(2026-11-01 0:00 UTC)),
            ("2026-11-01", Day::End, datetime!(2026-11-02 0:00 UTC)),
            ("2026-11-01T10:00:00+02:00", Day::End, datetime!(2026-11-01 8:00 UTC)),
            ("2026-11-01 10:00:30", Day::Begin, datetime!(2026-11-01 10:00:30 UTC)),
            ("2026-11-01T10:00", Day::Begin, datetime!(2026-11-01 10:00 UTC)),
        ] {
            assert_eq!(moment(text, NOW, day), Ok(wanted), "{text}");
        }
        for text in ["", "yesterday", "d", "-3d", "2026-13-01", "99999999999d", "ä", "1000000w", "2026-11"] {
            assert!(moment(text, NOW, Day::Begin).is_err(), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_word() {
        for (words, says) in [
            ("tenant:", "tenant: nothing stands"),
            ("tenant:a tenant:b", "tenant: it stands there twice"),
            ("since:soon", "since: 'soon' is no time"),
            ("outcome:bad", "outcome: 'bad' is no outcome"),
        ] {
            let error = parse(words, NOW).unwrap_err().to_string();
            assert!(error.starts_with(says), "{error}");
        }
    }
}
