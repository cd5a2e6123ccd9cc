//! Blueprints of shared tables are somebody else's code. None of it may run with the rights of the tables' owner once they
//! are built, on the oldest and the newest PostgreSQL: row-level security does not hold there.

mod catalog;
mod earlier;
pub(crate) mod leaving;
mod tenants;

use tenantry_harness::isolation::proving_ground::ProvingGround;
use tenantry_harness::isolation::trial;
use tenantry_harness::{Cluster, Env, Version};

#[tokio::test]
async fn what_would_run_as_the_owner_or_open_a_pool_is_refused_by_name() {
    nothing_gets_through(Version::Packaged).await;
}

#[tokio::test]
async fn what_would_run_as_the_owner_or_open_a_pool_is_refused_by_name_on_postgresql_18() {
    nothing_gets_through(Version::V18).await;
}

async fn nothing_gets_through(version: Version) {
    let env = Env::on(Cluster::private(version)).await;
    trial::prepare(&env).await;
    let (wrong, _) = trial::judge_all(&env).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn what_an_administrator_spoils_in_a_pool_that_stands_is_found_by_a_verification() {
    let ground = ProvingGround::of(Version::Packaged, "ledger").await;
    let harvest = ground.plant_everything().await;
    assert!(harvest.wrong.is_empty(), "{}", harvest.wrong.join("\n"));
}
