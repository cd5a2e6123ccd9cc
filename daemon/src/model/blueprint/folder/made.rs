//! What the files of a folder make, by its name, before anything is cut into statements.
//!
//! Invariant: too much rather than too little. What counts as made is treated as the application's, and less is left out.

use std::collections::BTreeSet;

/// Names in lower case, without their schema.
#[derive(Debug, Default)]
pub(super) struct MadeNames {
    pub(super) schemas: BTreeSet<String>,
    pub(super) tables: BTreeSet<String>,
}

/// The names behind `create schema`, `create table`, `rename to` and `select … into`. In a text or a comment they count as well.
pub(super) fn made_by<'a>(files: impl Iterator<Item = &'a str>) -> MadeNames {
    let mut made = MadeNames::default();
    files.for_each(|sql| made.look_at(sql));
    made
}

impl MadeNames {
    fn look_at(&mut self, sql: &str) {
        let is_end = |c: char| c.is_whitespace() || c == ';' || c == '(';
        let words: Vec<&str> = sql.split(is_end).filter(|word| !word.is_empty()).collect();
        let is = |word: &str, expect: &str| word.eq_ignore_ascii_case(expect);
        for (at, word) in words.iter().enumerate() {
            let has_before = |expect: &str| words[..at].iter().rev().take(2).any(|one| is(one, expect));
            let is_made = match *word {
                word if is(word, "schema") || is(word, "table") => has_before("create"),
                word if is(word, "to") => has_before("rename"),
                word if is(word, "into") => !has_before("insert"),
                _ => false,
            };
            let behind = match &words[at + 1..] {
                [first, rest @ ..] if is(first, "if") => rest.get(2..).unwrap_or_default(),
                behind => behind,
            };
            let Some(name) = behind.first().filter(|_| is_made) else { continue };
            let plain = |name: &str| name.trim_matches('"').to_lowercase();
            match is(word, "schema") {
                true => self.schemas.insert(plain(name)),
                false => self.tables.insert(plain(name.rsplit('.').next().unwrap_or(name))),
            };
        }
    }
}
