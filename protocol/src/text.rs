//! Text from other sources, before it becomes part of a line: in a log, on a terminal, or in a file that somebody opens.
//!
//! Invariant: the result of [`escaped`] is one line that cannot move a cursor, change colours, or reorder or hide its
//! neighbours. The author of the text (a migration's `raise`, a name in a catalog, a client) cannot begin a line of its
//! own.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Control characters (also DEL and C1), line and paragraph separators, and the characters that reorder or hide text.
pub const fn is_hostile(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// The text with every hostile character written out: `\n`, `\r`, `\t`, `\u{1b}`.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => plain.push_str("\\n"),
            '\r' => plain.push_str("\\r"),
            '\t' => plain.push_str("\\t"),
            // Writing to a string cannot fail.
            c if is_hostile(c) => _ = write!(plain, "\\u{{{:x}}}", u32::from(c)),
            c => plain.push(c),
        }
    }
    Cow::Owned(plain)
}

/// JSON text with hostile characters escaped in the way of JSON, so it is the same document in another spelling. Its line
/// ends are kept, since those within strings are already escaped.
pub fn escaped_json(document: &str) -> Cow<'_, str> {
    let stays = |c: char| c == '\n' || !is_hostile(c);
    if document.chars().all(stays) {
        return Cow::Borrowed(document);
    }
    let mut plain = String::with_capacity(document.len() + 16);
    for c in document.chars() {
        if stays(c) {
            plain.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                _ = write!(plain, "\\u{unit:04x}");
            }
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn nothing_hostile_is_left_and_nothing_else_is_touched() {
        let hostile = "a\u{1b}[31mb\nc\rd\te\u{9b}f\u{85}g\u{202e}h\u{2028}i\u{7f}j\0k\u{e0041}l";
        let plain = escaped(hostile);
        assert_eq!(plain, r"a\u{1b}[31mb\nc\rd\te\u{9b}f\u{85}g\u{202e}h\u{2028}i\u{7f}j\u{0}k\u{e0041}l");
        assert!(!plain.contains(is_hostile) && !plain.contains(char::is_control));
        assert!(matches!(escaped("naïve – 東京 🦀"), Cow::Borrowed("naïve – 東京 🦀")));
    }

    #[test]
    fn every_control_character_is_hostile() {
        for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32).filter(|c| c.is_control()) {
            assert!(is_hostile(c), "{c:?}");
        }
    }

    #[test]
    fn escaped_json_is_the_same_document() {
        let strange = "x\u{202e}\u{9b}\ny\u{e0041}";
        let plain = escaped_json(&serde_json::to_string(strange).unwrap()).into_owned();
        assert!(plain.is_ascii(), "{plain}");
        assert_eq!(serde_json::from_str::<String>(&plain).unwrap(), strange);
    }
}
