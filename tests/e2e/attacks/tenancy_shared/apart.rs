//! Two tenants in one pool, and everything that one of them can try.

use tenantry_harness::{Cluster, Env, Version};

use super::{TABLES, VIEWS, picture, pool, refused, rows, seeded, seen, value};

#[tokio::test]
async fn each_sees_its_own_rows_and_nothing_of_the_other() {
    apart(&Env::new().await).await;
}

#[tokio::test]
async fn each_sees_its_own_rows_and_nothing_of_the_other_on_postgresql_18() {
    apart(&Env::on(Cluster::private(Version::V18)).await).await;
}

async fn apart(env: &Env) {
    let (one, two) = (seeded(env, "one").await, seeded(env, "two").await);
    let (me, other) = (one.tenant.id, two.tenant.id);
    for made in [&one, &two] {
        for name in TABLES.map(|(table, _)| table).into_iter().chain(VIEWS) {
            let whose = format!("select string_agg(distinct tenant_id::text, ',') from {name}");
            assert_eq!(value(env, &made.credentials, &whose).await, made.tenant.id.to_string(), "{name}");
        }
    }
    let before = picture(env, &two).await;
    for (table, column) in TABLES {
        for sql in [
            format!("select * from {table} where tenant_id = '{other}'"),
            format!("delete from {table} where tenant_id = '{other}' returning 1"),
            format!("update {table} set {column} = {column} where tenant_id = '{other}' returning 1"),
            format!("select * from {table} where tenant_id = '{other}' for update"),
        ] {
            assert_eq!(value(env, &one.credentials, &sql).await, "", "{sql}");
        }
        let give = format!(
            "insert into {table} select (jsonb_populate_record(t, jsonb_build_object('tenant_id', '{other}'))).* from {table} t"
        );
        refused(env, &one.credentials, &give, &["42501", "row-level security"]).await;
        refused(env, &one.credentials, &format!("truncate {table}"), &["42501", "permission denied"]).await;
        let alter = format!("alter table {table} disable row level security");
        refused(env, &one.credentials, &alter, &["42501", "must be owner"]).await;
    }
    let change = format!("update customers set tenant_id = '{other}'");
    refused(env, &one.credentials, &change, &["42501", "row-level security"]).await;
    let balances = "select string_agg(balance::text, ',' order by number) from account_balances";
    assert_eq!(value(env, &one.credentials, balances).await, value(env, &two.credentials, balances).await);
    assert_eq!(picture(env, &two).await, before, "{me} changed nothing of {other}");
}

#[tokio::test]
async fn no_setting_and_no_role_makes_one_tenant_the_other() {
    let env = Env::new().await;
    let (one, two) = (seeded(&env, "one").await, seeded(&env, "two").await);
    let other = &two.tenant.placement;
    for set in [
        format!("set tenantry.tenant = '{}'", two.tenant.id),
        format!("set app.tenant_id = '{}'", two.tenant.id),
        format!("set search_path = {}", pool(&env).await),
        "set session_replication_role = default".to_owned(),
        format!(
            "create temporary table pool_member as select current_user as role, true as is_open, '{}'::uuid as tenant_id",
            two.tenant.id
        ),
    ] {
        let sql = format!(
            "{set}; select string_agg(distinct tenant_id::text, ',') from {}.accounts",
            pool(&env).await
        );
        let output = env.psql(&one.credentials, &sql).await;
        if output.status == 0 {
            assert_eq!(output.stdout.trim(), one.tenant.id.to_string(), "{set}");
        } else {
            output.assert_says(&["42501"]);
        }
    }
    refused(&env, &one.credentials, "set row_security = off; select * from accounts", &["42501"]).await;
    for role in [other.to_string(), format!("{other}_app"), format!("{other}_a"), pool(&env).await] {
        refused(&env, &one.credentials, &format!("set role {role}"), &["42501", "permission denied"]).await;
    }
    refused(&env, &one.credentials, "select * from tenantry.pool_member", &["42501"]).await;
    refused(&env, &one.credentials, "update tenantry.pool_member set is_open = true", &["42501"]).await;
    let shared = pool(&env).await;
    for function in ["picture", "at_rest"] {
        let call = format!("select tenantry.{shared}_{function}()");
        refused(&env, &one.credentials, &call, &["42501", "permission denied"]).await;
    }
    assert_eq!(value(&env, &one.credentials, "select tenantry_tenant()").await, one.tenant.id.to_string());
}

