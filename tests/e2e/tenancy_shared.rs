//! Tenants that share one set of tables: what each sees of the other, which is nothing, and how one comes and goes while
//! the others stay.

use serde_json::Value;
use tenantry_protocol::tenant::Credentials;

use crate::harness::{Cluster, Env, Provisioned, Version};

/// Every table and view of the blueprint `ledger`.
const TABLES: [&str; 12] = [
    "currencies",
    "customers",
    "customer_checks",
    "accounts",
    "account_owners",
    "transactions",
    "entries",
    "closed_periods",
    "holds",
    "fee_schedules",
    "fees",
    "statements",
];
const VIEWS: [&str; 5] =
    ["account_balances", "trial_balance", "statement_lines", "customer_positions", "fee_income"];

async fn seeded(env: &Env, slug: &str) -> Provisioned {
    let create = ["tenant", "create", slug, "--blueprint", "ledger", "--seed", "--json"];
    Provisioned::from(&env.tenantry(&create).await.assert_status(0).json())
}

/// The only column of the only row, as the application gets it.
async fn value(env: &Env, login: &Credentials, sql: &str) -> String {
    env.psql(login, sql).await.assert_status(0).stdout.trim().to_owned()
}

/// The rows of a query, as the application gets them.
async fn rows(env: &Env, login: &Credentials, sql: &str) -> Vec<Value> {
    let sql = format!("select coalesce(jsonb_agg(to_jsonb(r)), '[]') from ({sql}) r");
    let output = env.psql(login, &sql).await.assert_status(0);
    serde_json::from_str(output.stdout.trim()).unwrap_or_else(|error| panic!("{error}: {output}"))
}

#[tokio::test]
async fn two_tenants_in_one_pool_see_only_their_own_rows() {
    apart(&Env::new().await).await;
}

#[tokio::test]
async fn two_tenants_in_one_pool_see_only_their_own_rows_on_postgresql_18() {
    apart(&Env::on(Cluster::private(Version::V18)).await).await;
}

async fn apart(env: &Env) {
    let (one, two) = (seeded(env, "one").await, seeded(env, "two").await);
    for login in [&one, &two] {
        let me = login.tenant.id.to_string();
        for name in TABLES.into_iter().chain(VIEWS) {
            let seen = format!("select string_agg(distinct tenant_id::text, ',') from {name}");
            assert_eq!(value(env, &login.credentials, &seen).await, me, "{name}");
        }
    }
    env.rollback("one").await;
    env.assert_clean_slate(&one.tenant.placement).await;
    assert_eq!(value(env, &two.credentials, "select count(*) from transactions").await, "16");
    let lines = rows(env, &two.credentials, "select * from trial_balance").await;
    assert!(!lines.is_empty());
}
