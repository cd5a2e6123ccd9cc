//! Cuts an SQL file into its statements, so that each runs by itself and an error names its line.
//!
//! Invariant: between two statements there is nothing but whitespace, comments, semicolons and pg_dump's `\restrict`, and a statement's text
//! equals the file's, byte for byte. This module must not judge what a statement does; the lints and the server do that.

use std::time::Duration;

use super::split_error::{SplitError, SplitProblem};
use super::token::{Lexer, Token, TokenKind};

/// One statement, without its semicolon and without the comments around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    pub text: String,
    /// The line of the first token in the file, from 1.
    pub line: u32,
    /// The position of the first token in the file, in bytes.
    pub offset: usize,
    /// It is repeated, as a comment above it says.
    pub batched: Option<Batched>,
}

/// A statement is repeated, each time in a transaction of its own, until it changes no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batched {
    /// The time between two batches, for others and for the server.
    pub pause: Duration,
    /// How often the statement runs at most.
    pub at_most: u32,
}

impl Default for Batched {
    fn default() -> Self {
        Self { pause: Duration::from_millis(50), at_most: 10_000 }
    }
}

impl Statement {
    /// The line in the file, from 1, of a position that PostgreSQL reports (in characters of this statement, from 1).
    pub fn line_at(&self, position: usize) -> u32 {
        let before = position.saturating_sub(1);
        let offset = self.text.char_indices().nth(before).map_or(self.text.len(), |(offset, _)| offset);
        self.line + newlines(&self.text.as_bytes()[..offset])
    }

    /// Whether it changes rows, as far as its first word tells. A query WITH is not known from a change, and does no harm either.
    pub fn changes_rows(&self) -> bool {
        const CHANGES: [&str; 5] = ["insert", "update", "delete", "merge", "with"];
        let word = first_word(&self.text);
        CHANGES.iter().any(|change| change.eq_ignore_ascii_case(word))
    }
}

/// The first word of a statement, behind its comments; empty if it begins with something else.
pub fn first_word(statement: &str) -> &str {
    match Lexer::new(statement).next() {
        Ok(Some(token)) if token.kind == TokenKind::Word => &statement[token.start..token.end],
        _ => "",
    }
}

/// The statements of a file, in order; empty statements are left out.
pub fn statements(sql: &str) -> Result<Vec<Statement>, SplitError> {
    Ok(split(sql)?.into_iter().map(|piece| piece.statement).collect())
}

/// A statement with its tokens, whose positions are in the statement's text.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) statement: Statement,
    pub(super) tokens: Vec<Token>,
}

pub(super) fn split(sql: &str) -> Result<Vec<Piece>, SplitError> {
    let error = |offset: usize, problem| SplitError { line: line_of(sql, offset), problem };
    if let Some(offset) = sql.find('\0') {
        return Err(error(offset, SplitProblem::ZeroByte));
    }
    let mut lexer = Lexer::new(sql);
    let mut open = OpenStatement::default();
    let mut cutter = Cutter { sql, line: 1, counted: 0, pieces: Vec::new() };
    while let Some(token) = lexer.next().map_err(|e| error(e.offset, e.problem))? {
        match token.kind {
            TokenKind::Symbol(b'\\') if open.tokens.is_empty() && is_restriction(&sql[token.start..]) => {
                lexer.skip_line();
            }
            TokenKind::Symbol(b'\\') => return Err(error(token.start, SplitProblem::PsqlCommand)),
            TokenKind::Symbol(b';') if open.is_complete() => cutter.cut(std::mem::take(&mut open).tokens)?,
            _ => open.push(sql, token),
        }
    }
    cutter.cut(open.tokens)?;
    Ok(cutter.pieces)
}

/// pg_dump's guard against commands of psql in a dump. What it guards against is refused here anyway.
fn is_restriction(text: &str) -> bool {
    text.starts_with("\\restrict ") || text.starts_with("\\unrestrict ")
}

/// The statement being read.
#[derive(Default)]
struct OpenStatement {
    tokens: Vec<Token>,
    /// Open parentheses: a rule may hold several statements between them.
    parentheses: usize,
    /// Open `begin atomic` bodies.
    bodies: usize,
}