#[tokio::test]
async fn keys_and_references_tell_nothing_of_the_others_rows() {
    let env = Env::new().await;
    let (one, two) = (seeded(&env, "one").await, env.provision_of("two", "ledger").await);
    let (mine, theirs) = (&two.credentials, &one.credentials);
    // A value that is unique in one tenant is free in the other.
    value(&env, mine, "insert into currencies (code, name) values ('EUR', 'Euro')").await;
    value(&env, mine, "insert into customers (kind, name, email, country) values ('person', 'Other', 'maren.vogt@example.com', 'DE')").await;
    value(
        &env,
        mine,
        "insert into accounts (number, name, kind, currency) values ('1000', 'Bank', 'asset', 'EUR')",
    )
    .await;
    // So are the keys themselves: the answer is the same whether or not the other tenant has them.
    let key = value(&env, theirs, "select id from customers where name = 'Maren Vogt'").await;
    let customer = format!(
        "insert into customers (id, kind, name, email, country) values ('{key}', 'person', 'Same', 'same@example.com', 'DE')"
    );
    value(&env, mine, &format!("{customer} on conflict do nothing")).await;
    assert_eq!(value(&env, mine, &format!("select name from customers where id = '{key}'")).await, "Same");
    let account = value(&env, theirs, "select id from accounts where number = '200001'").await;
    for id in [account.as_str(), "00000000-0000-0000-0000-000000000000"] {
        let hold = format!(
            "insert into holds (account_id, currency, amount, reason, expires_at) values ('{id}', 'EUR', 1, 'x', now() + interval '1 day')"
        );
        refused(&env, mine, &hold, &["23503", "holds_account_fkey"]).await;
    }
    let upsert = "insert into currencies (code, name) values ('USD', 'Mine') on conflict (tenant_id, code) do update set name = 'Changed'";
    value(&env, mine, upsert).await;
    assert_eq!(value(&env, theirs, "select name from currencies where code = 'USD'").await, "US dollar");
    let named = format!(
        "insert into currencies (tenant_id, code, name) values ('{}', 'USD', 'x') on conflict (tenant_id, code) do update set name = 'Changed'",
        one.tenant.id
    );
    refused(&env, mine, &named, &["42501", "row-level security"]).await;
}

#[tokio::test]
async fn debits_and_credits_balance_or_nothing_is_booked() {
    let env = Env::new().await;
    let made = seeded(&env, "bank").await;
    let login = &made.credentials;
    for line in
        rows(&env, login, "select currency, sum(net) as net from trial_balance group by currency").await
    {
        assert_eq!(line["net"], 0, "{line}");
    }
    let printed = "select s.closing_balance = l.balance as same from statements s join lateral (select balance from statement_lines l
                   where l.statement_id = s.id order by booked_on desc, reference desc, line desc limit 1) l on true";
    let printed = rows(&env, login, printed).await;
    assert!(printed.len() == 3 && printed.iter().all(|line| line["same"] == true), "{printed:?}");
    let held = rows(
        &env,
        login,
        "select number, balance, held, available from account_balances where held > 0 order by number",
    )
    .await;
    assert_eq!(held.len(), 2, "{held:?}");
    assert!(
        held.iter().all(|a| a["available"].as_i64().unwrap()
            == a["balance"].as_i64().unwrap() - a["held"].as_i64().unwrap())
    );

    let book = |amounts: &str| {
        format!(
            "begin; insert into transactions (reference, kind) values ('X', 'transfer');
             insert into entries (transaction_id, line, account_id, currency, amount)
             select t.id, v.line, a.id, 'EUR', v.amount from transactions t, (values {amounts}) v (line, number, amount)
             join accounts a on a.number = v.number where t.reference = 'X'; commit"
        )
    };
    refused(
        &env,
        login,
        &book("(1, '200001', 100), (2, '200003', -99)"),
        &["23514", "debits and credits differ by EUR 1"],
    )
    .await;
    refused(&env, login, &book("(1, '200001', 100)"), &["23514", "two entries at least"]).await;
    refused(
        &env,
        login,
        "insert into transactions (reference, kind) values ('Y', 'fee')",
        &["this one has 0"],
    )
    .await;
    let old = "insert into transactions (reference, kind, booked_on) values ('Z', 'fee', current_date - 70)";
    refused(&env, login, old, &["the books are closed"]).await;
    refused(&env, login, "delete from entries", &["never changed or deleted"]).await;
    refused(&env, login, "update entries set amount = amount * 2", &["never changed or deleted"]).await;
    value(&env, login, &book("(1, '200001', 100), (2, '200003', -100)")).await;
    let wrong = "insert into entries (transaction_id, line, account_id, currency, amount)
                 select transaction_id, 9, account_id, 'USD', amount from entries where currency <> 'USD' limit 1";
    refused(&env, login, wrong, &["23503", "entries_account_fkey"]).await;
}

#[tokio::test]
async fn plans_look_the_tenant_up_in_an_index_and_filter_no_other_tenants_rows() {
    let env = Env::new().await;
    let made = seeded(&env, "one").await;
    let login = &made.credentials;
    super::cost::fill(&env, 20, 500, None).await;
    for sql in super::cost::QUERIES {
        let plan =
            value(&env, login, &format!("explain (analyze, costs off, timing off, summary off) {sql}")).await;
        assert!(plan.contains("tenant_id = $") || plan.contains("tenant_id = (InitPlan"), "{plan}");
        assert!(
            !plan.contains("Seq Scan on entries") && !plan.contains("Seq Scan on transactions"),
            "{plan}"
        );
        let removed = plan.lines().filter_map(|line| line.trim().strip_prefix("Rows Removed by Filter: "));
        let most = removed.map(|count| count.parse::<u64>().unwrap()).max().unwrap_or(0);
        // Only the tenant's own rows; others have thousands.
        assert!(most < 100, "{plan}");
    }
    let others = seen(&env, format!("select count(*)::text from {}.entries", pool(&env).await)).await;
    assert!(others.parse::<u64>().unwrap() > 20_000, "{others}");
}
