//! Tools that have one line between the way up and the way down: tern's `---- create above / drop below ----` and
//! `-- //@UNDO` of MyBatis Migrations. A file without it has no way down.
//!
//! Also tern's `---- tern: disable-tx ----`. This module must not cut anything: that is done for all tools alike.

use super::{Direction, Directive, Reading, Sections, comments, markers};

pub(super) fn read(content: &str, sections: Sections) -> Reading {
    let mut reading = Reading::default();
    let is_line = if sections == Sections::Tern { markers::is_tern } else { markers::is_mybatis };
    for (directive, text) in comments(content) {
        if is_line(text) {
            if reading.is_undivided() {
                reading.open(Direction::Up, Directive { start: 0, end: 0, line: 1 });
            }
            reading.open(Direction::Down, directive);
        } else if sections == Sections::Tern && takes_out(text) {
            let is_outside =
                if reading.down.is_none() { &mut reading.is_outside } else { &mut reading.is_outside_down };
            *is_outside = true;
        }
    }
    if reading.is_outside && reading.is_undivided() {
        reading.open(Direction::Up, Directive { start: 0, end: 0, line: 1 });
    }
    reading
}

/// tern's remark for a file that runs without a transaction.
fn takes_out(text: &str) -> bool {
    let words: Vec<&str> =
        text.trim_matches(|c: char| c == '-' || c.is_whitespace()).split_whitespace().collect();
    words == ["tern:", "disable-tx"]
}
