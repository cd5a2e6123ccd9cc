//! Properties of every value that becomes part of SQL text: the server reads it back unchanged, and it is never more than a
//! value. The property tests and the fuzz target use them.

use super::{Value, identifier, literal, render};

pub fn what_is_quoted_reads_back(text: &str) {
    assert_eq!(read_identifier(&identifier(text)).as_deref(), Some(text));
    assert_eq!(read_literal(&literal(text)).as_deref(), Some(text));
}

pub fn no_value_opens_another_hole(name: &str) {
    let values = [("a", Value::Identifier(name)), ("b", Value::Number(1))];
    let quoted = identifier(name);
    assert_eq!(render("x {a} y {b}", &values), format!("x {quoted} y 1"));
}

/// Reads a quoted identifier as the server does.
fn read_identifier(quoted: &str) -> Option<String> {
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.replace("\"\"", "").contains('"')).then(|| inner.replace("\"\"", "\""))
}

/// Reads a literal as the server does, with or without escapes.
fn read_literal(quoted: &str) -> Option<String> {
    let (is_escaped, rest) = match quoted.strip_prefix(" E") {
        Some(rest) => (true, rest),
        None => (false, quoted),
    };
    let mut inner = rest.strip_prefix('\'')?.strip_suffix('\'')?.chars();
    let mut text = String::new();
    while let Some(c) = inner.next() {
        match c {
            '\'' if inner.next()? != '\'' => return None,
            '\\' if is_escaped && inner.next()? != '\\' => return None,
            // Its meaning would depend on a setting of the session.
            '\\' if !is_escaped => return None,
            c => text.push(c),
        }
    }
    Some(text)
}
