//! Statements that can open nothing to anybody, whatever names they have: a column is added, changed or dropped, or an index is
//! built on columns.
//!
//! Invariant: such a statement gives no rights, refers to nothing but a table and its columns, and evaluates nothing but a constant
//! of one of the server's own types. This is an allow-list of whole statements: what is not on it word by word is not plain.

use super::words::Words;

/// The server's own types of one word. The server looks into its own catalog first.
const TYPES: &[&str] = &[
    "bigint",
    "bool",
    "boolean",
    "bytea",
    "date",
    "decimal",
    "int",
    "int2",
    "int4",
    "int8",
    "integer",
    "interval",
    "json",
    "jsonb",
    "numeric",
    "real",
    "smallint",
    "text",
    "time",
    "timestamp",
    "timestamptz",
    "uuid",
    "varchar",
];

pub(super) fn is_plain(words: &Words<'_>) -> bool {
    let mut reading = StatementReading { words, at: 0 };
    (reading.index() || reading.table()) && reading.at == words.len()
}

/// A statement that is read from left to right. What is read may have been only a part of what was expected; then the whole
/// statement is not plain.
struct StatementReading<'a> {
    words: &'a Words<'a>,
    at: usize,
}

impl StatementReading<'_> {
    /// `create [unique] index [if not exists] name on table (column [asc|desc], …)`
    fn index(&mut self) -> bool {
        if !self.word("create") {
            return false;
        }
        self.word("unique");
        self.word("index") && {
            self.words_of(&["if", "not", "exists"]);
            self.name()
                && self.word("on")
                && self.name()
                && self.listed(b'(', Self::indexed)
                && self.symbol(b')')
        }
    }

    fn indexed(&mut self) -> bool {
        let is_column = self.name();
        self.word("asc|desc");
        is_column
    }

    /// `alter table [if exists] table action, …`
    fn table(&mut self) -> bool {
        self.words_of(&["alter", "table"]) && {
            self.words_of(&["if", "exists"]);
            self.name() && self.actions()
        }
    }

    fn actions(&mut self) -> bool {
        loop {
            if !self.action() {
                return false;
            }
            if !self.symbol(b',') {
                return true;
            }
        }
    }

    fn action(&mut self) -> bool {
        if self.word("add") {
            return self.added();
        }
        if self.word("drop") {
            self.word("column");
            self.words_of(&["if", "exists"]);
            return self.name();
        }
        self.word("alter") && {
            self.word("column");
            self.name() && self.altered()
        }
    }

    /// The word `column` cannot be left out: without it, `add constraint` would look like a column.
    fn added(&mut self) -> bool {
        if !self.word("column") {
            return false;
        }
        self.words_of(&["if", "not", "exists"]);
        if !(self.name() && self.data_type()) {
            return false;
        }
        while self.words_of(&["not", "null"]) || self.word("null") {}
        let is_whole = !self.word("default") || self.constant();
        while self.words_of(&["not", "null"]) || self.word("null") {}
        is_whole
    }

    fn altered(&mut self) -> bool {
        if self.word("drop") {
            return self.words_of(&["not", "null"]) || self.word("default");
        }
        self.word("set") && (self.words_of(&["not", "null"]) || (self.word("default") && self.constant()))
    }

    /// A type with its lengths, or an array of it.
    fn data_type(&mut self) -> bool {
        if !self.words.is_one_of(self.at, TYPES) {
            return false;
        }
        self.at += 1;
        if self.symbol(b'(') {
            while self.words.is_number(self.at) || self.words.is_symbol(self.at, b',') {
                self.at += 1;
            }
            if !self.symbol(b')') {
                return false;
            }
        }
        !self.symbol(b'[') || self.symbol(b']')
    }

    fn constant(&mut self) -> bool {
        let is_constant = self.words.is_text(self.at)
            || self.words.is_number(self.at)
            || self.words.is(self.at, "true|false|null");
        self.at += usize::from(is_constant);
        is_constant
    }

    /// An unquoted name without a schema.
    fn name(&mut self) -> bool {
        let is_name = self.words.is_word(self.at) && !self.words.is_symbol(self.at + 1, b'.');
        self.at += usize::from(is_name);
        is_name
    }

    fn word(&mut self, word: &str) -> bool {
        let is_it = self.words.is(self.at, word);
        self.at += usize::from(is_it);
        is_it
    }

    fn words_of(&mut self, words: &[&str]) -> bool {
        let are_they = self.words.matches(self.at, words);
        self.at += if are_they { words.len() } else { 0 };
        are_they
    }

    fn symbol(&mut self, symbol: u8) -> bool {
        let is_it = self.words.is_symbol(self.at, symbol);
        self.at += usize::from(is_it);
        is_it
    }

    /// Parts with commas between them, behind an opening symbol.
    fn listed(&mut self, open: u8, part: fn(&mut Self) -> bool) -> bool {
        if !self.symbol(open) {
            return false;
        }
        loop {
            if !part(self) {
                return false;
            }
            if !self.symbol(b',') {
                return true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::model::blueprint::lint::is_plain;
    use crate::model::blueprint::split::split;

    fn plain(sql: &str) -> bool {
        split(sql).unwrap().iter().all(is_plain)
    }

    #[test]
    fn columns_and_indexes_on_columns_are_plain() {
        for sql in [
            "alter table tasks add column due date",
            "ALTER TABLE tasks ADD COLUMN IF NOT EXISTS due timestamptz NOT NULL, drop column if exists old",
            "alter table if exists tasks add column rank int not null default 0, alter rank drop default",
            "alter table tasks alter column title set not null, alter column title set default 'none'",
            "alter table tasks add column price numeric(10, 2) default null, add column tags text[]",
            "create index tasks_due on tasks (due)",
            "create unique index if not exists one on tasks (a, b desc) -- a comment",
        ] {
            assert!(plain(sql), "{sql}");
        }
    }

    #[test]
    fn whatever_could_run_code_give_rights_or_lead_elsewhere_is_not() {
        for sql in [
            "create index one on tasks (lower(title))",
            "create index one on tasks (title text_ops)",
            "create index one on tasks (title collate other)",
            "create index one on tasks using gin (title)",
            "create index one on tasks (title) where due is null",
            "create index one on other.tasks (title)",
            "create index one on \"tasks\" (title)",
            "create index on tasks (title)",
            "create index one on tasks (title) include (due)",
            "alter table tasks add constraint one check (f(title))",
            "alter table tasks add one int",
            "alter table tasks add column one mood",
            "alter table tasks add column one int default f()",
            "alter table tasks add column one int default (1)",
            "alter table tasks add column one int generated always as (f(1)) stored",
            "alter table tasks add column one int references other (id)",
            "alter table tasks add column one text collate other",
            "alter table tasks add column one text default 'a'::mood",
            "alter table tasks add column one text default 'a' || f()",
            "alter table tasks alter column one type int using f(one)",
            "alter table tasks drop column one cascade",
            "alter table tasks owner to other",
            "alter table tasks disable row level security",
            "alter table other.tasks add column one int",
            "alter table tasks add column one public.int",
            "create table tasks (id int)",
            "grant select on tasks to public",
            "select f()",
            "do $$ begin end $$",
            "alter table tasks add column due date; grant select on tasks to public",
        ] {
            assert!(!plain(sql), "{sql}");
        }
    }
}
