//! Extensions that a version's statements use without a word about them, since an administrator was to install them.
//!
//! Only what can be nothing else counts: names that these extensions alone have, and that no statement makes.

use std::collections::BTreeSet;

use super::words::Words;
use crate::model::blueprint::Blueprint;
use crate::model::blueprint::split::{Piece, split};

/// Names in statements, and the extension that has them.
const NAMES: &[(&str, &str)] = &[
    ("gin_trgm_ops|gist_trgm_ops", "pg_trgm"),
    ("citext", "citext"),
    ("hstore", "hstore"),
    ("ltree|lquery|ltxtquery", "ltree"),
    ("uuid_generate_v1|uuid_generate_v1mc|uuid_generate_v3|uuid_generate_v4|uuid_generate_v5", "uuid-ossp"),
    ("gen_salt|gen_random_bytes|pgp_sym_encrypt|pgp_sym_decrypt", "pgcrypto"),
    ("unaccent", "unaccent"),
];

/// The extensions that the version uses and does not declare.
pub fn extensions_used(version: &Blueprint) -> BTreeSet<&'static str> {
    let mut used = BTreeSet::new();
    let mut made = BTreeSet::new();
    for statement in version.migrations.iter().flat_map(|file| &file.statements) {
        for piece in split(&statement.text).unwrap_or_default() {
            look_at(&piece, &mut used, &mut made);
        }
    }
    used.into_iter()
        .filter(|(name, extension)| {
            !made.contains(name) && !version.extensions.iter().any(|declared| declared == extension)
        })
        .map(|(_, extension)| extension)
        .collect()
}

fn look_at(piece: &Piece, used: &mut BTreeSet<(String, &'static str)>, made: &mut BTreeSet<String>) {
    let words = Words::of(piece);
    if words.starts_with(&["create"]) {
        let kind = words.skip(1, &[&["or", "replace"]]);
        if words.is(kind, "function|type|domain|table") {
            let (parts, _) = words.dotted_name(words.skip(kind + 1, &[&["if", "not", "exists"]]));
            made.extend(parts.into_iter().next_back());
        }
    }
    for at in 0..words.len() {
        let known = NAMES.iter().find(|(names, _)| words.is(at, names));
        if let Some((_, extension)) = known {
            used.insert((words.text(at).to_lowercase(), *extension));
        }
    }
    if is_gist_of_equals(&words) {
        used.insert((String::new(), "btree_gist"));
    }
}

/// `exclude using gist (a with =, …)`, which GiST does for plain types with that extension alone.
fn is_gist_of_equals(words: &Words<'_>) -> bool {
    let Some(exclude) = words.find(&["exclude", "using", "gist"]) else { return false };
    (exclude..words.len()).any(|at| words.is(at, "with") && words.text(at + 1) == "=")
}
