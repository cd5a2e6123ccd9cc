//! A statement as the lints read it: its tokens, accessed by word and position.
//!
//! Patterns are lists of words; `a|b` matches either. A quoted name is never a keyword. This module must not judge.

use crate::model::blueprint::split::{Piece, Statement};
use crate::model::blueprint::token::{Token, TokenKind};

#[derive(Debug)]
pub(super) struct Words<'a> {
    statement: &'a Statement,
    tokens: &'a [Token],
}

impl<'a> Words<'a> {
    pub(super) fn of(piece: &'a Piece) -> Self {
        Self { statement: &piece.statement, tokens: &piece.tokens }
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The token as it is written; empty beyond the end.
    pub(super) fn text(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |token| &self.statement.text[token.start..token.end])
    }

    /// The line of a token in its file.
    pub(super) fn line(&self, at: usize) -> u32 {
        let start = self.tokens.get(at).map_or(0, |token| token.start);
        // A position is counted in characters, from 1.
        self.statement.line_at(self.statement.text[..start].chars().count() + 1)
    }

    /// Whether the keyword or unquoted name at `at` is the given word, or one of `a|b`.
    pub(super) fn is(&self, at: usize, pattern: &str) -> bool {
        self.kind(at) == Some(TokenKind::Word)
            && pattern.split('|').any(|word| self.text(at).eq_ignore_ascii_case(word))
    }

    pub(super) fn is_symbol(&self, at: usize, symbol: u8) -> bool {
        self.kind(at) == Some(TokenKind::Symbol(symbol))
    }

    pub(super) fn is_text(&self, at: usize) -> bool {
        matches!(self.kind(at), Some(TokenKind::Text | TokenKind::DollarText))
    }

    pub(super) fn touches_next(&self, at: usize) -> bool {
        matches!((self.tokens.get(at), self.tokens.get(at + 1)), (Some(a), Some(b)) if a.end == b.start)
    }

    pub(super) fn matches(&self, at: usize, pattern: &[&str]) -> bool {
        pattern.iter().enumerate().all(|(offset, word)| self.is(at + offset, word))
    }

    pub(super) fn starts_with(&self, pattern: &[&str]) -> bool {
        self.matches(0, pattern)
    }

    /// The first position where the pattern matches.
    pub(super) fn find(&self, pattern: &[&str]) -> Option<usize> {
        (0..self.len()).find(|at| self.matches(*at, pattern))
    }

    /// The positions of the tokens that are quoted texts.
    pub(super) fn texts(&self) -> impl Iterator<Item = usize> {
        (0..self.len()).filter(|at| self.is_text(*at))
    }

    /// A name as the server stores it: folded to lower case, or unchanged if it is in double quotes.
    pub(super) fn name(&self, at: usize) -> Option<String> {
        match self.kind(at)? {
            TokenKind::Word => Some(self.text(at).to_lowercase()),
            TokenKind::QuotedWord => {
                Some(self.text(at).strip_prefix('"')?.strip_suffix('"')?.replace("\"\"", "\""))
            }
            _ => None,
        }
    }

    /// The parts of a name such as `a.b.c`, and the position after it; no parts if there is no name.
    pub(super) fn dotted_name(&self, at: usize) -> (Vec<String>, usize) {
        let mut parts = Vec::new();
        let mut at = at;
        while let Some(part) = self.name(at) {
            parts.push(part);
            at += 1;
            if !self.is_symbol(at, b'.') {
                break;
            }
            at += 1;
        }
        (parts, at)
    }

    /// The position after the first of these patterns that matches at `at`, or `at` itself.
    pub(super) fn skip(&self, at: usize, patterns: &[&[&str]]) -> usize {
        let mut at = at;
        while let Some(pattern) = patterns.iter().find(|pattern| self.matches(at, pattern)) {
            at += pattern.len();
        }
        at
    }

    fn kind(&self, at: usize) -> Option<TokenKind> {
        self.tokens.get(at).map(|token| token.kind)
    }
}
