//! The built-in blueprint `ledger`, from its first version through the one that expands to the one that contracts: its tenants share
//! their tables, and files that change rows run as each of them.

use tenantry_harness::drift::{ask, lines};
use tenantry_harness::{Cluster, Env, Provisioned, Version};

async fn answer(env: &Env, made: &Provisioned, sql: &str) -> String {
    env.psql(&made.credentials, sql).await.assert_status(0).stdout.trim().to_owned()
}

/// Brings two tenants with the sample data through all versions of the blueprint.
async fn ledger_goes_through_all_versions(version: Version) {
    let env = Env::on(Cluster::private(version)).await;
    let mut made = Vec::new();
    for slug in ["acme", "globex"] {
        let create = ["tenant", "create", slug, "--blueprint", "ledger@1.0", "--seed", "--json"];
        made.push(Provisioned::from(&env.tenantry(&create).await.assert_status(0).json()));
    }
    let waive = "update fees set waived_reason = 'goodwill' where amount = 490";
    env.psql(&made[0].credentials, waive).await.assert_status(0);
    let refused = env.tenantry(&["tenant", "upgrade", "acme", "--to", "2.0"]).await.assert_status(5);
    refused.assert_says(&["has 1.0: upgrade to 1.1 first"]);

    env.tenantry(&["tenant", "upgrade", "globex", "--to", "1.1"]).await.assert_status(0);
    let filled = "select string_agg(s.currency, ' ') || ' ' || bool_and(s.currency = a.currency)
        from statements s join accounts a on a.id = s.account_id";
    for one in &made {
        assert_eq!(answer(&env, one, filled).await, "EUR EUR EUR true");
        assert_eq!(answer(&env, one, "select count(*) from transactions").await, "16");
    }
    let waivers =
        "select count(*) from fee_waivers w join fees f on f.id = w.fee_id and w.waived_on = f.charged_on";
    assert_eq!(
        (answer(&env, &made[0], waivers).await, answer(&env, &made[1], waivers).await),
        ("2".into(), "0".into())
    );
    // What the first version's application writes is in both places, and what the second one writes.
    let old = "update fees set waived_reason = 'mistake' where amount = 2500;
        insert into statements (account_id, first_day, last_day, opening_balance, closing_balance)
        select id, current_date, current_date, 0, 0 from accounts where number = '200006'";
    env.psql(&made[1].credentials, old).await.assert_status(0);
    assert_eq!(answer(&env, &made[1], "select reason from fee_waivers").await, "mistake");
    let dollars = "select currency from statements where first_day = current_date";
    assert_eq!(answer(&env, &made[1], dollars).await, "USD");
    env.psql(&made[1].credentials, "update fee_waivers set reason = 'corrected'").await.assert_status(0);
    let reason = "select waived_reason from fees where waived_reason is not null";
    assert_eq!(answer(&env, &made[1], reason).await, "corrected");
    env.psql(&made[0].credentials, "update fees set waived_reason = null").await.assert_status(0);
    assert_eq!(answer(&env, &made[0], "select count(*) from fee_waivers").await, "0");

    let done = env.tenantry(&["blueprint", "upgrade", "ledger", "--json"]).await.assert_status(0).json();
    assert_eq!(done["upgrade"]["counts"]["done"], 1, "{done}");
    env.psql(&made[1].credentials, reason).await.assert_says(&["42703"]);
    assert_eq!(answer(&env, &made[1], "select reason from fee_waivers").await, "corrected");
    // A new tenant joins them, sample data and all.
    let create = ["tenant", "create", "late", "--blueprint", "ledger", "--seed", "--json"];
    let late = Provisioned::from(&env.tenantry(&create).await.assert_status(0).json());
    assert_eq!(late.tenant.version.to_string(), "2.0");
    assert_eq!(answer(&env, &late, "select count(*) from fee_waivers").await, "1");
    let client = env.rpc().await;
    for slug in ["acme", "globex", "late"] {
        env.tenantry(&["tenant", "verify", slug]).await.assert_status(0);
        // Compared with tables that are built for the version.
        assert_eq!(lines(&ask(&client, slug).await), [""; 0], "{slug}");
        env.rollback(slug).await;
    }
}

#[tokio::test]
async fn tenants_of_ledger_keep_their_rows_through_all_versions() {
    ledger_goes_through_all_versions(Version::Packaged).await;
}

#[tokio::test]
async fn tenants_of_ledger_keep_their_rows_through_all_versions_on_the_newest_server() {
    ledger_goes_through_all_versions(Version::V18).await;
}
