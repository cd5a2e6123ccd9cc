//! `begin` and `commit` around what a file does. Tools that open no transaction themselves have their users write them.
//!
//! So do some whose tool does, with `commit` and `begin` by turns, where the file is to be divided.
//!
//! Invariant: only whole pairs are left out, of a file that runs in one transaction anyway, so each of its statements runs as before. A
//! `rollback` or a savepoint takes something back, and is never left out.

use crate::model::blueprint::split::Piece;
use crate::model::blueprint::token::TokenKind;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Begin,
    Commit,
}

/// Takes the pairs out, and returns the line of the first one; leaves all as it is if one has no other half.
pub(super) fn take_out_pairs(pieces: &mut Vec<Piece>) -> Option<u32> {
    let edges = edges(pieces);
    let are = |first, second| {
        edges.chunks(2).all(|pair| matches!(pair, [(_, one), (_, two)] if (*one, *two) == (first, second)))
    };
    let is_paired = are(Edge::Begin, Edge::Commit) || are(Edge::Commit, Edge::Begin);
    let (first, _) = *edges.first().filter(|_| is_paired)?;
    let line = pieces.get(first).map(|piece| piece.statement.line);
    let mut edges = edges.iter().map(|(at, _)| *at).peekable();
    let mut at = 0;
    pieces.retain(|_| {
        let is_edge = edges.next_if_eq(&at).is_some();
        at += 1;
        !is_edge
    });
    line
}

/// Whether the file ends the transaction of its tool, and begins the one that the tool ends.
pub(in crate::model::blueprint) fn divides(pieces: &[Piece]) -> bool {
    let edges = edges(pieces);
    edges.first().is_some_and(|(_, edge)| *edge == Edge::Commit)
        && edges.last().is_some_and(|(_, edge)| *edge == Edge::Begin)
}

pub(in crate::model::blueprint) fn is_edge(piece: &Piece) -> bool {
    edge(piece).is_some()
}

fn edges(pieces: &[Piece]) -> Vec<(usize, Edge)> {
    pieces.iter().enumerate().filter_map(|(at, piece)| Some((at, edge(piece)?))).collect()
}

/// A statement that does nothing but begin or end a transaction, in its plain form.
fn edge(piece: &Piece) -> Option<Edge> {
    if piece.tokens.len() > 2 || piece.tokens.iter().any(|token| token.kind != TokenKind::Word) {
        return None;
    }
    let words: Vec<String> =
        piece.statement.text.split_whitespace().map(str::to_ascii_lowercase).take(3).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["begin"] | ["begin" | "start", "transaction"] | ["begin", "work"] => Some(Edge::Begin),
        ["commit" | "end"] | ["commit" | "end", "transaction" | "work"] => Some(Edge::Commit),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::take_out_pairs;
    use crate::model::blueprint::split::split;

    #[track_caller]
    fn check(sql: &str, expect: &[&str], line: Option<u32>) {
        let mut pieces = split(sql).unwrap();
        assert_eq!(take_out_pairs(&mut pieces), line, "{sql}");
        let left: Vec<&str> = pieces.iter().map(|piece| piece.statement.text.as_str()).collect();
        assert_eq!(left, expect, "{sql}");
    }

    #[test]
    fn whole_pairs_are_left_out_and_nothing_else() {
        check("begin; select 1; commit;", &["select 1"], Some(1));
        check(
            "\nBEGIN TRANSACTION;\nselect 1; END; begin work; select 2; commit work",
            &["select 1", "select 2"],
            Some(2),
        );
        check("start transaction; commit", &[], Some(1));
        check("select 1", &["select 1"], None);
        check("select 1; commit; begin; select 2", &["select 1", "select 2"], Some(1));
    }

    #[test]
    fn half_a_pair_and_what_takes_something_back_stay() {
        check("begin; select 1", &["begin", "select 1"], None);
        check("select 1; commit", &["select 1", "commit"], None);
        check("begin; begin; commit; commit", &["begin", "begin", "commit", "commit"], None);
        check("begin; select 1; rollback", &["begin", "select 1", "rollback"], None);
        let serializable = "begin isolation level serializable";
        check(&format!("{serializable}; commit"), &[serializable, "commit"], None);
    }
}
