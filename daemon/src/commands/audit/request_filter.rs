//! Checks the filters of `audit` and `audit_export`, field by field. A filter that cannot match anything is a mistake,
//! and the answer says which field is wrong.

use tenantry_protocol::audit::AuditFilter;
use tenantry_protocol::error::ApiError;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::postgres::audit::filter::{ActionFilter, ActorFilter, EventFilter};

use crate::commands::operations::list::parse_slug;
use crate::commands::operations::show::parse_id;

const OUTCOMES: [&str; 4] = ["ok", "failed", "denied", "intent"];
/// The number of characters of an account's name, an action, or a text to search for.
const LONGEST: usize = 200;

pub(super) fn parse(filter: &AuditFilter) -> Result<EventFilter, ApiError> {
    let (since_us, until_us) = times(filter.since, filter.until)?;
    Ok(EventFilter {
        slug: filter.slug.as_deref().map(parse_slug).transpose()?,
        tenant_id: filter.tenant_id.as_deref().map(tenant_id).transpose()?,
        actor: filter.actor.as_deref().map(actor).transpose()?,
        action: filter.action.as_deref().map(action).transpose()?.flatten(),
        outcome: filter.outcome.as_deref().map(outcome).transpose()?,
        since_us,
        until_us,
        operation_id: filter
            .operation_id
            .as_deref()
            .map(|id| parse_id("operation_id", id).map(|id| id.as_uuid()))
            .transpose()?,
        text: filter.text.as_deref().map(text).transpose()?,
    })
}

fn tenant_id(id: &str) -> Result<Uuid, ApiError> {
    Uuid::parse_str(id).map_err(|_| {
        let message = format!(
            "'{}' is no tenant's id: `tenantry tenant show NAME --json` shows it, or filter by the name",
            id.escape_debug()
        );
        ApiError::invalid("tenant_id", message)
    })
}

/// An account's name, or its number.
fn actor(name: &str) -> Result<ActorFilter, ApiError> {
    let name = plain("actor", name)?;
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        return name.parse().map(ActorFilter::Uid).map_err(|_| {
            ApiError::invalid(
                "actor",
                format!("'{name}' is no account's number: the greatest is {}", u32::MAX),
            )
        });
    }
    Ok(ActorFilter::Name(name.to_owned()))
}

/// `None` for `*`, which is every action.
fn action(pattern: &str) -> Result<Option<ActionFilter>, ApiError> {
    let (name, is_prefix) = pattern.strip_suffix('*').map_or((pattern, false), |prefix| (prefix, true));
    let is_action = name.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == '.');
    if !is_action || name.len() > LONGEST || (name.is_empty() && !is_prefix) {
        let message = format!(
            "'{}' is no action: they are in small letters, with dots, as in credentials.issue; with a * at the end, \
             as in credentials.*, all that begin so",
            pattern.chars().take(LONGEST).collect::<String>().escape_debug()
        );
        return Err(ApiError::invalid("action", message));
    }
    Ok(match (name, is_prefix) {
        ("", _) => None,
        (prefix, true) => Some(ActionFilter::BeginsWith(prefix.to_owned())),
        (name, false) => Some(ActionFilter::Is(name.to_owned())),
    })
}

fn outcome(outcome: &str) -> Result<String, ApiError> {
    if OUTCOMES.contains(&outcome) {
        return Ok(outcome.to_owned());
    }
    let message = format!("'{}' is no outcome; there are: {}", outcome.escape_debug(), OUTCOMES.join(", "));
    Err(ApiError::invalid("outcome", message))
}

/// The times, in microseconds since 1970.
fn times(
    since: Option<OffsetDateTime>,
    until: Option<OffsetDateTime>,
) -> Result<(Option<i64>, Option<i64>), ApiError> {
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        let message =
            format!("until is {until}, which is not after since, {since}: there is no time between");
        return Err(ApiError::invalid("until", message));
    }
    let us = |at: OffsetDateTime| i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX);
    Ok((since.map(us), until.map(us)))
}

fn text(text: &str) -> Result<String, ApiError> {
    plain("text", text).map(str::to_owned)
}

/// A text on one line, of a limited length.
fn plain<'a>(field: &str, text: &'a str) -> Result<&'a str, ApiError> {
    let trimmed = text.trim();
    let problem = if trimmed.is_empty() {
        "is empty: leave it away to see all".to_owned()
    } else if trimmed.chars().count() > LONGEST {
        format!("has more than {LONGEST} characters")
    } else if trimmed.chars().any(char::is_control) {
        "has a line end or another control character in it".to_owned()
    } else {
        return Ok(trimmed);
    };
    Err(ApiError::invalid(field, format!("{field} {problem}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn actors_are_names_or_numbers() {
        assert_eq!(actor("1003").unwrap(), ActorFilter::Uid(1003));
        assert_eq!(actor(" ops1 ").unwrap(), ActorFilter::Name("ops1".into()));
        for wrong in ["", " ", "4294967296", "a\nb"] {
            assert_eq!(actor(wrong).unwrap_err().field.as_deref(), Some("actor"), "{wrong:?}");
        }
    }

    #[test]
    fn actions_are_whole_or_beginnings() {
        assert_eq!(action("provision").unwrap(), Some(ActionFilter::Is("provision".into())));
        assert_eq!(action("credentials.*").unwrap(), Some(ActionFilter::BeginsWith("credentials.".into())));
        assert_eq!(action("*").unwrap(), None);
        for wrong in ["", "Provision", "a*b", "a%", "**"] {
            assert!(action(wrong).unwrap_err().message.contains("is no action"), "{wrong:?}");
        }
    }

    #[test]
    fn a_filter_that_cannot_match_is_a_mistake() {
        let at = OffsetDateTime::UNIX_EPOCH;
        let empty = AuditFilter { since: Some(at), until: Some(at), ..AuditFilter::default() };
        assert_eq!(parse(&empty).unwrap_err().field.as_deref(), Some("until"));
        for (field, filter) in [
            ("outcome", AuditFilter { outcome: Some("good".into()), ..AuditFilter::default() }),
            ("tenant_id", AuditFilter { tenant_id: Some("acme".into()), ..AuditFilter::default() }),
            ("operation_id", AuditFilter { operation_id: Some("7".into()), ..AuditFilter::default() }),
            ("slug", AuditFilter { slug: Some("A c".into()), ..AuditFilter::default() }),
            ("text", AuditFilter { text: Some("x".repeat(201)), ..AuditFilter::default() }),
        ] {
            assert_eq!(parse(&filter).unwrap_err().field.as_deref(), Some(field));
        }
    }
}
