//! A file of anchors: hashes of the trail that were written down elsewhere.
//!
//! The first line is `tenantry-anchors 1 <trail>`, and every other line is `seq hash`. The file is read as a stream. If it
//! has more lines than a verification takes, the newest one and others spread evenly are kept.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use tenantry_protocol::audit::AuditAnchor;
use uuid::Uuid;

use crate::cli::error::CliError;

/// As many anchors as a verification takes.
const MOST: usize = 50_000;
const HEADER: &str = "tenantry-anchors 1 ";
/// Longer than any line of such a file; a longer line means that the file is something else.
const MAX_LINE: u64 = 200;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Anchors {
    pub(super) trail: Uuid,
    /// Oldest first.
    pub(super) anchors: Vec<AuditAnchor>,
    /// Lines in the file; `anchors` holds those that were kept.
    pub(super) lines: u64,
}

pub(super) fn read(path: &Path) -> Result<Anchors, CliError> {
    let wrong = |problem: String| CliError::File {
        doing: "cannot use the anchors in",
        path: path.to_owned(),
        problem,
    };
    let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
    read_from(BufReader::new(file), MOST).map_err(wrong)
}

fn read_from(mut lines: impl BufRead, most: usize) -> Result<Anchors, String> {
    let header = next_line(&mut lines, 1)?.map(|line| line.text).unwrap_or_default();
    let trail = header.strip_prefix(HEADER).and_then(|trail| Uuid::parse_str(trail.trim()).ok());
    let trail = trail.ok_or_else(|| {
        format!("it is no file of anchors: its first line has to be '{HEADER}' and the trail's id")
    })?;
    let (mut kept, mut every, mut count) = (Vec::new(), 1, 0);
    let mut last: Option<AuditAnchor> = None;
    while let Some(line) = next_line(&mut lines, count + 2)? {
        let Some(anchor) = anchor(&line.text) else {
            if !line.is_whole {
                // The copy was made while this line was being written.
                break;
            }
            return Err(format!(
                "line {} is no anchor: it has to be an event's number and its hash, 64 hexadecimal digits",
                count + 2
            ));
        };
        if last.as_ref().is_some_and(|last| last.seq >= anchor.seq) {
            return Err(format!("line {} is not in order: {} is there already", count + 2, anchor.seq));
        }
        if count % every == 0 {
            kept.push(anchor.clone());
        }
        if kept.len() >= most {
            // Every second anchor is dropped, here and from now on.
            let mut keep = false;
            kept.retain(|_| {
                keep = !keep;
                keep
            });
            every *= 2;
        }
        count += 1;
        last = Some(anchor);
    }
    if let Some(last) = last.filter(|last| kept.last() != Some(last)) {
        kept.push(last);
    }
    if kept.is_empty() {
        return Err("there is no anchor in it".to_owned());
    }
    Ok(Anchors { trail, anchors: kept, lines: count })
}

struct TextLine {
    text: String,
    /// Whether the line has its line end.
    is_whole: bool,
}

fn next_line(lines: &mut impl BufRead, number: u64) -> Result<Option<TextLine>, String> {
    let mut text = String::new();
    let read = std::io::Read::take(lines, MAX_LINE).read_line(&mut text);
    let read = read.map_err(|error| format!("line {number} cannot be read: {error}"))?;
    if read == 0 {
        return Ok(None);
    }
    if read as u64 == MAX_LINE {
        return Err(format!("line {number} is longer than any anchor; it is no file of anchors"));
    }
    let is_whole = text.ends_with('\n');
    Ok(Some(TextLine { text: text.trim_end().to_owned(), is_whole }))
}

fn anchor(line: &str) -> Option<AuditAnchor> {
    let (seq, hash) = line.split_once(' ')?;
    let seq = seq.parse::<i64>().ok().filter(|seq| *seq >= 1)?;
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_hash.then(|| AuditAnchor { seq, hash: hash.to_owned() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn file(anchors: impl Iterator<Item = i64>) -> String {
        let mut text = format!("{HEADER}{}\n", Uuid::from_u128(7));
        for seq in anchors {
            text.push_str(&format!("{seq} {seq:064x}\n"));
        }
        text
    }

    #[test]
    fn few_are_all_kept_and_of_many_the_newest_and_others_spread_evenly() {
        let few = read_from(file(1..=5).as_bytes(), 10).unwrap();
        assert_eq!((few.trail, few.anchors.len(), few.lines), (Uuid::from_u128(7), 5, 5));
        assert_eq!(few.anchors[4], AuditAnchor { seq: 5, hash: format!("{:064x}", 5) });
        let many = read_from(file(1..=1_003).as_bytes(), 10).unwrap();
        let numbers: Vec<i64> = many.anchors.iter().map(|anchor| anchor.seq).collect();
        assert!(numbers.len() <= 10 && numbers.len() > 4, "{numbers:?}");
        assert_eq!((numbers[0], numbers[numbers.len() - 1]), (1, 1_003));
        let gaps: Vec<i64> = numbers.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps[..gaps.len() - 1].iter().all(|gap| *gap == gaps[0]), "{numbers:?}");
    }

    #[test]
    fn a_line_that_was_being_written_is_no_error_and_any_other_wrong_one_is() {
        let torn = format!("{}4 00ab", file(1..=3));
        assert_eq!(read_from(torn.as_bytes(), 10).unwrap().anchors.len(), 3);
        let wrong = |text: &str| read_from(text.as_bytes(), 10).unwrap_err();
        assert!(wrong("").contains("no file of anchors"));
        assert!(wrong("tenantry-anchors 1 x\n").contains("no file of anchors"));
        assert!(wrong(&file(0..0)).contains("no anchor in it"));
        assert!(wrong(&format!("{}x\n", file(1..=3))).starts_with("line 5 is no anchor"));
        assert!(wrong(&file([3, 3].into_iter())).starts_with("line 3 is not in order"));
        assert!(wrong(&format!("{}{}", file(1..=1), "7".repeat(500))).contains("longer than any anchor"));
    }
}
