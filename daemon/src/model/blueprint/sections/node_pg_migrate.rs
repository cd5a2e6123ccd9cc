//! node-pg-migrate's directives: `-- Up Migration` and `-- Down Migration`, in any case, with further hyphens before and text behind.
//!
//! Accepts less than the tool itself: that runs a file with a way down alone as a whole, down included. This module must not cut
//! anything: that is done for all tools alike.

use super::{Direction, Reading, comments, markers};

pub(super) fn read(content: &str) -> Reading {
    let mut reading = Reading::default();
    for (directive, text) in comments(content) {
        // Like the tool, the first of each counts, and those behind it are comments.
        match markers::node_pg_migrate(text) {
            Some(Direction::Up) if reading.up.is_none() => reading.open(Direction::Up, directive),
            Some(Direction::Down) if reading.down.is_none() => reading.open(Direction::Down, directive),
            _ => {}
        }
    }
    reading
}
