//! Making text fit columns: widths as a terminal counts them.
//! Pure. Every text with a column of its own passes through here, so that wide characters shift nothing.

use ratatui::text::Span;

/// The number of columns that a text takes.
pub(crate) fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { Span::raw(text).width() }
}

/// At most `columns` wide; an ellipsis replaces what is cut.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = width(c.encode_utf8(&mut [0; 4]));
        if used + wide + 1 > columns {
            break;
        }
        short.push(c);
        used += wide;
    }
    if columns > 0 {
        short.push('…');
    }
    short
}

/// Exactly `columns` wide: cut or filled with spaces.
pub(crate) fn cell(text: &str, columns: usize) -> String {
    let mut cell = cut(text, columns);
    let missing = columns.saturating_sub(width(&cell));
    cell.extend(std::iter::repeat_n(' ', missing));
    cell
}

/// Wraps words to lines of at most `columns`; a wider word is broken.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(8);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let mut word = word;
        if !line.is_empty() && width(&line) + 1 + width(word) > columns {
            lines.push(std::mem::take(&mut line));
        }
        while width(word) > columns {
            let split =
                word.char_indices().map(|(at, _)| at).take_while(|at| width(&word[..*at]) <= columns).last();
            let at = split.filter(|at| *at > 0).unwrap_or(word.len());
            lines.push(word[..at].to_owned());
            word = &word[at..];
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_columns_and_not_by_bytes() {
        assert_eq!(cut("académia", 8), "académia");
        assert_eq!(cut("académia-x", 8), "académi…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cell("ab", 4), "ab  ");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn words_wrap_and_long_ones_break() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefghijkl", 8), ["abcdefgh", "ijkl"]);
    }
}
