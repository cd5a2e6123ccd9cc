//! A statement as the lints read it: its tokens, accessed by word and position.
//!
//! Patterns are lists of words; `a|b` matches either. A quoted name is never a keyword. This module must not judge.

use std::ops::Range;

use crate::model::blueprint::split::{Piece, Statement};
use crate::model::blueprint::token::{Token, TokenKind};

#[derive(Debug)]
pub(in crate::model::blueprint) struct Words<'a> {
    statement: &'a Statement,
    tokens: &'a [Token],
    /// The initials of all words. Most patterns begin with a word that the statement does not have.
    present: u32,
}

impl<'a> Words<'a> {
    pub(in crate::model::blueprint) fn of(piece: &'a Piece) -> Self {
        let mut words = Self { statement: &piece.statement, tokens: &piece.tokens, present: 0 };
        for at in 0..words.len() {
            words.present |= words.word(at).and_then(|word| word.first()).map_or(0, |first| initial(*first));
        }
        words
    }

    /// The statement whose words these are.
    pub(in crate::model::blueprint) fn statement(&self) -> &'a Statement {
        self.statement
    }

    pub(in crate::model::blueprint) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The token as it is written; empty beyond the end.
    pub(in crate::model::blueprint) fn text(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |token| &self.statement.text[token.start..token.end])
    }

    /// Where the token stands in the statement's text, in bytes; the end of the text for one beyond the last.
    pub(in crate::model::blueprint) fn range(&self, at: usize) -> Range<usize> {
        let end = self.statement.text.len();
        self.tokens.get(at).map_or(end..end, |token| token.start..token.end)
    }

    /// The line of a token in its file.
    pub(in crate::model::blueprint) fn line(&self, at: usize) -> u32 {
        let start = self.tokens.get(at).map_or(0, |token| token.start);
        // A position is counted in characters, from 1.
        self.statement.line_at(self.statement.text[..start].chars().count() + 1)
    }

    /// Whether the keyword or unquoted name at `at` is the given word, or one of `a|b`.
    pub(in crate::model::blueprint) fn is(&self, at: usize, pattern: &str) -> bool {
        let Some(text) = self.word(at) else { return false };
        // By bytes, since the lints ask this for each token many times.
        pattern.as_bytes().split(|byte| *byte == b'|').any(|word| word.eq_ignore_ascii_case(text))
    }

    /// Whether the keyword or unquoted name at `at` is one of many words.
    pub(in crate::model::blueprint) fn is_one_of(&self, at: usize, words: &[&str]) -> bool {
        self.word(at).is_some_and(|text| words.iter().any(|word| word.as_bytes().eq_ignore_ascii_case(text)))
    }

    pub(in crate::model::blueprint) fn is_symbol(&self, at: usize, symbol: u8) -> bool {
        self.kind(at) == Some(TokenKind::Symbol(symbol))
    }

    /// Whether there is a keyword or an unquoted name at `at`.
    pub(in crate::model::blueprint) fn is_word(&self, at: usize) -> bool {
        self.kind(at) == Some(TokenKind::Word)
    }

    pub(in crate::model::blueprint) fn is_number(&self, at: usize) -> bool {
        self.kind(at) == Some(TokenKind::Number)
    }

    pub(in crate::model::blueprint) fn is_text(&self, at: usize) -> bool {
        matches!(self.kind(at), Some(TokenKind::Text | TokenKind::DollarText))
    }

    pub(in crate::model::blueprint) fn touches_next(&self, at: usize) -> bool {
        matches!((self.tokens.get(at), self.tokens.get(at + 1)), (Some(a), Some(b)) if a.end == b.start)
    }

    pub(in crate::model::blueprint) fn matches(&self, at: usize, pattern: &[&str]) -> bool {
        pattern.iter().enumerate().all(|(offset, word)| self.is(at + offset, word))
    }

    pub(in crate::model::blueprint) fn starts_with(&self, pattern: &[&str]) -> bool {
        self.matches(0, pattern)
    }

    /// The first position where the pattern matches.
    pub(in crate::model::blueprint) fn find(&self, pattern: &[&str]) -> Option<usize> {
        let may_be_there = pattern.iter().all(|words| self.present & initials(words) != 0);
        if may_be_there { (0..self.len()).find(|at| self.matches(*at, pattern)) } else { None }
    }

    /// The positions of the tokens that are quoted texts.
    pub(in crate::model::blueprint) fn texts(&self) -> impl Iterator<Item = usize> {
        (0..self.len()).filter(|at| self.is_text(*at))
    }

    /// A name as the server stores it: folded to lower case, or unchanged if it is in double quotes.
    pub(in crate::model::blueprint) fn name(&self, at: usize) -> Option<String> {
        match self.kind(at)? {
            TokenKind::Word => Some(self.text(at).to_lowercase()),
            TokenKind::QuotedWord => {
                Some(self.text(at).strip_prefix('"')?.strip_suffix('"')?.replace("\"\"", "\""))
            }
            _ => None,
        }
    }

    /// The parts of a name such as `a.b.c`, and the position after it; no parts if there is no name.
    pub(in crate::model::blueprint) fn dotted_name(&self, at: usize) -> (Vec<String>, usize) {
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
    pub(in crate::model::blueprint) fn skip(&self, at: usize, patterns: &[&[&str]]) -> usize {
        let mut at = at;
        while let Some(pattern) = patterns.iter().find(|pattern| self.matches(at, pattern)) {
            at += pattern.len();
        }
        at
    }

    /// The bytes of the keyword or unquoted name at `at`.
    fn word(&self, at: usize) -> Option<&'a [u8]> {
        let token = self.tokens.get(at).filter(|token| token.kind == TokenKind::Word)?;
        self.statement.text.as_bytes().get(token.start..token.end)
    }

    fn kind(&self, at: usize) -> Option<TokenKind> {
        self.tokens.get(at).map(|token| token.kind)
    }
}

/// A bit for the first letter of a word, in either case.
const fn initial(first: u8) -> u32 {
    1 << (first & 0x1f)
}

/// The bits of the words of `a|b`.
fn initials(words: &str) -> u32 {
    let firsts = words.as_bytes().split(|byte| *byte == b'|').filter_map(|word| word.first());
    firsts.fold(0, |bits, first| bits | initial(*first))
}
