//! Fresh and upgraded tenants are what their version makes them, and each change by hand is named, on both servers.

use tenantry_harness::bars::Bar;
use tenantry_harness::drift::{ask, fresh, lines, planted};
use tenantry_harness::{Cluster, Env, Folder, Version};

/// Planted changes that must be named.
const LEAST_NAMED: f64 = 40.0;
const SERVERS: [(Version, &str); 2] = [(Version::Packaged, ""), (Version::V18, "_on_18")];

pub(crate) async fn bars(each: usize) -> Vec<Bar> {
    let mut bars = Vec::new();
    for (version, suffix) in SERVERS {
        let found = fresh(version, each).await;
        println!("{} fresh tenants, {each} of each tenancy", found.tenants);
        found.findings.iter().take(20).for_each(|finding| println!("{finding}"));
        bars.push(Bar::at_most(format!("drift_of_fresh_tenants{suffix}"), found.findings.len() as f64, 0.0));
        let named = planted(version).await;
        println!("{} of {} planted changes named", named.named, named.total);
        named.missed.iter().take(20).for_each(|missed| println!("{missed}"));
        bars.push(Bar::at_least(format!("planted_drifts_named{suffix}"), named.named as f64, LEAST_NAMED));
        bars.push(Bar::at_most(format!("planted_drifts_missed{suffix}"), named.missed.len() as f64, 0.0));
        let unequal = unequal(version).await;
        bars.push(Bar::at_most(format!("upgraded_unlike_fresh{suffix}"), unequal as f64, 0.0));
    }
    bars
}

/// Upgrades a tenant over each pair of versions in each tenancy; the number of those that are not as a fresh one.
async fn unequal(version: Version) -> usize {
    let env = Env::on(Cluster::private(version)).await;
    let client = env.rpc().await;
    let mut unequal = 0;
    for tenancy in ["schema", "database", "shared"] {
        for minor in 0..3 {
            env.add_blueprint(release(&env, tenancy, minor).path()).await;
        }
        for (from, to) in [(0, 1), (0, 2), (1, 2)] {
            let slug = format!("{tenancy}-{from}-{to}");
            env.provision_of(&slug, &format!("of-{tenancy}@1.{from}")).await;
            env.tenantry(&["tenant", "upgrade", &slug, "--to", &format!("1.{to}")]).await.assert_status(0);
            let drift = ask(&client, &slug).await;
            let found = lines(&drift);
            println!("{tenancy} from 1.{from} to 1.{to}: {:?}", drift.state);
            found.iter().for_each(|line| println!("  {line}"));
            unequal += usize::from(!found.is_empty() || drift.baseline.is_none());
        }
    }
    unequal
}

/// A version of a small shop: a table, then a column with an index and another table, then a changed view and a function.
fn release(env: &Env, tenancy: &str, minor: usize) -> Folder {
    let (name, version) = (format!("of-{tenancy}"), format!("1.{minor}"));
    let folder = match tenancy {
        "shared" => Folder::shared(&env.dir, &name, &version),
        "database" => Folder::new(&env.dir, &name, &version).in_databases(),
        _ => Folder::new(&env.dir, &name, &version),
    };
    let of_tenant = if tenancy == "shared" { "tenant_id uuid not null, " } else { "" };
    let key = if tenancy == "shared" { "tenant_id, id" } else { "id" };
    let files = [
        format!("create table items ({of_tenant}id int, name text, primary key ({key}));"),
        format!(
            "alter table items add column price numeric;\ncreate index items_price on items (price);\n\
             create table sales ({of_tenant}id int, at timestamptz, primary key ({key}));"
        ),
        "create view cheap with (security_invoker = true) as select id, name from items where price < 2;\n\
         alter table items add constraint items_priced check (price >= 0) not valid;"
            .to_owned(),
    ];
    files
        .iter()
        .take(minor + 1)
        .enumerate()
        .fold(folder, |folder, (number, sql)| folder.migration(&format!("step_{number}"), sql))
}
