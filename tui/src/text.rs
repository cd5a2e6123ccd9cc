//! Strings on their way to a terminal.
//!
//! Invariant: text that leaves here cannot move the cursor, change colours or reorder its neighbours. Everything that a
//! daemon, a file or a person gave us passes through one of these functions before it is shown.

use serde::Serialize;
use serde::de::DeserializeOwned;
pub(crate) use tenantry_protocol::text::{escaped_json as json, is_hostile};

/// Fields whose line ends are the daemon's own: the statements of a plan, and definitions, which are shown indented.
const OF_SEVERAL_LINES: [&str; 5] = ["text", "expected", "found", "repair", "manifest"];

/// One line: hostile characters become `�`, tabs and line ends become spaces.
pub(crate) fn line(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' | '\n' | '\r' => ' ',
            c if is_hostile(c) => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

/// Several lines: as [`line()`], but line ends stay, and tabs become four spaces.
pub(crate) fn lines(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => clean.push('\n'),
            '\t' => clean.push_str("    "),
            '\r' => {}
            c if is_hostile(c) => clean.push(char::REPLACEMENT_CHARACTER),
            c => clean.push(c),
        }
    }
    clean
}

/// The same wire value with every string in it made harmless and put on one line, so that its author cannot begin a line of
/// our output. Returns the value unchanged if the result is no longer valid.
pub(crate) fn wire<T: Serialize + DeserializeOwned>(value: T) -> T {
    let Ok(mut tree) = serde_json::to_value(&value) else { return value };
    if !clean_tree(&mut tree) {
        return value;
    }
    serde_json::from_value(tree).unwrap_or(value)
}

/// Cleans every string below `tree`; true if any changed.
fn clean_tree(tree: &mut serde_json::Value) -> bool {
    match tree {
        serde_json::Value::String(text) => clean_text(text, line),
        serde_json::Value::Array(items) => clean_all(items.iter_mut().map(clean_tree)),
        serde_json::Value::Object(map) => {
            let mut any = clean_all(map.iter_mut().map(|(name, value)| match value {
                serde_json::Value::String(text) if OF_SEVERAL_LINES.contains(&name.as_str()) => {
                    clean_text(text, lines)
                }
                value => clean_tree(value),
            }));
            if map.keys().any(|key| key.contains(is_hostile)) {
                *map = std::mem::take(map).into_iter().map(|(key, value)| (line(&key), value)).collect();
                any = true;
            }
            any
        }
        _ => false,
    }
}

fn clean_text(text: &mut String, clean: fn(&str) -> String) -> bool {
    if !text.contains(is_hostile) {
        return false;
    }
    let cleaned = clean(text);
    let changed = cleaned != *text;
    *text = cleaned;
    changed
}

/// Goes through all of them; true if any changed.
fn clean_all(changes: impl Iterator<Item = bool>) -> bool {
    // Not `any`, which would stop at the first change.
    changes.filter(|changed| *changed).count() > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hostile_is_left_on_a_line() {
        assert_eq!(line("a\u{1b}[31mb\u{202e}c\u{9b}d\te"), "a�[31mb�c�d e");
        assert_eq!(lines("a\r\nb\tc\u{7f}"), "a\nb    c�");
    }

    #[test]
    fn every_string_of_a_wire_value_is_cleaned() {
        let value =
            serde_json::json!({"a\u{1b}": ["b\u{202e}", {"c": "d\ne", "text": "f\ng\u{9b}"}], "n": 1});
        let clean = serde_json::json!({"a�": ["b�", {"c": "d e", "text": "f\ng�"}], "n": 1});
        assert_eq!(wire(value), clean);
    }
}
