//! Definitions of columns, as far as it matters whether a change of one reads or writes every row.
//!
//! Only the text is read: a type that is not known here counts as one whose change writes the table anew.

use super::super::words::Words;

/// Words that begin a constraint of a column, and so end its type.
const BEHIND_A_TYPE: &str =
    "constraint|not|null|default|generated|check|unique|primary|references|collate|storage|compression|using";

/// Functions that give one value in a transaction, or always the same for the same arguments.
const STEADY: &str = "now|transaction_timestamp|statement_timestamp|coalesce|nullif|lower|upper|concat|format|length|\
                      jsonb_build_object|jsonb_build_array|json_build_object|json_build_array|to_jsonb|make_date|\
                      make_interval|current_setting|date_trunc|greatest|least|array|varchar|char|numeric|decimal|\
                      timestamp|timestamptz|time|interval|character|varying|bit|in|row|date_part|timezone|to_timestamp|to_date|abs|round|md5";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ColumnType {
    Text,
    /// With its length, unless it is unconstrained.
    Varchar(Option<u32>),
    /// With precision and scale, unless it is unconstrained.
    Numeric(Option<(u32, u32)>),
    Other(String),
}

impl ColumnType {
    /// The type whose tokens are `begin..end`.
    pub(super) fn read(words: &Words<'_>, begin: usize, end: usize) -> Self {
        let number = |at: usize| words.text(at).parse::<u32>().ok();
        let is_open = |at| words.is_symbol(at, b'(');
        let is_closed = |at| words.is_symbol(at, b')');
        if words.is(begin, "text") && end == begin + 1 {
            return Self::Text;
        }
        let behind_name = if words.is(begin, "varchar") { begin + 1 } else { begin + 2 };
        if words.is(begin, "varchar") || words.matches(begin, &["character", "varying"]) {
            if end == behind_name {
                return Self::Varchar(None);
            }
            if is_open(behind_name)
                && is_closed(behind_name + 2)
                && end == behind_name + 3
                && let Some(length) = number(behind_name + 1)
            {
                return Self::Varchar(Some(length));
            }
        }
        if words.is(begin, "numeric|decimal") {
            if end == begin + 1 {
                return Self::Numeric(None);
            }
            if let (true, Some(precision)) = (is_open(begin + 1), number(begin + 2)) {
                if is_closed(begin + 3) && end == begin + 4 {
                    return Self::Numeric(Some((precision, 0)));
                }
                if let (true, Some(scale)) = (is_closed(begin + 5) && end == begin + 6, number(begin + 4)) {
                    return Self::Numeric(Some((precision, scale)));
                }
            }
        }
        let texts: Vec<String> = (begin..end).map(|at| words.text(at).to_lowercase()).collect();
        Self::Other(texts.join(" "))
    }

    /// Whether PostgreSQL changes the type in its catalog alone: each value that is there is one of the new type as it is.
    pub(super) fn becomes_without_rewrite(&self, new: &Self) -> bool {
        match (self, new) {
            (old, new) if old == new => true,
            (Self::Text | Self::Varchar(_), Self::Text | Self::Varchar(None)) => true,
            (Self::Varchar(Some(old)), Self::Varchar(Some(new))) => new >= old,
            (Self::Numeric(_), Self::Numeric(None)) => true,
            (Self::Numeric(Some((old, scale))), Self::Numeric(Some((new, same)))) => {
                scale == same && new >= old
            }
            _ => false,
        }
    }
}

/// A column as `name type constraints` defines it, up to `end`.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: ColumnType,
    pub(super) is_required: bool,
    pub(super) default: Option<ColumnDefault>,
    /// An identity, a serial type or a stored generated column: each row gets a value of its own.
    pub(super) is_filled: bool,
    pub(super) has_check: bool,
    pub(super) is_key: bool,
    pub(super) has_reference: bool,
}

/// The default of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnDefault {
    Null,
    /// One value for all rows, which is kept in the catalog.
    Constant,
    /// A call that may give another value for each row.
    PerRow,
}

impl Column {
    pub(super) fn read(words: &Words<'_>, begin: usize, end: usize) -> Option<Self> {
        let name = words.name(begin)?;
        let tops = top_level(words, begin + 1, end);
        let behind_type = tops.iter().copied().find(|at| words.is(*at, BEHIND_A_TYPE)).unwrap_or(end);
        let has = |pattern: &[&str]| tops.iter().any(|at| *at >= behind_type && words.matches(*at, pattern));
        let is_serial = words.is(begin + 1, "serial|bigserial|smallserial|serial4|serial8|serial2");
        let is_virtual = tops.iter().any(|at| words.is(*at, "virtual"));
        let is_generated = has(&["generated"]);
        let is_key = has(&["primary", "key"]) || has(&["unique"]);
        Some(Self {
            name,
            kind: ColumnType::read(words, begin + 1, behind_type),
            is_required: has(&["not", "null"]) || has(&["primary", "key"]),
            default: default_of(words, &tops, end),
            is_filled: is_serial || (is_generated && !is_virtual),
            has_check: has(&["check"]),
            is_key,
            has_reference: has(&["references"]),
        })
    }
}

fn default_of(words: &Words<'_>, tops: &[usize], end: usize) -> Option<ColumnDefault> {
    let at = tops.iter().copied().find(|at| words.is(*at, "default"))? + 1;
    let ends = "constraint|check|unique|primary|references|generated|collate|not";
    let behind = tops.iter().copied().find(|top| *top > at && words.is(*top, ends)).unwrap_or(end);
    if words.is(at, "null") {
        return Some(ColumnDefault::Null);
    }
    let calls =
        |at: &usize| words.name(*at).is_some() && words.is_symbol(at + 1, b'(') && !words.is(*at, STEADY);
    Some(if (at..behind).any(|at| calls(&at)) { ColumnDefault::PerRow } else { ColumnDefault::Constant })
}

/// The positions within `begin..end` that no parenthesis encloses; an opening one is among them, and what it holds is not.
pub(super) fn top_level(words: &Words<'_>, begin: usize, end: usize) -> Vec<usize> {
    let mut depth = 0_usize;
    let mut found = Vec::new();
    for at in begin..end {
        if words.is_symbol(at, b')') || words.is_symbol(at, b']') {
            depth = depth.saturating_sub(1);
        }
        if depth == 0 {
            found.push(at);
        }
        if words.is_symbol(at, b'(') || words.is_symbol(at, b'[') {
            depth += 1;
        }
    }
    found
}

/// The parts of `begin..end` between commas that no parenthesis encloses.
pub(super) fn parts(words: &Words<'_>, begin: usize, end: usize) -> Vec<(usize, usize)> {
    let mut start = begin;
    let mut found = Vec::new();
    for at in top_level(words, begin, end) {
        if words.is_symbol(at, b',') {
            found.push((start, at));
            start = at + 1;
        }
    }
    found.push((start, end));
    found
}

/// The position behind the parenthesis that opens at `at`.
pub(super) fn behind_parenthesis(words: &Words<'_>, at: usize) -> usize {
    let mut depth = 0_usize;
    for at in at..words.len() {
        if words.is_symbol(at, b'(') {
            depth += 1;
        } else if words.is_symbol(at, b')') {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return at + 1;
            }
        }
    }
    words.len()
}
