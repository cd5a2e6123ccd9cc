//! What takes a migration back: `U1__x.sql`, `1_x.down.sql`, `1_x/down.sql`, or the way down in the file itself.
//!
//! Invariant: a way back can run in the one transaction that takes a tenant back; what cannot is left out, with a warning that says
//! why, since a version without ways back is as good for all else. This module must not decide whether it is run.

use std::sync::Arc;

use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::plan::Severity;

use super::adapt::adapt;
use super::directive;
use super::findings::{FileLine, Findings};
use super::folder::Named;
use super::lint::{Linter, Marking, is_plain};
use super::outside;
use super::sections::{self, Marker, Sections, Way};
use super::split::{self, Piece};
use super::{Bounds, Checksum, Migration, SourceFile};

/// The way back of a migration, if it has one.
pub(super) fn read(named: &Named<'_>, tenancy: Tenancy, findings: &mut Findings) -> Option<Arc<Migration>> {
    let (file, way) = match (named.undone_by, named.sections) {
        (Some(file), _) => (file, None),
        (None, Some(sections)) => (named.file, Some(sections::down(sections, &named.file.content)?)),
        (None, None) => return None,
    };
    match pieces(named, file, way.as_ref(), tenancy) {
        // Tools write an empty way down into each new file.
        Ok(pieces) if pieces.is_empty() => None,
        Ok(pieces) => Some(Arc::new(migration(named, file, way, pieces))),
        Err(Unusable { line, why }) => {
            let up = &named.file.path;
            let message = format!(
                "{} cannot take {up} back, so that tenants of this version cannot go to an earlier one: {why}",
                if file.path == *up { "its way down" } else { &file.path }
            );
            findings.warning("no_way_back", FileLine { file: &file.path, line }, message);
            None
        }
    }
}

/// Why a way back cannot be used.
struct Unusable {
    /// Counted from 1.
    line: u32,
    why: String,
}

impl Unusable {
    fn new(line: u32, why: impl Into<String>) -> Self {
        Self { line, why: why.into() }
    }
}

fn pieces(
    named: &Named<'_>,
    file: &SourceFile,
    way: Option<&Way>,
    tenancy: Tenancy,
) -> Result<Vec<Piece>, Unusable> {
    const OUTSIDE: &str = "it is to run outside of transactions, and a tenant is taken back in one";
    let filled = named.filled_in(&file.content).map_err(|names| {
        let (line, name) = names.first().map_or((1, ""), |first| (first.line, first.name));
        Unusable::new(line, format!("its placeholder ${{{name}}} has no value"))
    })?;
    let text = way.map_or(filled.as_ref(), |way| &way.masked);
    if let Some(way) = way.filter(|way| way.is_outside) {
        return Err(Unusable::new(way.line, OUTSIDE));
    }
    if way.is_none() {
        // All of the file is a way down, so a heading that says so divides nothing.
        let is_heading = |marker: &Marker| marker.sections == Sections::Foreign(sections::UNKNOWN);
        if let Some(marker) = sections::markers(text).find(|marker| !is_heading(marker)) {
            return Err(Unusable::new(
                marker.line,
                format!("it has sections in the manner of {}", marker.sections),
            ));
        }
        if outside::has_remark(text) {
            return Err(Unusable::new(1, OUTSIDE));
        }
    }
    let mut pieces = split::split(text).map_err(|error| Unusable::new(error.line, error.to_string()))?;
    if let Some(fault) = directive::attach(text, &mut pieces).into_iter().next() {
        return Err(Unusable::new(fault.line, fault.message));
    }
    if let Some(at) = way.and_then(|way| way.cuts(&pieces)) {
        return Err(Unusable::new(
            split::line_of(&file.content, at),
            "a directive stands inside a statement",
        ));
    }
    if let Some(piece) = pieces.iter().find(|piece| piece.statement.batched.is_some()) {
        return Err(Unusable::new(
            piece.statement.line,
            "batches have transactions of their own, and a tenant is taken back in one",
        ));
    }
    let mut judged = Findings::default();
    adapt(named, &file.path, &Bounds::Inside, &mut pieces, &mut judged);
    let mut linter = Linter::of(tenancy);
    let marking = Marking::Inside("nowhere: a tenant is taken back in one transaction");
    linter.begin(marking);
    pieces.iter().for_each(|piece| linter.look_at(&file.path, marking, piece, &mut judged));
    linter.finish(&mut judged);
    let error = judged.into_sorted().into_iter().find(|finding| finding.severity == Severity::Error);
    error.map_or(Ok(pieces), |error| Err(Unusable::new(error.line.unwrap_or(1), error.message)))
}

fn migration(named: &Named<'_>, file: &SourceFile, way: Option<Way>, pieces: Vec<Piece>) -> Migration {
    let sql = way.map_or(file.content.as_str(), |way| &file.content[way.range]);
    Migration {
        path: file.path.clone(),
        version: named.version.clone(),
        title: named.title.clone(),
        is_plain: pieces.iter().all(is_plain),
        is_declarative: false,
        statements: pieces.into_iter().map(|piece| piece.statement).collect(),
        checksum: Checksum::of(sql.as_bytes()),
        bytes: sql.len() as u64,
        bounds: Bounds::Inside,
        sql: Arc::from(sql),
        content: Arc::from(file.content.as_str()),
        way_back: None,
        extensions: Vec::new(),
        takes_back: Some(named.file.path.clone()),
    }
}
