//! Tenants that share one set of tables: none sees anything of another, and each comes and goes while the others stay.

use serde_json::Value;
use tenantry_harness::{Env, Provisioned};
use tenantry_protocol::tenant::Credentials;

mod apart;
mod cost;
mod pgbouncer;
mod pools;
mod removal;
mod uncovered;

/// Every table of the blueprint `ledger`, with a column that can be changed.
const TABLES: [(&str, &str); 13] = [
    ("currencies", "name"),
    ("customers", "name"),
    ("customer_checks", "note"),
    ("accounts", "name"),
    ("account_owners", "capacity"),
    ("transactions", "description"),
    ("entries", "amount"),
    ("closed_periods", "closed_by"),
    ("holds", "reason"),
    ("fee_schedules", "name"),
    ("fees", "amount"),
    ("fee_waivers", "reason"),
    ("statements", "issued_at"),
];
const VIEWS: [&str; 5] =
    ["account_balances", "trial_balance", "statement_lines", "customer_positions", "fee_income"];
/// Rows of the sample data.
const SEEDED: i64 = 103;

async fn seeded(env: &Env, slug: &str) -> Provisioned {
    let create = ["tenant", "create", slug, "--blueprint", "ledger", "--seed", "--json"];
    Provisioned::from(&env.tenantry(&create).await.assert_status(0).json())
}

/// The only column of the only row, as the application gets it.
pub(crate) async fn value(env: &Env, login: &Credentials, sql: &str) -> String {
    env.psql(login, sql).await.assert_status(0).stdout.trim().to_owned()
}

/// The rows of a query, as the application gets them.
async fn rows(env: &Env, login: &Credentials, sql: &str) -> Vec<Value> {
    let sql = format!("select coalesce(jsonb_agg(to_jsonb(r)), '[]') from ({sql}) r");
    let output = env.psql(login, &sql).await.assert_status(0);
    serde_json::from_str(output.stdout.trim()).unwrap_or_else(|error| panic!("{error}: {output}"))
}

async fn refused(env: &Env, login: &Credentials, sql: &str, says: &[&str]) {
    env.psql(login, sql).await.assert_status(1).assert_says(says);
}

/// The pool's schema; there is one on the target.
pub(crate) async fn pool(env: &Env) -> String {
    let mut target = env.target().await;
    sqlx::query_scalar("select placement from tenantry.pool").fetch_one(&mut target).await.unwrap()
}

/// A text that only a superuser can query.
pub(crate) async fn seen(env: &Env, sql: String) -> String {
    let mut target = env.target().await;
    let asked =
        sqlx::query_scalar::<_, Option<String>>(sqlx::AssertSqlSafe(sql)).fetch_one(&mut target).await;
    asked.unwrap().unwrap_or_default()
}

/// All rows of a tenant as a superuser sees them, as one text.
async fn picture(env: &Env, tenant: &Provisioned) -> String {
    let pool = pool(env).await;
    let id = tenant.tenant.id;
    let tables = TABLES.map(|(table, _)| {
        format!("select '{table}' as name, to_jsonb(r)::text as row from {pool}.{table} r where tenant_id = '{id}'")
    });
    seen(
        env,
        format!(
            "select md5(string_agg(name || row, ' ' order by name, row)) || count(*) from ({}) r",
            tables.join(" union all ")
        ),
    )
    .await
}

/// How many rows a tenant has, as a superuser counts them.
async fn count(env: &Env, tenant: &Provisioned) -> i64 {
    let pool = pool(env).await;
    let id = tenant.tenant.id;
    let tables =
        TABLES.map(|(table, _)| format!("select tenant_id from {pool}.{table} where tenant_id = '{id}'"));
    seen(env, format!("select count(*)::text from ({}) r", tables.join(" union all "))).await.parse().unwrap()
}
