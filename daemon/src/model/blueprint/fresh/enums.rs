//! `alter type … add value` becomes a part of the `create type` that the same version has: PostgreSQL lets no statement use a value that
//! its own transaction added, and a tool that runs each file in a transaction of its own never meets that.
//!
//! Invariant: the values and their order at the end are those that the statements lead to one by one. Where that cannot be told, such as
//! for a type that is made by a statement in a text, nothing is moved.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::model::blueprint::Migration;
use crate::model::blueprint::lint::words::Words;
use crate::model::blueprint::split::{Piece, split};
use crate::model::blueprint::token::TokenKind;

/// More than any application has; each one is looked for among the others.
const MOST_VALUES: usize = 2_000;

/// Where a statement stands: the number of its file, and its own number in it.
type Place = (usize, usize);

/// What runs in the place of statements; nothing for one whose value the type has from its making on.
pub(super) type Forms = HashMap<Place, Option<String>>;

#[derive(Debug, Default)]
pub(super) struct Folded {
    pub(super) forms: Forms,
    /// The values that have become a part of CREATE TYPE, as they are written.
    pub(super) values: HashSet<String>,
}

/// A type, as `create type … as enum` made it.
struct EnumType {
    made_by: Place,
    /// The values between the parentheses, in the text of that statement.
    list: Range<usize>,
    /// Each value as it is to be made, and as it is called now. Both as they are written, in quotes.
    values: Vec<(String, String)>,
    added: Vec<(Place, String)>,
    /// What becomes of it cannot be told from the statements.
    is_unclear: bool,
}

/// Reads the statements about enums in the order in which they run.
pub(super) fn fold(migrations: &[Migration]) -> Folded {
    let mut types = Types::default();
    for (number, file) in migrations.iter().enumerate() {
        for (of, statement) in file.statements.iter().enumerate() {
            types.read_by(&statement.text);
            if !may_concern_a_type(&statement.text) {
                continue;
            }
            for piece in split(&statement.text).unwrap_or_default() {
                types.read((number, of), &piece);
            }
        }
    }
    types.into_folded(migrations)
}

/// Most statements have not even the word in them.
fn may_concern_a_type(text: &str) -> bool {
    const WORD: &[u8] = b"type";
    text.as_bytes().windows(WORD.len()).any(|bytes| bytes.eq_ignore_ascii_case(WORD))
}

#[derive(Default)]
struct Types {
    all: Vec<EnumType>,
    /// By the name that a type has now.
    named: HashMap<Vec<String>, usize>,
    /// By the words of the names that a type ever had, in lower case.
    by_word: HashMap<String, Vec<usize>>,
    /// Types that a block makes only under a condition.
    conditional: HashSet<Vec<String>>,
    /// Of the types before this one nothing can be told.
    unclear_before: usize,
    /// All values of the types before this one may have been read.
    read_before: usize,
}

impl Types {
    fn read(&mut self, place: Place, piece: &Piece) {
        let words = Words::of(piece);
        if words.starts_with(&["create", "type"]) {
            self.made(place, &words, 0);
        } else if words.starts_with(&["alter", "type"]) {
            self.changed(place, &words);
        } else if words.starts_with(&["drop", "type"]) {
            let mut at = words.skip(2, &[&["if", "exists"]]);
            while let (name, after) = words.dotted_name(at)
                && !name.is_empty()
            {
                self.named.remove(&name);
                at = after + 1;
            }
        } else if words.starts_with(&["do"]) {
            self.made_in_a_block(place, piece);
        }
    }

