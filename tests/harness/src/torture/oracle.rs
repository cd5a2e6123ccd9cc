//! Captures and compares the whole state before and after an operation that was interrupted: the cluster's catalog, the rows of
//! every table that tenants share, sessions and locks, the registry's living tenants, and the audit trail.
//!
//! What stays for the record is not compared: markers whose build is gone, tenants that are rolled back, operations that have
//! ended.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use crate::Env;
use crate::catalog::Snapshot;

/// How long the remains of a broken connection on the server may take to end by themselves.
const REST: Duration = Duration::from_secs(20);

/// Everything that must be as before, or as after a whole operation, one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State(BTreeSet<String>);

const MARKERS: &str = "
    select format('marker %s of %s: %s', kind, placement, state) from tenantry.placement where state not in ('removed', 'void')
    union all select format('history of %s: %s files', placement, count(*)) from tenantry.migration_history group by placement
    union all select 'group ' || group_role from tenantry.target_identity
    union all select 'archiver ' || rolname from pg_roles where rolname like 't\\_%\\_dump'";

/// What sessions on the target hold. Idle sessions hold nothing, and the server's own processes (autovacuum) do not count.
/// Daemons query the target now and then and hold something for that moment, so this is repeated until nothing is held, and
/// it is not part of a [`State`].
const HOLDS: &str = "
    select format('lock %s %s on %s by %s', locktype, mode, coalesce(relation::regclass::text, '-'), usename)
        from pg_locks l join pg_stat_activity a using (pid)
        where (a.datname = current_database() or a.datname like 't\\_%') and pid <> pg_backend_pid() and usename is not null
    union all select 'transaction of ' || usename from pg_stat_activity
        where (datname = current_database() or datname like 't\\_%') and pid <> pg_backend_pid() and backend_xid is not null and usename is not null
    union all select 'session of ' || usename from pg_stat_activity where usename like 't\\_%'
    union all select 'prepared transaction ' || gid from pg_prepared_xacts";

const TENANTS: &str = "
    select format('tenant %s of %s: version %s.%s, %s %s %s %s, logins %s and %s', slug, placement, major, minor, state,
            display_name, labels, settings, credentials_role, credentials_previous_role)
        from control.tenant where state not in ('rolled_back', 'retired')
    union all select format('unfinished %s', kind) from control.operation where state in ('queued', 'running', 'unwinding')";

impl State {
    pub async fn take(env: &Env) -> Self {
        let mut lines = Snapshot::take_quickly(env).await.into_lines();
        let mut target = env.target().await;
        lines.extend(rows(&mut target, MARKERS).await);
        lines.extend(counts(&mut target).await);
        lines.extend(databases(env, &mut target).await);
        target.close().await.unwrap();
        let mut control = env.control().await;
        lines.extend(rows(&mut control, TENANTS).await);
        control.close().await.unwrap();
        Self(lines)
    }

    /// What `later` has more or less, with the tenant's own names replaced: the same for any tenant that underwent the same.
    pub fn change(&self, later: &Self, names: &[(&str, &str)]) -> Vec<String> {
        let gone = self.0.difference(&later.0).map(|line| format!("- {line}"));
        let new = later.0.difference(&self.0).map(|line| format!("+ {line}"));
        let mut lines: Vec<String> = gone.chain(new).map(|line| general(line, names)).collect();
        lines.sort();
        lines
    }
}

