//! Which files run outside the transaction: because the file says so in the way of its tool, or because of what it
//! contains.
//!
//! Invariant: a file runs outside only because its author said so or because it could not run otherwise. This module must
//! not judge the statements; the lints do that.

use super::Bounds;
use super::adapt::{divides, is_edge, is_extension_made, is_timeout};
use super::convention::Convention;
use super::findings::{FileLine, Findings};
use super::folder::Named;
use super::lint;
use super::sections::Way;
use super::split::{Piece, line_of};

/// The part of a blueprint that a file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Migrations,
    Seed,
}

/// The directive of sqlx.
const REMARK: &str = "-- no-transaction";
/// Those of Atlas and of postgres-migrations, which read the names of golang-migrate and plain numbers.
const OTHER_REMARKS: [&str; 2] = ["-- atlas:txmode none", "-- postgres-migrations disable-transaction"];

/// The bounds of a file. `up` is the part of it that runs, if the file is divided; `pieces` are its statements.
pub(super) fn bounds(
    named: &Named<'_>,
    part: Part,
    up: Option<&Way>,
    pieces: &[Piece],
    findings: &mut Findings,
) -> Bounds {
    let Named { file, convention, marked_by, .. } = named;
    let remark = line_with(REMARK, &file.content);
    let is_marked = marked_by.is_some() || up.is_some_and(|up| up.is_outside);
    if let Some(line) = remark.filter(|_| !is_marked) {
        let place = FileLine { file: &file.path, line };
        match (part, convention) {
            (Part::Seed, _) => {
                let message = format!(
                    "`{REMARK}` is not possible here: the seed is loaded in a transaction. Remove it, and move what \
                     needs it into a migration"
                );
                findings.error("no_transaction", place, message);
                return Bounds::Inside;
            }
            (_, Some(other)) if !other.knows_the_remark() => {
                let message = format!(
                    "`{REMARK}` means nothing to {other}: take the file out of the transaction in its own way \
                     ({}), or remove the line",
                    other.how_to_take_out()
                );
                findings.error("no_transaction", place, message);
                return Bounds::Inside;
            }
            _ if line > 1 => {
                let message =
                    format!("sqlx sees `{REMARK}` only in the first line: move it there, or remove it");
                findings.error("no_transaction", place, message);
                return Bounds::Inside;
            }
            _ => return Bounds::Outside { marked_by: None },
        }
    }
    let knows = |knows: fn(Convention) -> bool| convention.is_some_and(knows);
    let is_found = (knows(Convention::sends_files_whole) && is_alone(pieces))
        // Flyway looks for such statements itself, and refuses a file that has others beside them. Plain files may be for psql, which
        // opens no transaction.
        || (knows(|convention| convention == Convention::Flyway || convention.knows_the_remark()) && is_for_outside(pieces))
        || (divides(pieces) && is_for_outside(pieces))
        || (knows(Convention::knows_the_remark) && OTHER_REMARKS.iter().any(|other| line_with(other, &file.content).is_some()));
    if is_marked || (part == Part::Migrations && is_found) {
        return Bounds::Outside { marked_by: marked_by.cloned() };
    }
    Bounds::Inside
}

/// Whether the text asks to run outside a transaction in the manner of sqlx.
pub(super) fn has_remark(content: &str) -> bool {
    [REMARK].iter().chain(&OTHER_REMARKS).any(|remark| line_with(remark, content).is_some())
}

/// The server opens no transaction block for a single statement.
fn is_alone(pieces: &[Piece]) -> bool {
    matches!(pieces, [piece] if lint::is_only_for_outside(piece))
}

/// Whether nothing in the file could be in a transaction, but for what is left out.
fn is_for_outside(pieces: &[Piece]) -> bool {
    let is_left_out = |piece: &Piece| is_timeout(piece) || is_extension_made(piece) || is_edge(piece);
    let mut others = pieces.iter().filter(|piece| !is_left_out(piece)).peekable();
    others.peek().is_some() && others.all(lint::is_only_for_outside)
}

/// The line of a directive, if it precedes the first statement.
fn line_with(remark: &str, content: &str) -> Option<u32> {
    let text = content.strip_prefix('\u{feff}').unwrap_or(content);
    let opening = text.lines().map(str::trim).take_while(|line| line.is_empty() || line.starts_with("--"));
    let at = opening.into_iter().position(|line| line == remark)?;
    let offset: usize = text.split_inclusive('\n').take(at).map(str::len).sum();
    Some(line_of(text, offset))
}
