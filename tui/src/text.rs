//! Strings on their way to a terminal.
//!
//! Invariant: what leaves here cannot move the cursor, change colours or reorder its neighbours. Everything that a
//! daemon, a file or a person gave us passes through one of these functions before it is shown.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Control characters (also DEL and C1) and the Unicode characters that reorder text or hide in it.
pub(crate) fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
        )
}

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

/// Several lines: as [`line`], but line ends stay, and tabs become four spaces.
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

/// JSON text with hostile characters escaped: another spelling of the same document, harmless on a terminal.
pub(crate) fn json(document: &str) -> String {
    let mut clean = String::with_capacity(document.len());
    for c in document.chars() {
        if c != '\n' && is_hostile(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                clean.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            clean.push(c);
        }
    }
    clean
}

/// The same wire value with every string in it made harmless; the value itself if that is not one any more.
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
        serde_json::Value::String(text) if text.contains(is_hostile) => {
            let clean = lines(text);
            let changed = clean != *text;
            *text = clean;
            changed
        }
        serde_json::Value::Array(items) => clean_all(items.iter_mut()),
        serde_json::Value::Object(map) => {
            let mut any = clean_all(map.values_mut());
            if map.keys().any(|key| key.contains(is_hostile)) {
                *map = std::mem::take(map).into_iter().map(|(key, value)| (line(&key), value)).collect();
                any = true;
            }
            any
        }
        _ => false,
    }
}

/// Cleans each of them; true if any changed.
fn clean_all<'a>(items: impl Iterator<Item = &'a mut serde_json::Value>) -> bool {
    // Not `any`, which would stop at the first.
    items.map(clean_tree).filter(|changed| *changed).count() > 0
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
    fn escaped_json_is_the_same_document() {
        let text = serde_json::to_string("x\u{202e}\u{9b}y").unwrap_or_default();
        let clean = json(&text);
        assert!(clean.is_ascii());
        assert_eq!(serde_json::from_str::<String>(&clean).ok().as_deref(), Some("x\u{202e}\u{9b}y"));
    }

    #[test]
    fn every_string_of_a_wire_value_is_cleaned() {
        let value = serde_json::json!({"a\u{1b}": ["b\u{202e}", {"c": "d\ne"}], "n": 1});
        assert_eq!(wire(value), serde_json::json!({"a�": ["b�", {"c": "d\ne"}], "n": 1}));
    }
}
