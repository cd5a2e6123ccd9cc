//! What runs otherwise than a file says, because a tenant has its own schema, its own owner and one transaction for all of its files.
//!
//! Invariant: the file stays what is stored, shown to others and covered by checksums; each thing that is done otherwise is told in a note.

mod elsewhere;
mod mapping;
mod transactions;

use super::Bounds;
use super::findings::{FileLine, Findings, shown};
use super::folder::Named;
use super::lint::words::Words;
use super::split::{Piece, line_of};

pub(super) use elsewhere::{is_extension_made, is_timeout};
pub(super) use transactions::{divides, is_edge};

/// What was made of a file.
pub(super) struct Adapted {
    /// The extensions that its statements would have installed.
    pub(super) extensions: Vec<String>,
    /// The line of a statement whose code names `public`, where no schema of the application is known.
    pub(super) public_in_code: Option<u32>,
    /// Something runs otherwise than it is written.
    pub(super) is_otherwise: bool,
}

/// Adapts the statements of this file of a migration.
pub(super) fn adapt(
    named: &Named<'_>,
    file: &str,
    bounds: &Bounds,
    pieces: &mut Vec<Piece>,
    findings: &mut Findings,
) -> Adapted {
    let schemas = named.schemas;
    let written = pieces.len();
    if (*bounds == Bounds::Inside || divides(pieces))
        && let Some(line) = transactions::take_out_pairs(pieces)
    {
        let message = "BEGIN and COMMIT are left out: a new tenant is made in one transaction anyway, and so are the \
                       files of an upgrade, but for those outside of it";
        findings.note("own_transaction", FileLine { file, line }, message);
    }
    let extensions = elsewhere::take_out(named, file, bounds, pieces, findings);
    let spares_triggers = elsewhere::spare_the_servers_triggers(file, pieces, findings);
    let is_mapped = !schemas.is_empty() && map_names(file, schemas, pieces, findings);
    let names_public = |piece: &&Piece| mapping::is_in_code(&piece.statement.text, "public");
    let public_in_code = match schemas {
        [] => pieces.iter().find(names_public).map(|piece| piece.statement.line),
        _ => None,
    };
    Adapted {
        extensions,
        public_in_code,
        is_otherwise: is_mapped || spares_triggers || pieces.len() != written,
    }
}

/// Each is looked for in all statements of its file.
const MOST_TEMPORARY: usize = 50;

/// A temporary table stands before one of the same name, so a name without its schema would lead to another table than with it.
fn shadowed(file: &str, schemas: &[String], pieces: &[Piece], findings: &mut Findings) {
    let made = pieces
        .iter()
        .filter_map(|piece| temporary(&Words::of(piece)).map(|name| (name, piece.statement.line)));
    let made: Vec<(String, u32)> = made.take(MOST_TEMPORARY).collect();
    for (name, line) in made {
        let is_named = |schema: &&String| {
            pieces.iter().any(|piece| mapping::names(&piece.statement.text, schema, &name))
        };
        if let Some(schema) = schemas.iter().find(is_named) {
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

fn map_names(file: &str, schemas: &[String], pieces: &mut [Piece], findings: &mut Findings) -> bool {
    shadowed(file, schemas, pieces, findings);
    let is_mapped = mapping::map_all(pieces, schemas);
    for piece in pieces {
        let statement = &piece.statement;
        let left =
            |schema: &String| mapping::left_in_a_text(&statement.text, schema).map(|at| (schema.clone(), at));
        if let Some((schema, at)) = schemas.iter().find_map(left) {
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
