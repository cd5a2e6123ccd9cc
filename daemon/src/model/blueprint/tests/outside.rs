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
        ("update a set x = 1", batched::ALL_AT_ONCE),
        ("with b as (select 1) delete from a", batched::ALL_AT_ONCE),
    ] {
        assert_eq!(work_of(sql), Err(expect), "{sql}");
    }
}

fn batch_of(sql: &str) -> Result<(), &'static str> {
    let mut pieces = split(sql).unwrap();
    pieces[0].statement.batched = Some(Batched::default());
    work(&Words::of(&pieces[0])).map(|work| assert_eq!(work, OutsideWork::Batch(Batched::default()), "{sql}"))
}

#[test]
fn what_runs_in_batches_is_bounded() {
    for sql in [
        "update a set x = 1 where id in (select id from a where x is null limit 1000) and x is null",
        "UPDATE a SET x = 1 WHERE id IN (SELECT id FROM a WHERE x IS NULL ORDER BY id LIMIT 1000 FOR UPDATE)",
        "delete from a where ctid = any (array(select ctid from a where x < 0 fetch first 500 rows only))",
        "insert into b select * from a where not exists (select from b where b.id = a.id) limit 100 on conflict do nothing",
        "with old as (select id from a where x is null limit 9) update a set x = 1 from old where old.id = a.id",
        "with gone as (delete from a where id in (select id from a limit 9) returning *) insert into b select * from gone",
    ] {
        assert_eq!(batch_of(sql), Ok(()), "{sql}");
    }
    for (sql, starts) in [
        ("update a set x = 1 where x is null", "a batch has no bound"),
        ("update a set x = 1 where id in (select id from a limit all)", "a batch has no bound"),
        ("update a set x = 1 where id in (select id from a limit 0)", "a batch has no bound"),
        ("update a set x = 1 where id in (select id from a limit 100001)", "a batch has no bound"),
        ("update a set x = 1 where id in (select id from a limit 10 * 1000)", "a batch has no bound"),
        (
            "update a set x = 1 where id in (select id from a limit 9 for update skip locked)",
            "with SKIP LOCKED",
        ),
        ("with b as (select 1 limit 1) select * from b", "only an UPDATE"),
        ("select 1 limit 1", "only an UPDATE"),
        ("merge into a using b on true when matched then do nothing", "only an UPDATE"),
        ("create index concurrently i on a (x)", "only an UPDATE"),
        ("vacuum a", "only an UPDATE"),
    ] {
        let refused = batch_of(sql).expect_err(sql);
        assert!(refused.starts_with(starts), "{sql}: {refused}");
    }
}
