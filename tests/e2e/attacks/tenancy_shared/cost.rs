//! What the policies cost: the same queries with and without them, in a pool with many other tenants' rows.

use std::time::{Duration, Instant};

use sqlx::{ConnectOptions as _, PgConnection};
use tenantry_harness::Env;
use tenantry_protocol::id::TenantId;
use tenantry_protocol::tenant::Credentials;

use super::pool;

/// The most frequent queries of an application: the balances of a customer's accounts, the newest transactions, a trial
/// balance.
pub(super) const QUERIES: [&str; 3] = [
    "select number, balance, available from account_balances where number like '2000%' order by number",
    "select t.booked_on, t.reference, e.amount from transactions t join entries e on e.tenant_id = t.tenant_id and e.transaction_id = t.id
     where t.booked_on > current_date - 30 order by t.booked_on desc, t.reference, e.line limit 50",
    "select currency, kind, debits, credits from trial_balance order by currency, kind",
];
const ROUNDS: usize = 200;

/// Adds other tenants with that many transactions each, straight into the tables, and as many to `this`, which has none.
pub(super) async fn fill(env: &Env, tenants: u32, transactions: u32, this: Option<TenantId>) {
    let pool = pool(env).await;
    let this = this.map(|id| format!("insert into others values ('{id}');")).unwrap_or_default();
    let sql = format!(
        "set search_path = {pool}, tenantry_ext; set session_replication_role = replica;
         create temporary table others as select gen_random_uuid() as tenant_id from generate_series(1, {tenants}); {this}
         insert into currencies (tenant_id, code, name) select tenant_id, 'EUR', 'Euro' from others;
         insert into accounts (tenant_id, number, name, kind, currency)
             select tenant_id, '2000' || n, 'Account', 'liability', 'EUR' from others, generate_series(10, 29) n;
         insert into transactions (tenant_id, reference, kind, booked_on)
             select tenant_id, 'T' || n, 'transfer', current_date - n % 90 from others, generate_series(1, {transactions}) n;
         insert into entries (tenant_id, transaction_id, line, account_id, currency, amount)
             select t.tenant_id, t.id, a.line, a.id, 'EUR', case a.line when 1 then 100 else -100 end
             from transactions t join others using (tenant_id)
             cross join lateral (select id, row_number() over (order by id) as line from accounts a
                                 where a.tenant_id = t.tenant_id order by id limit 2) a;
         set session_replication_role = origin"
    );
    env.cluster.execute(&env.target_db, sql).await;
    // Keeps the work of autovacuum out of the figures.
    env.cluster.execute(&env.target_db, "vacuum (analyze)".to_owned()).await;
}

async fn session(login: &Credentials) -> PgConnection {
    sqlx::postgres::PgConnectOptions::new_without_pgpass()
        .host(&login.host)
        .port(login.port)
        .username(&login.role)
        .database(&login.database)
        .password(login.password.as_deref().unwrap())
        .connect()
        .await
        .unwrap()
}

/// The median of the runs over each connection; the connections take turns.
async fn medians(connections: [&mut PgConnection; 2], sql: &str) -> [Duration; 2] {
    let [one, other] = connections;
    let mut times = [Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS)];
    for _ in 0..ROUNDS {
        for (connection, times) in [&mut *one, &mut *other].into_iter().zip(&mut times) {
            let begin = Instant::now();
            let found = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).fetch_all(connection).await.unwrap();
            times.push(begin.elapsed());
            assert!(!found.is_empty());
        }
    }
    times.map(|mut times| {
        times.sort_unstable();
        times[ROUNDS / 2]
    })
}

/// The tenant queries through the policies; the superuser names the tenant in each table and queries without them.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "the figures of docs/tenancies.md")]
async fn the_policies_cost_little_beside_the_same_queries_without_them() {
    let env = Env::new().await;
    let made = env.provision_of("one", "ledger").await;
    fill(&env, 50, 1_000, Some(made.tenant.id)).await;
    let (pool, id) = (pool(&env).await, made.tenant.id);
    let mut tenant = session(&made.credentials).await;
    let mut without = env.target().await;
    // Views with the same text, whose tables are the tenant's part of each: as an application would query without policies.
    let mut prepare = format!("set search_path = pg_temp, {pool}, tenantry_ext; ");
    for table in ["accounts", "entries", "holds", "transactions"] {
        prepare += &format!(
            "create temporary view {table} as select * from {pool}.{table} where tenant_id = '{id}'; "
        );
    }
    for view in ["account_balances", "trial_balance"] {
        let text = super::seen(&env, format!("select pg_get_viewdef('{pool}.{view}'::regclass)")).await;
        let text = text.replace(&format!("{pool}."), "pg_temp.");
        prepare += &format!("create temporary view {view} as {text} ");
    }
    sqlx::raw_sql(sqlx::AssertSqlSafe(prepare)).execute(&mut without).await.unwrap();
    let mut worst: f64 = 0.0;
    for sql in QUERIES {
        let [with, without] = medians([&mut tenant, &mut without], sql).await;
        let ratio = with.as_secs_f64() / without.as_secs_f64();
        let shown = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        println!(
            "policies: {:.3} ms with, {:.3} ms without, {ratio:.2} x: {shown:.70}",
            with.as_secs_f64() * 1e3,
            without.as_secs_f64() * 1e3
        );
        worst = worst.max(ratio);
    }
    // Far above what was measured: a plan that reads other tenants' rows takes a hundred times as long.
    assert!(worst < 4.0, "{worst}");
}
