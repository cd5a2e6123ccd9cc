//! What the files of an upgrade do to the relations that were there before them: which they lock, and which they write anew.
//!
//! Invariant: the locks are read from the lock table, and taken by the tenant's owner within the function that runs its files. The
//! daemon's own rights never meet a name that a tenant could have given to something else.

use crate::model::rehearsal::{LockMode, RelationLock};
use crate::postgres::error::{Result, doing};
use crate::postgres::quote::{identifier, literal};

use super::runner::Build;

/// A relation before the files.
#[derive(Debug)]
pub struct RelationBefore {
    id: i64,
    name: String,
    kind: String,
    /// 0 if it has none.
    file: i64,
}

/// How often one attempt asks for the tables of a manifest before it leaves the rest of the waiting to the next attempt.
const ROUNDS: u32 = 3;

impl Build {
    /// The relations that the placement has.
    pub async fn relations(&mut self) -> Result<Vec<RelationBefore>> {
        let rows: Vec<(i64, String, String, i64)> = sqlx::query_as(
            "select c.oid::bigint, c.relname::text,
                    case c.relkind when 'f' then 'foreign table' when 'v' then 'view' when 'm' then 'materialized view'
                                   when 'S' then 'sequence' else 'table' end,
                    coalesce(pg_relation_filenode(c.oid), 0)::bigint
             from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname = $1 and c.relkind in ('r', 'p', 'f', 'v', 'm', 'S') order by c.relname",
        )
        .persistent(false)
        .bind(self.placement.as_str())
        .fetch_all(&mut *self.connection)
        .await
        .map_err(doing("list the placement's relations"))?;
        let relation = |(id, name, kind, file)| RelationBefore { id, name, kind, file };
        Ok(rows.into_iter().map(relation).collect())
    }

    /// The strongest lock that the transaction holds on each of these, in the order of the names.
    pub async fn locks_on(&mut self, before: &[RelationBefore]) -> Result<Vec<RelationLock>> {
        let ids: Vec<i64> = before.iter().map(|relation| relation.id).collect();
        let held: Vec<(i64, String)> = sqlx::query_as(
            "select relation::bigint, mode from pg_locks
             where pid = pg_backend_pid() and locktype = 'relation' and granted and relation = any ($1::bigint[]::oid[])
               and database = (select oid from pg_database where datname = current_database())",
        )
        .persistent(false)
        .bind(ids)
        .fetch_all(&mut *self.connection)
        .await
        .map_err(doing("read the locks of the files"))?;
        let lock = |relation: &RelationBefore| {
            let modes = held.iter().filter(|(id, _)| *id == relation.id);
            let mode = modes.filter_map(|(_, mode)| LockMode::of_lock_table(mode)).max()?;
            Some(RelationLock { name: relation.name.clone(), kind: kind(&relation.kind), mode })
        };
        let mut locks: Vec<RelationLock> = before.iter().filter_map(lock).collect();
        locks.sort();
        Ok(locks)
    }

    /// Those of these that have another file now, as `table orders`.
    pub async fn written_anew(&mut self, before: &[RelationBefore]) -> Result<Vec<String>> {
        let with_file = || before.iter().filter(|relation| relation.file != 0);
        let ids: Vec<i64> = with_file().map(|relation| relation.id).collect();
        let now: Vec<(i64, i64)> = sqlx::query_as(
            "select c.oid::bigint, coalesce(pg_relation_filenode(c.oid), 0)::bigint from pg_class c
             where c.oid = any ($1::bigint[]::oid[])",
        )
        .persistent(false)
        .bind(ids)
        .fetch_all(&mut *self.connection)
        .await
        .map_err(doing("look for what was written anew"))?;
        let has_another = |relation: &&RelationBefore| {
            now.iter().any(|(id, file)| *id == relation.id && *file != relation.file)
        };
        let rewritten = with_file().filter(has_another);
        Ok(rewritten.map(|relation| format!("{} {}", relation.kind, relation.name)).collect())
    }

    /// Takes these locks on the tenant's tables with the next file, before its first statement, so that no file waits for one table
    /// while it keeps the tenant out of another. What is not there, or is something else now, is left to the files.
    pub fn lock_tables(&mut self, locks: &[&RelationLock]) {
        self.locks = locks.iter().map(|lock| (*lock).clone()).collect();
    }
}

fn kind(name: &str) -> &'static str {
    match name {
        "foreign table" => "foreign table",
        "view" => "view",
        "materialized view" => "materialized view",
        "sequence" => "sequence",
        _ => "table",
    }
}

/// A statement that takes the lock of a table that is there. It waits as long as a statement of a file would.
pub(super) fn lock_one(lock: &RelationLock) -> String {
    format!("lock table only {} in {} mode", identifier(&lock.name), lock.mode.sql())
}

/// A statement that has all of the locks or none. It never waits while it holds one: a table that is not free is waited for alone,
/// and then all are asked for at once. The waits are short, since others wait behind each; the last is as long as that of a
/// file, after which the server makes an autovacuum give way, and ends the attempt. The names are found on the search path of
/// the function that runs it, and count only in the schema of the owner.
pub(super) fn lock_all(locks: &[RelationLock]) -> String {
    let array = |texts: Vec<String>| {
        let texts: Vec<String> = texts.iter().map(|text| literal(text)).collect();
        format!("array[{}]::text[]", texts.join(", "))
    };
    let names = array(locks.iter().map(|lock| identifier(&lock.name)).collect());
    let statements = array(locks.iter().map(lock_one).collect());
    let body = format!(
        "declare
            names constant text[] := {names};
            statements constant text[] := {statements};
            before constant text := pg_catalog.current_setting('lock_timeout');
            held integer;
            at integer;
        begin
            for round in 0..{ROUNDS} loop
                begin
                    if held is not null then
                        perform pg_catalog.set_config('lock_timeout', case when round < {ROUNDS} then '200ms' else (
                            select (s.setting::integer + 250)::text from pg_catalog.pg_settings s where s.name = 'deadlock_timeout')
                        end, true);
                        execute statements[held];
                    end if;
                    for number in 1..pg_catalog.cardinality(names) loop
                        at := number;
                        if exists (select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                                   where c.oid = pg_catalog.to_regclass(names[number]) and c.relkind in ('r', 'p')
                                     and n.nspname = pg_catalog.current_schema()) then
                            execute statements[number] || ' nowait';
                        end if;
                    end loop;
                    perform pg_catalog.set_config('lock_timeout', before, true);
                    return;
                exception when lock_not_available then
                    if round = {ROUNDS} then
                        raise;
                    end if;
                    held := at;
                end;
            end loop;
        end"
    );
    format!("do {}", literal(&body))
}