impl OpenStatement {
    fn is_complete(&self) -> bool {
        self.parentheses == 0 && self.bodies == 0
    }

    fn push(&mut self, sql: &str, token: Token) {
        match token.kind {
            TokenKind::Symbol(b'(') => self.parentheses += 1,
            TokenKind::Symbol(b')') => self.parentheses = self.parentheses.saturating_sub(1),
            TokenKind::Word if self.parentheses == 0 => {
                if self.opens_a_body(sql, token) {
                    self.bodies += 1;
                } else if self.bodies > 0 && self.closes_a_body(sql, token) {
                    self.bodies -= 1;
                }
            }
            _ => {}
        }
        self.tokens.push(token);
    }

    /// `begin atomic` counts only in a routine: elsewhere it can be a column and its label.
    fn opens_a_body(&self, sql: &str, token: Token) -> bool {
        let after_begin = self.tokens.last().is_some_and(|last| is_word(sql, *last, "begin"));
        after_begin && is_word(sql, token, "atomic") && self.is_routine(sql)
    }

    /// In the grammar, each statement of a body ends with a semicolon. The body's own `end` is therefore the one directly
    /// after a semicolon; the `end` of a `case`, or one that is a label, is never there.
    fn closes_a_body(&self, sql: &str, token: Token) -> bool {
        let at_statement_start = self
            .tokens
            .last()
            .is_some_and(|last| last.kind == TokenKind::Symbol(b';') || is_word(sql, *last, "atomic"));
        at_statement_start && is_word(sql, token, "end")
    }

    /// Also true for a routine that is created inside a body; the server refuses that with an error of its own.
    fn is_routine(&self, sql: &str) -> bool {
        let words = |wanted: &[&str]| {
            self.tokens.len() >= wanted.len()
                && wanted.iter().zip(&self.tokens).all(|(word, token)| is_word(sql, *token, word))
        };
        words(&["create", "function"])
            || words(&["create", "procedure"])
            || words(&["create", "or", "replace", "function"])
            || words(&["create", "or", "replace", "procedure"])
    }
}

struct Cutter<'a> {
    sql: &'a str,
    /// The line at `counted`, so that lines are counted only once over the whole file.
    line: u32,
    counted: usize,
    pieces: Vec<Piece>,
}

impl Cutter<'_> {
    fn cut(&mut self, mut tokens: Vec<Token>) -> Result<(), SplitError> {
        let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { return Ok(()) };
        let (start, end) = (first.start, last.end);
        self.line += newlines(&self.sql.as_bytes()[self.counted..start]);
        self.counted = start;
        if copies_from_stdin(self.sql, &tokens) {
            // The lines that follow are rows, not SQL, so nothing after them could be read correctly.
            return Err(SplitError { line: self.line, problem: SplitProblem::CopyFromStdin });
        }
        for token in &mut tokens {
            token.start -= start;
            token.end -= start;
        }
        let text = self.sql[start..end].to_owned();
        let statement = Statement { text, line: self.line, offset: start, batched: None };
        self.pieces.push(Piece { statement, tokens });
        Ok(())
    }
}

fn copies_from_stdin(sql: &str, tokens: &[Token]) -> bool {
    tokens.first().is_some_and(|first| is_word(sql, *first, "copy"))
        && tokens.windows(2).any(|pair| is_word(sql, pair[0], "from") && is_word(sql, pair[1], "stdin"))
}

fn is_word(sql: &str, token: Token, word: &str) -> bool {
    token.kind == TokenKind::Word && sql[token.start..token.end].eq_ignore_ascii_case(word)
}

/// The line, from 1, of a position in bytes.
pub(super) fn line_of(sql: &str, offset: usize) -> u32 {
    1 + newlines(&sql.as_bytes()[..offset])
}

/// Line ends. `\r\n` counts as one, and so does a lone `\r`, which ends a comment for the server.
pub(super) fn newlines(bytes: &[u8]) -> u32 {
    let feeds = memchr::memchr_iter(b'\n', bytes).count();
    let lone = memchr::memchr_iter(b'\r', bytes).filter(|at| bytes.get(at + 1) != Some(&b'\n')).count();
    u32::try_from(feeds + lone).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "tests/split.rs"]
mod tests;