/// Waits until nothing is held on the target any more; returns what is held if that takes too long.
pub async fn come_to_rest(env: &Env) -> Option<String> {
    let begin = Instant::now();
    let mut target = env.target().await;
    let held = loop {
        let held = rows(&mut target, HOLDS).await;
        if held.is_empty() || begin.elapsed() > REST {
            break held;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    target.close().await.unwrap();
    (!held.is_empty()).then(|| format!("after {} s still there: {held:?}", REST.as_secs()))
}

/// What is wrong with the audit trail since `seq`: gaps, broken links, and operations whose intent or end is missing or
/// occurs twice.
pub async fn audit_problems(env: &Env, seq: i64) -> BTreeSet<String> {
    const PROBLEMS: &str = "
        select format('audit: %s events, the last is %s, the head says %s', count(*), max(seq), (select seq from control.audit_head))
            from control.audit_event
            having count(*) <> max(seq) or max(seq) <> (select seq from control.audit_head)
        union all select format('audit: event %s does not continue the chain', seq)
            from (select seq, prev_hash, lag(hash) over (order by seq) as before from control.audit_event where seq >= $1) e
            where before is not null and before <> prev_hash
        union all select format('audit: %s %s is %s with %s intents, %s undos, %s ends, the last %s', o.kind, o.id, o.state,
                n.intents, n.undos, n.ends, n.outcome)
            from control.operation o
            cross join lateral (
                select count(*) filter (where action like '%.intent') as intents, count(*) filter (where action like '%.undo') as undos,
                       count(*) filter (where outcome is not null) as ends, max(outcome) as outcome, max(seq) as last
                from control.audit_event e where e.operation_id = o.id and e.action <> 'archive') n
            where n.last > $1 and (n.intents <> 1 or n.ends <> 1 or n.undos > 1 or (n.outcome = 'ok') <> (o.state = 'succeeded'))
        union all select format('audit: operation %s has %s', e.operation_id, string_agg(e.action, ', '))
            from control.audit_event e
            where e.seq > $1 and e.operation_id is not null and not exists (select from control.operation where id = e.operation_id)
            group by e.operation_id
            having count(*) filter (where outcome is null) <> 1 or count(*) filter (where outcome is not null) <> 1
        union all select format('audit: operation %s made %s archives, and the trail says %s', operation_id, made, said)
            from (select operation_id, count(*) as made from control.archive group by operation_id) a
            full join (select operation_id, count(*) as said, max(seq) as last from control.audit_event
                       where action = 'archive' group by operation_id) e using (operation_id)
            where last is null or last > $1 and (made is null or made <> said)
        union all select format('journal of %s: %s beginnings, %s ends', j.operation_id, begun, ended)
            from (select operation_id, count(*) filter (where event ->> 'event' = 'begun') as begun,
                         count(*) filter (where event ->> 'event' in ('undone', 'stuck', 'cancelled')) as ended
                  from control.operation_event group by operation_id) j
            join control.operation o on o.id = j.operation_id
            where begun <> 1 or ended > 1
               or (o.state in ('rolled_back', 'cancelled')) <> (ended = 1) and o.state <> 'needs_attention'";
    let mut control = env.control().await;
    let found = sqlx::query_scalar::<_, String>(PROBLEMS).bind(seq).fetch_all(&mut control).await;
    control.close().await.unwrap();
    found.unwrap().into_iter().collect()
}

/// The newest event's number.
pub async fn audit_seq(env: &Env) -> i64 {
    let mut control = env.control().await;
    let seq = sqlx::query_scalar("select seq from control.audit_head").fetch_one(&mut control).await.unwrap();
    control.close().await.unwrap();
    seq
}

async fn rows(connection: &mut PgConnection, sql: &'static str) -> Vec<String> {
    sqlx::query_scalar(sql).fetch_all(connection).await.unwrap()
}

/// The number of rows in each existing table, tenants' and shared ones; of the markers only those that count.
async fn counts(connection: &mut PgConnection) -> Vec<String> {
    let tables: Vec<String> = rows(
        connection,
        "select format('select format(''rows of %%s: %%s'', %L, count(*)) from %s', oid::regclass, oid::regclass)
         from pg_class where relkind = 'r' and oid >= 16384 and oid <> 'tenantry.placement'::regclass",
    )
    .await;
    let all = tables.join(" union all ");
    sqlx::query_scalar(sqlx::AssertSqlSafe(all)).fetch_all(connection).await.unwrap()
}

/// The markers and the rows in tenants' own databases, if they can be entered.
async fn databases(env: &Env, target: &mut PgConnection) -> Vec<String> {
    const OWN: &str = "select datname::text from pg_database where datname like 't\\_%' and datallowconn";
    let mut lines = Vec::new();
    for database in rows(target, OWN).await {
        let mut there = env.cluster.superuser(&database).await;
        let found = [rows(&mut there, MARKERS).await, counts(&mut there).await].concat();
        there.close().await.unwrap();
        lines.extend(found.into_iter().map(|line| format!("in {database}: {line}")));
    }
    lines
}

/// Replaces the names, and any password by "a password".
fn general(mut line: String, names: &[(&str, &str)]) -> String {
    for (name, stands_for) in names {
        line = line.replace(name, stands_for);
    }
    let Some(at) = line.find(" pw=").map(|at| at + " pw=".len()) else { return line };
    if line[at..].is_empty() { line } else { format!("{}set", &line[..at]) }
}
