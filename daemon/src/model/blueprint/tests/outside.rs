//! Statements of files outside the transaction: which are allowed, and what the message recommends for the others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::model::blueprint::split::split;

fn work_of(sql: &str) -> Result<OutsideWork, &'static str> {
    let pieces = split(sql).unwrap();
    assert_eq!(pieces.len(), 1, "{sql}");
    work(&Words::of(&pieces[0]))
}

#[test]
fn what_may_stand_outside_is_a_short_list() {
    let index = |name: &str| Ok(OutsideWork::CreateIndex { name: name.to_owned() });
    for (sql, expect) in [
        ("create index concurrently i on a (x)", index("i")),
        (
            "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS Some_Index ON ONLY a (lower(x))",
            index("some_index"),
        ),
        ("create index concurrently \"Ein \"\"I\" on a (x) where x > 1", index("Ein \"I")),
        ("drop index concurrently i", Ok(OutsideWork::DropIndex)),
        ("drop index concurrently if exists i restrict", Ok(OutsideWork::DropIndex)),
        ("reindex table concurrently a", Ok(OutsideWork::Reindex)),
        ("reindex (verbose, concurrently) index i", Ok(OutsideWork::Reindex)),
        ("alter type mood add value if not exists 'ok' before 'sad'", Ok(OutsideWork::AddValue)),
        ("vacuum (analyze, parallel 2) a", Ok(OutsideWork::Maintain)),
        ("vacuum full a", Ok(OutsideWork::Maintain)),
        ("analyze verbose a (x), b", Ok(OutsideWork::Maintain)),
        ("ALTER TABLE a VALIDATE CONSTRAINT \"A b\"", Ok(OutsideWork::Validate)),
        (
            "alter table \"A\" detach partition Old concurrently",
            Ok(OutsideWork::Detach { table: "A".to_owned(), partition: "old".to_owned() }),
        ),
    ] {
        assert_eq!(work_of(sql), expect, "{sql}");
    }
}

#[test]
fn everything_else_is_refused_in_words() {
    for (sql, expect) in [
        ("create index concurrently on a (x)", UNNAMED),
        ("create index i on a (x)", OTHER),
        ("drop index concurrently i, j", SEVERAL),
        ("drop index concurrently s.i", SEVERAL),
        ("drop index concurrently i cascade", SEVERAL),
        ("reindex table a", NOT_CONCURRENT),
        ("reindex schema concurrently s", OTHER),
        ("reindex (tablespace x, concurrently) table a", OTHER),
        ("alter type s.mood add value 'x'", SEVERAL),
        ("vacuum", NO_TABLE),
        ("vacuum (full)", NO_TABLE),
        ("analyze s.a", NO_TABLE),
        ("begin", TRANSACTION),
        ("commit", TRANSACTION),
        ("create database x", OTHER),
        ("alter system set a = 1", OTHER),
        ("do $$ begin end $$", OTHER),
        ("set role x", OTHER),
        ("reset role", OTHER),
        ("set lock_timeout = 0", OTHER),
        ("select index concurrently", OTHER),
        ("create table index (concurrently int)", OTHER),
        ("alter table a detach partition b", NOT_CONCURRENT),
        ("alter table a detach partition b finalize", OTHER),
        ("alter table s.a detach partition b concurrently", SEVERAL),
        ("alter table a detach partition s.b concurrently", SEVERAL),
        ("alter table s.a validate constraint c", SEVERAL),
        ("alter table a validate constraint c, validate constraint d", SEVERAL),
        ("alter table a add constraint c check (x > 0)", OTHER),
    ] {
        assert_eq!(work_of(sql), Err(expect), "{sql}");
    }
}
