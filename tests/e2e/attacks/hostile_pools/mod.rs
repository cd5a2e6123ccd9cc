//! Blueprints of shared tables are foreign code. None of it may run with the rights of the tables' owner once the tables
//! are built, since row-level security does not apply to the owner.

mod catalog;
mod earlier;
pub(crate) mod leaving;
mod tenants;

use tenantry_harness::isolation::proving_ground::ProvingGround;
use tenantry_harness::isolation::trial;
use tenantry_harness::{Cluster, Env, Version};

/// `make isolation` tries the same on PostgreSQL 18.
#[tokio::test]
async fn what_would_run_as_the_owner_or_open_a_pool_is_refused_by_name() {
    let env = Env::on(Cluster::private(Version::Packaged)).await;
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
