//! The one place where values become part of SQL text: it quotes them, and fills templates of statements that take no
//! parameters (roles, schemas, grants).
//!
//! A template is static text with `{name}` holes, and a plan shows it in this form. A hole takes a typed [`Value`].
//! SQL itself is not such a value.

use tenantry_protocol::name::PlacementName;
use uuid::Uuid;

use super::secret::Verifier;

/// A value for a hole of a template.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// The opaque name, or the beginning of one (`{placement}_app`). Its grammar needs no quotes.
    Placement(&'a PlacementName),
    /// Any other role, schema or database, which is quoted.
    Identifier(&'a str),
    Number(i64),
    /// Used within a literal. Its grammar needs no quotes either.
    Tenant(Uuid),
    /// A SCRAM verifier, as a literal.
    Verifier(&'a Verifier),
}

/// Fills the holes of `template`. A hole without a value stays, and the SQL then fails with an error.
pub fn render(template: &str, values: &[(&str, Value<'_>)]) -> String {
    let mut sql = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some((before, hole)) = rest.split_once('{') {
        sql.push_str(before);
        let Some((name, after)) = hole.split_once('}') else {
            sql.push('{');
            rest = hole;
            continue;
        };
        match values.iter().find(|(known, _)| *known == name) {
            Some((_, value)) => push(&mut sql, *value),
            None => sql.extend(["{", name, "}"]),
        }
        rest = after;
    }
    sql.push_str(rest);
    sql
}

fn push(sql: &mut String, value: Value<'_>) {
    match value {
        Value::Placement(name) => sql.push_str(name.as_str()),
        Value::Identifier(name) => sql.push_str(&identifier(name)),
        Value::Tenant(id) => sql.push_str(&id.to_string()),
        Value::Number(number) => sql.push_str(&number.to_string()),
        Value::Verifier(verifier) => sql.push_str(&literal(verifier.expose())),
    }
}

/// A double-quoted identifier.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A single-quoted literal, which is correct with any setting of `standard_conforming_strings`.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') { format!(" E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

#[cfg(any(test, fuzzing))]
pub mod invariants;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn identifiers_and_literals_cannot_be_left() {
        assert_eq!(identifier(r#"a"; drop"#), r#""a""; drop""#);
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"a\'"), r" E'a\\'''");
    }

    proptest! {
        #[test]
        fn what_is_quoted_reads_back_whatever_it_is(text in prop_oneof![any::<String>(), "['\"\\\\;$-]{0,12}"]) {
            invariants::what_is_quoted_reads_back(&text);
        }

        #[test]
        fn no_value_opens_another_hole(name in "[{}a-z\"]{0,12}") {
            invariants::no_value_opens_another_hole(&name);
        }
    }

    #[test]
    fn a_template_is_filled_once() {
        let placement = PlacementName::from_random([0; 8]);
        let sql = render(
            "alter role {placement}_a in database {db} limit {n} {unknown}",
            &[
                ("placement", Value::Placement(&placement)),
                ("db", Value::Identifier("{n}")),
                ("n", Value::Number(20)),
            ],
        );
        assert_eq!(sql, format!("alter role {placement}_a in database \"{{n}}\" limit 20 {{unknown}}"));
    }
}
