//! dbmate's directives: `-- migrate:up` and `-- migrate:down`, each with options such as `transaction:false`.
//!
//! Accepts only what dbmate itself accepts. This module must not cut anything: that is done for all tools alike.

use super::{Direction, Reading, comments, is_indented};
use crate::model::blueprint::findings::shown;

pub(super) fn read(content: &str) -> Reading {
    let mut reading = Reading::default();
    for (directive, text) in comments(content) {
        let Some(rest) =
            text.trim_start().get(.."migrate:".len()).filter(|start| start.eq_ignore_ascii_case("migrate:"))
        else {
            continue;
        };
        let rest = &text.trim_start()[rest.len()..];
        let mut words = rest.split_whitespace();
        let (name, line) = (words.next().unwrap_or(""), directive.line);
        let direction = match name {
            "up" => Direction::Up,
            "down" => Direction::Down,
            _ => {
                let message = format!(
                    "dbmate knows no directive `migrate:{}`: write `-- migrate:up` or `-- migrate:down`",
                    shown(name)
                );
                reading.fault(line, "unknown_directive", message);
                continue;
            }
        };
        if is_indented(content, directive) {
            let message = format!(
                "dbmate sees `-- migrate:{name}` only at the beginning of a line: remove the blanks before it"
            );
            reading.fault(line, "unknown_directive", message);
            continue;
        }
        for option in words {
            match (option, direction) {
                ("transaction:true", _) => {}
                ("transaction:false", Direction::Up) => reading.is_outside = true,
                ("transaction:false", Direction::Down) => reading.is_outside_down = true,
                // The way down runs only where somebody goes back, so its options do not make the file wrong.
                (_, Direction::Down) => {}
                _ => {
                    let message = format!(
                        "the option {} of `-- migrate:up` is not supported: remove it, and write the SQL as it has to run",
                        shown(option)
                    );
                    reading.fault(line, "unknown_directive", message);
                }
            }
        }
        reading.open(direction, directive);
    }
    reading
}
