//! Comments that ask Tenantry for something: what they mean, and each way of getting one wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::model::blueprint::split::split;

/// The directives of the statements, and the lines of the faults.
fn read(sql: &str) -> (Vec<Option<Batched>>, Vec<(u32, String)>) {
    let mut pieces = split(sql).unwrap();
    let faults = attach(sql, &mut pieces);
    let batched = pieces.into_iter().map(|piece| piece.statement.batched).collect();
    (batched, faults.into_iter().map(|fault| (fault.line, fault.message)).collect())
}

fn batched(pause_ms: u64, at_most: u32) -> Option<Batched> {
    Some(Batched { pause: Duration::from_millis(pause_ms), at_most })
}

#[test]
fn a_directive_belongs_to_the_statement_below_it() {
    for (sql, expect) in [
        ("-- tenantry: batched\nupdate a set b = 1", vec![batched(50, 10_000)]),
        ("--Tenantry: batched at-most=9 pause=2s\r\n-- why\nupdate a set b = 1;", vec![batched(2_000, 9)]),
        (
            "select 1;\n  -- tenantry: batched pause=0\n  delete from a; select 2",
            vec![None, batched(0, 10_000), None],
        ),
        ("\u{feff}-- tenantry: batched\nselect 1", vec![batched(50, 10_000)]),
        // Neither is a comment on a line.
        ("/* as in\n-- tenantry: batched\n*/ select 1; select '\n-- tenantry: batched\n'", vec![None, None]),
        ("-- we call it tenantry: batched\nselect 1", vec![None]),
    ] {
        assert_eq!(read(sql), (expect, vec![]), "{sql}");
    }
}

#[test]
fn what_cannot_be_done_is_refused_with_its_line() {
    for (sql, line, says) in [
        ("select 1;\n-- tenantry: bached\nselect 2", 2, "begins with `tenantry:`"),
        ("-- tenantry:\nselect 2", 1, "begins with `tenantry:`"),
        ("\n-- tenantry: batched now\nselect 2", 2, "means nothing"),
        ("-- tenantry: batched pause=5\nselect 2", 1, "pause is a time"),
        ("-- tenantry: batched pause=61s\nselect 2", 1, "pause is a time"),
        ("-- tenantry: batched pause=99999999999999999999s\nselect 2", 1, "pause is a time"),
        ("-- tenantry: batched pause=1ms pause=2ms\nselect 2", 1, "pause is there twice"),
        ("-- tenantry: batched at-most=1\nselect 2", 1, "from 2 to 1000000"),
        ("-- tenantry: batched at-most=1000001\nselect 2", 1, "from 2 to 1000000"),
        ("-- tenantry: batched at-most=-5\nselect 2", 1, "from 2 to 1000000"),
        ("-- tenantry: batched\n-- tenantry: batched\nselect 2", 2, "two such comments"),
        ("select 1; -- tenantry: batched\nselect 2", 1, "a line of its own"),
        ("select\n-- tenantry: batched\n2", 2, "within a statement"),
        ("select 2;\n-- tenantry: batched\n", 2, "no statement follows"),
    ] {
        let (_, faults) = read(sql);
        assert_eq!(faults.len(), 1, "{sql}: {faults:?}");
        assert!(faults[0].0 == line && faults[0].1.contains(says), "{sql}: {faults:?}");
    }
}
