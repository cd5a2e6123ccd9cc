//! PostgreSQL's lexical rules, as far as they are needed to cut a file into statements and to look at its words.
//!
//! Invariant: a token never begins or ends inside a quoted text, a comment or a character, so every boundary is a safe
//! place to cut. Strings follow `standard_conforming_strings = on`. This module must not know what a statement means.

use super::split_error::SplitProblem;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A keyword or an unquoted identifier.
    Word,
    /// `"…"` or `U&"…"`.
    QuotedWord,
    /// `'…'`, with any prefix, and its continuations on later lines.
    Text,
    /// `$tag$…$tag$`.
    DollarText,
    Number,
    /// `$1`.
    Parameter,
    /// One character of punctuation or of an operator.
    Symbol(u8),
}

/// A piece of the text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A quote or comment that was opened at `offset` (in bytes) and never closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unterminated {
    pub(super) offset: usize,
    pub(super) problem: SplitProblem,
}

#[derive(Debug)]
pub(super) struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        // psql skips a byte order mark too; the server would take it for a part of the first word.
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { bytes: text.as_bytes(), at }
    }

    /// The next token, without the whitespace and comments before it; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Token>, Unterminated> {
        self.skip_blank()?;
        let start = self.at;
        let Some(first) = self.peek(0) else { return Ok(None) };
        let kind = match first {
            b'\'' => self.text(start, Escapes::No)?,
            b'"' => self.quoted_word(start)?,
            b'$' => self.dollar(start)?,
            b'0'..=b'9' => self.number(),
            _ if is_word_start(first) => self.word(start)?,
            _ => {
                self.at += 1;
                TokenKind::Symbol(first)
            }
        };
        Ok(Some(Token { kind, start, end: self.at }))
    }

    /// Passes over the rest of the line.
    pub(super) fn skip_line(&mut self) {
        self.skip_while(|b| !is_newline(b));
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn at_pair(&self, pair: [u8; 2]) -> bool {
        self.bytes[self.at..].starts_with(&pair)
    }

    fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.peek(0).is_some_and(&wanted) {
            self.at += 1;
        }
    }

    fn skip_blank(&mut self) -> Result<(), Unterminated> {
        loop {
            self.skip_while(is_space);
            if self.at_pair(*b"--") {
                self.skip_while(|b| !is_newline(b));
            } else if self.at_pair(*b"/*") {
                self.block_comment()?;
            } else {
                return Ok(());
            }
        }
    }

    /// Block comments nest, unlike those of C.
    fn block_comment(&mut self) -> Result<(), Unterminated> {
        let offset = self.at;
        let mut depth = 0_usize;
        loop {
            if self.at_pair(*b"/*") {
                depth += 1;
                self.at += 2;
            } else if self.at_pair(*b"*/") {
                depth -= 1;
                self.at += 2;
            } else if self.at < self.bytes.len() {
                self.at += 1;
            } else {
                return Err(Unterminated { offset, problem: SplitProblem::OpenComment });
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn word(&mut self, start: usize) -> Result<TokenKind, Unterminated> {
        self.skip_while(is_word_part);
        // A letter is a prefix only if it is the whole word: in `price'…'` the `e` means nothing.
        let prefix = match &self.bytes[start..self.at] {
            [letter] => letter.to_ascii_lowercase(),
            _ => return Ok(TokenKind::Word),
        };
        match (prefix, self.peek(0), self.peek(1)) {
            (b'e', Some(b'\''), _) => self.text(start, Escapes::Backslash),
            (b'b' | b'x' | b'n', Some(b'\''), _) => self.text(start, Escapes::No),
            (b'u', Some(b'&'), Some(b'\'')) => {
                self.at += 1;
                self.text(start, Escapes::No)
            }
            (b'u', Some(b'&'), Some(b'"')) => {
                self.at += 1;
                self.quoted_word(start)
            }
            _ => Ok(TokenKind::Word),
        }
    }

    /// Reads from the opening quote. A doubled quote needs no rule of its own: it closes one piece and opens the next.
    fn text(&mut self, offset: usize, escapes: Escapes) -> Result<TokenKind, Unterminated> {
        loop {
            self.at += 1;
            loop {
                match self.peek(0) {
                    Some(b'\'') => break,
                    Some(b'\\') if escapes == Escapes::Backslash && self.peek(1).is_some() => self.at += 2,
                    Some(_) => self.at += 1,
                    None => return Err(Unterminated { offset, problem: SplitProblem::OpenText }),
                }
            }
            self.at += 1;
            if self.peek(0) != Some(b'\'') && !self.continues_on_a_later_line() {
                return Ok(TokenKind::Text);
            }
        }
    }

    /// `'a'` newline `'b'` is one text, and the second piece has the escapes of the first. Stops at its opening quote.
    fn continues_on_a_later_line(&mut self) -> bool {
        let end = self.at;
        let mut newline = false;
        loop {
            match self.peek(0) {
                Some(b) if is_space(b) => {
                    newline |= is_newline(b);
                    self.at += 1;
                }
                Some(b'-') if self.at_pair(*b"--") => self.skip_while(|b| !is_newline(b)),
                Some(b'\'') if newline => return true,
                _ => {
                    self.at = end;
                    return false;
                }
            }
        }
    }

    fn quoted_word(&mut self, offset: usize) -> Result<TokenKind, Unterminated> {
        loop {
            self.at += 1;
            self.skip_while(|b| b != b'"');
            if self.peek(0).is_none() {
                return Err(Unterminated { offset, problem: SplitProblem::OpenQuotedName });
            }
            self.at += 1;
            if self.peek(0) != Some(b'"') {
                return Ok(TokenKind::QuotedWord);
            }
        }
    }

    fn dollar(&mut self, offset: usize) -> Result<TokenKind, Unterminated> {
        self.at += 1;
        if self.peek(0).is_some_and(|b| b.is_ascii_digit()) {
            self.skip_while(|b| b.is_ascii_digit());
            return Ok(TokenKind::Parameter);
        }
        let after_dollar = self.at;
        if self.peek(0).is_some_and(is_word_start) {
            self.skip_while(|b| is_word_part(b) && b != b'$');
        }
        if self.peek(0) != Some(b'$') {
            self.at = after_dollar;
            return Ok(TokenKind::Symbol(b'$'));
        }
        self.at += 1;
        let delimiter = &self.bytes[offset..self.at];
        let body = &self.bytes[self.at..];
        match body.windows(delimiter.len()).position(|window| window == delimiter) {
            Some(length) => {
                self.at += length + delimiter.len();
                Ok(TokenKind::DollarText)
            }
            None => Err(Unterminated { offset, problem: SplitProblem::OpenDollarText }),
        }
    }

    /// Takes `1.5e3`, `0xff` and `1_000` whole, together with what the server reports as trailing junk after a number.
    fn number(&mut self) -> TokenKind {
        loop {
            self.skip_while(|b| is_word_part(b) && b != b'$');
            let fraction = self.peek(0) == Some(b'.') && self.peek(1).is_some_and(|b| b.is_ascii_digit());
            if !fraction {
                return TokenKind::Number;
            }
            self.at += 1;
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escapes {
    No,
    Backslash,
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn is_newline(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// As in the server, every byte of a character beyond ASCII counts as a letter, even of a no-break space.
fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_word_part(byte: u8) -> bool {
    is_word_start(byte) || byte.is_ascii_digit() || byte == b'$'
}
