//! Limits on what is stored and answered: a text that is too long is cut, a list is joined or ended, and what was left
//! out is stated. Everything that a tenant can multiply or lengthen must pass through here before it reaches a record or
//! a frame.

use std::io;

use serde::Serialize;

/// The longest account of a failure, or of what is wrong with a tenant, in characters.
pub const LONGEST_ACCOUNT: usize = 4_000;
/// The longest value of an audit event that is shown, in characters; an export contains the whole value.
pub const LONGEST_VALUE: usize = 16_000;
/// The size of a list in one answer, in bytes on the wire: half of what a frame may hold.
pub const PAGE_BYTES: usize = crate::frame::MAX_FRAME_BYTES / 2;

/// `text` with at most `most` characters; if it was cut, its full length follows.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}… ({} bytes in all)", &text[..at], text.len()),
        None => text.to_owned(),
    }
}

/// The parts in one line of about `most` characters at most, with the number of parts that did not fit. The first part is
/// always there, cut if necessary.
pub fn join(parts: &[String], separator: &str, most: usize) -> String {
    let mut line = String::new();
    let mut room = most;
    for (at, part) in parts.iter().enumerate() {
        let length = part.chars().count() + separator.len();
        if at > 0 && length > room {
            line += &format!("{separator}and {} more", parts.len() - at);
            return line;
        }
        if at > 0 {
            line += separator;
        }
        line += &cut(part, most);
        room = room.saturating_sub(length);
    }
    line
}

/// Ends the list where its items would take more than `most` bytes on the wire; true if that left anything out. The first
/// item stays, however large it is: an empty page would never be followed by another.
pub fn fit<T: Serialize>(items: &mut Vec<T>, most: usize) -> bool {
    let mut room = most;
    for at in 0..items.len() {
        let size = size(&items[at]);
        if at > 0 && size > room {
            items.truncate(at);
            return true;
        }
        room = room.saturating_sub(size);
    }
    false
}

/// The size of the item as JSON, in bytes.
fn size<T: Serialize>(item: &T) -> usize {
    let mut counter = Counter(0);
    // An item that cannot be written fails where it is written.
    serde_json::to_writer(&mut counter, item).ok();
    counter.0
}

struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_says_how_long_it_was() {
        assert_eq!(cut("kurz", 4), "kurz");
        assert_eq!(cut("länger", 2), "lä… (7 bytes in all)");
    }

    #[test]
    fn parts_without_room_are_counted() {
        let parts = ["one", "two", "three"].map(str::to_owned);
        assert_eq!(join(&parts, "; ", 100), "one; two; three");
        assert_eq!(join(&parts, "; ", 10), "one; two; and 1 more");
        assert_eq!(join(&parts, "; ", 2), "on… (3 bytes in all); and 2 more");
        assert_eq!(join(&[], "; ", 2), "");
    }

    #[test]
    fn a_list_ends_where_it_would_be_too_large_and_never_before_its_first_item() {
        let list = || vec!["aaaa", "bbbb", "cccc"];
        let fitted = |most| {
            let mut items = list();
            let is_cut = fit(&mut items, most);
            (items.len(), is_cut)
        };
        // Quotes count, and so do the escapes of JSON.
        assert_eq!(fitted(18), (3, false));
        assert_eq!(fitted(17), (2, true));
        assert_eq!(fitted(0), (1, true));
        assert_eq!(size(&"\u{1}"), 8);
    }
}