    /// A block that may make, change or drop the types that it names.
    fn doubt(&mut self, block: &str) {
        let block = block.to_lowercase();
        if !block.contains("type") && !block.contains("value") {
            return;
        }
        if block.contains("execute") {
            self.unclear_before = self.all.len();
        }
        let is_changed = block.contains("value") || block.contains("drop") || block.contains("rename");
        for word in block.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|_| is_changed) {
            for known in self.by_word.get(word).into_iter().flatten() {
                self.all[*known].is_unclear = true;
            }
        }
    }

    /// What reads all values of a type would see those that come later as well.
    fn read_by(&mut self, text: &str) {
        const ALL_VALUES: [&str; 4] = ["enum_range", "enum_first", "enum_last", "pg_enum"];
        let lower = text.to_lowercase();
        if ALL_VALUES.iter().any(|word| lower.contains(word)) {
            self.read_before = self.all.len();
        }
    }

    /// `create type name as enum ('a', 'b')`, with `before` bytes of the statement in front of it.
    fn made(&mut self, place: Place, words: &Words<'_>, before: usize) {
        let (name, at) = words.dotted_name(2);
        if name.is_empty() || !words.matches(at, &["as", "enum"]) || !words.is_symbol(at + 2, b'(') {
            return;
        }
        let first = at + 3;
        let Some(end) = (first..words.len()).find(|at| words.is_symbol(*at, b')')) else { return };
        let values: Vec<(String, String)> = (first..end)
            .filter(|at| words.is_text(*at))
            .map(|at| (words.text(at).to_owned(), words.text(at).to_owned()))
            .collect();
        let list = before + words.range(at + 2).end..before + words.range(end).start;
        let made = EnumType { made_by: place, list, values, added: Vec::new(), is_unclear: false };
        self.name(name, self.all.len());
        self.all.push(made);
    }

    /// A block that makes a type and ignores that it stands, as drizzle writes it.
    fn made_in_a_block(&mut self, place: Place, piece: &Piece) {
        let text = &piece.statement.text;
        self.doubt(text);
        let body = piece.tokens.iter().find(|token| token.kind == TokenKind::DollarText);
        let Some(body) = body else { return };
        let Some(length) = text[body.start + 1..body.end].find('$').map(|at| at + 2) else { return };
        let inner = &text[body.start + length..body.end - length];
        let drops = inner.to_lowercase().contains("drop type");
        for piece in split(inner).unwrap_or_default() {
            // The first statement stands behind `begin`.
            let words = Words::of(&piece);
            let Some(at) = words.find(&["create", "type"]) else { continue };
            if at > 1 {
                self.conditional.insert(words.dotted_name(at + 2).0);
                continue;
            }
            let start = words.range(at).start;
            let begins = body.start + length + piece.statement.offset + start;
            for piece in split(&piece.statement.text[start..]).unwrap_or_default() {
                let words = Words::of(&piece);
                let name = words.dotted_name(2).0;
                if let Some(known) = self.named.get(&name) {
                    // It stands already, or was dropped in the same block.
                    self.all[*known].is_unclear |= drops;
                } else if !self.conditional.contains(&name) {
                    self.made(place, &words, begins);
                }
            }
        }
    }

    fn name(&mut self, name: Vec<String>, known: usize) {
        let words = name.last().map(|name| name.to_lowercase()).unwrap_or_default();
        for word in words.split(|c: char| !c.is_alphanumeric() && c != '_') {
            self.by_word.entry(word.to_owned()).or_default().push(known);
        }
        self.named.insert(name, known);
    }

    fn changed(&mut self, place: Place, words: &Words<'_>) {
        let (name, at) = words.dotted_name(2);
        let Some(known) = self.named.get(&name).copied() else { return };
        if words.matches(at, &["rename", "to"]) {
            self.named.remove(&name);
            let mut renamed = name;
            if let (Some(last), Some(to)) = (renamed.last_mut(), words.name(at + 2)) {
                *last = to;
                self.name(renamed, known);
            }
        } else if words.matches(at, &["set", "schema"]) {
            self.named.remove(&name);
        } else if words.matches(at, &["rename", "value"]) {
            let (from, to) = (words.text(at + 2), words.text(at + 4));
            match self.all[known].values.iter_mut().find(|(_, now)| now == from) {
                Some((_, now)) => to.clone_into(now),
                None => self.all[known].is_unclear = true,
            }
        } else if words.matches(at, &["add", "value"]) {
            let value = words.skip(at + 2, &[&["if", "not", "exists"]]);
            self.all[known].is_unclear |= known < self.read_before;
            self.all[known].add(place, words, value, value > at + 2);
        }
    }

    fn into_folded(mut self, migrations: &[Migration]) -> Folded {
        let mut folded = Folded::default();
        for one in &mut self.all[..self.unclear_before] {
            one.is_unclear = true;
        }
        // One block may make several types, and a list that grows moves what stands behind it.
        self.all.sort_by_key(|one| Reverse(one.list.start));
        for one in self.all.into_iter().filter(|one| !one.added.is_empty() && !one.is_unclear) {
            let (file, of) = one.made_by;
            let made = &migrations[file].statements[of].text;
            let values: Vec<&str> = one.values.iter().map(|(made_as, _)| made_as.as_str()).collect();
            let form = folded.forms.entry(one.made_by).or_insert_with(|| Some(made.clone()));
            form.get_or_insert_default().replace_range(one.list, &values.join(", "));
            for (place, value) in one.added {
                folded.forms.insert(place, None);
                folded.values.insert(value);
            }
        }
        folded
    }
}

impl EnumType {
    /// `add value [if not exists] 'c' [before|after 'b']`
    fn add(&mut self, place: Place, words: &Words<'_>, at: usize, may_stand: bool) {
        if self.is_unclear || self.values.len() > MOST_VALUES {
            self.is_unclear = true;
            return;
        }
        let value = words.text(at);
        if self.values.iter().any(|(_, now)| now == value) {
            if may_stand {
                self.added.push((place, value.to_owned()));
            }
            // The server refuses it otherwise, as it would one by one.
            return;
        }
        let neighbour = |at| self.values.iter().position(|(_, now)| now == words.text(at));
        let position = match () {
            () if words.is(at + 1, "before") => neighbour(at + 2),
            () if words.is(at + 1, "after") => neighbour(at + 2).map(|found| found + 1),
            () => Some(self.values.len()),
        };
        let Some(position) = position.filter(|_| words.is_text(at)) else {
            self.is_unclear = true;
            return;
        };
        self.is_unclear |= self.values.iter().any(|(made_as, _)| made_as == value);
        self.values.insert(position, (value.to_owned(), value.to_owned()));
        self.added.push((place, value.to_owned()));
    }
}
