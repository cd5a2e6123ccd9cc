//! What runs otherwise than a file says, because a tenant has its own schema, its own owner and one transaction for all of its files.
//!
//! Invariant: the file stays what is stored, shown to others and covered by checksums; each thing that is done otherwise is told in a note.

mod elsewhere;
mod mapping;
mod transactions;

use super::Bounds;
use super::findings::{FileLine, Findings, shown};
use super::lint::words::Words;
use super::split::{Piece, line_of};

pub(super) use elsewhere::is_timeout;

/// What was made of a file.
pub(super) struct Adapted {
    /// The extensions that its statements would have installed.
    pub(super) extensions: Vec<String>,
    /// Something runs otherwise than it is written.
    pub(super) is_otherwise: bool,
}

/// Adapts the statements of a file. `schema` is the one whose place the tenant's takes.
pub(super) fn adapt(
    file: &str,
    schema: Option<&str>,
    bounds: &Bounds,
    pieces: &mut Vec<Piece>,
    findings: &mut Findings,
) -> Adapted {
    let written = pieces.len();
    if *bounds == Bounds::Inside
        && let Some(line) = transactions::take_out_pairs(pieces)
    {
        let message = "BEGIN and COMMIT are left out: the file runs in one transaction anyway, with the others of a new \
                       tenant, or with those of an upgrade";
        findings.note("own_transaction", FileLine { file, line }, message);
    }
    let extensions = elsewhere::take_out(file, schema, bounds, pieces, findings);
    let is_mapped = schema.is_some_and(|schema| map_names(file, schema, pieces, findings));
    Adapted { extensions, is_otherwise: is_mapped || pieces.len() != written }
}

/// A temporary table stands before one of the same name, so a name without its schema would lead to another table than with it.
fn shadowed(file: &str, schema: &str, pieces: &[Piece], findings: &mut Findings) {
    let made = pieces
        .iter()
        .filter_map(|piece| temporary(&Words::of(piece)).map(|name| (name, piece.statement.line)));
    let made: Vec<(String, u32)> = made.collect();
    for (name, line) in made {
        if pieces.iter().any(|piece| mapping::names(&piece.statement.text, schema, &name)) {
            let message = format!(
                "the file names {} in {schema} and makes a temporary table of that name, which stands before it once names are without \
                 their schema: give the temporary table another name",
                shown(&name)
            );
            findings.error("temporary_name", FileLine { file, line }, message);
        }
    }
}

/// The name in `create temp table name`.
fn temporary(words: &Words<'_>) -> Option<String> {
    let at = words.skip(1, &[&["local"], &["global"]]);
    let is_one = words.starts_with(&["create"]) && words.matches(at, &["temp|temporary", "table|view"]);
    is_one.then(|| words.name(words.skip(at + 2, &[&["if", "not", "exists"]]))).flatten()
}

fn map_names(file: &str, schema: &str, pieces: &mut [Piece], findings: &mut Findings) -> bool {
    shadowed(file, schema, pieces, findings);
    let is_mapped = mapping::map_all(pieces, schema);
    for piece in pieces {
        let statement = &piece.statement;
        if let Some(at) = mapping::left_in_a_text(&statement.text, schema) {
            let line = statement.line + line_of(&statement.text, at) - 1;
            let message = format!(
                "this text has the name of the schema {schema}, which is another one in each tenant: if it is compared with a \
                 schema or read as a name, use current_schema() or leave the schema out"
            );
            findings.warning("schema_in_text", FileLine { file, line }, message);
        }
    }
    is_mapped
}
