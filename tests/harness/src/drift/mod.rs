//! Drift: tenants that are as they should be, and changes by hand that must be named.
//!
//! The proof of upgrades uses [`fresh`] and [`mod@planted`] on each version of the server.

pub mod kinds;
pub mod planted;

use tenantry_protocol::TenantryClient;
use tenantry_protocol::tenant::drift::{Drift, DriftDifference, DriftRequest, DriftState};

use crate::{Cluster, Env, Provisioned, Version, rpc};
use planted::{PLANTED, PLANTED_IN_A_POOL, Plant};

/// How often one repair after the other is run.
const MOST_REPAIRS: usize = 8;

/// New tenants, and what was found of them.
#[derive(Debug, Default)]
pub struct Fresh {
    pub tenants: usize,
    /// Each with its tenant; there should be none.
    pub findings: Vec<String>,
}

/// Planted changes, and how many of them were named, no more and no less, and repaired.
#[derive(Debug, Default)]
pub struct Named {
    pub total: usize,
    pub named: usize,
    /// What was told of the others.
    pub missed: Vec<String>,
}

/// An installation with the blueprints that have something of everything.
pub async fn installation(version: Version) -> Env {
    let env = Env::on(Cluster::private(version)).await;
    furnish(&env).await;
    env
}

/// Adds the blueprints to an installation.
pub async fn furnish(env: &Env) {
    env.add_blueprint(kinds::kinds(&env.dir).path()).await;
    env.add_blueprint(kinds::kinds_in_databases(&env.dir).path()).await;
}

/// Provisions `each` tenants of every tenancy on a server of that version, and compares them.
pub async fn fresh(version: Version, each: usize) -> Fresh {
    fresh_in(&installation(version).await, each).await
}

/// The same in an installation that has the blueprints.
pub async fn fresh_in(env: &Env, each: usize) -> Fresh {
    let mut fresh = Fresh::default();
    let client = env.rpc().await;
    for (blueprint, share) in [
        ("projects", each.div_ceil(2)),
        (kinds::KINDS, each / 2),
        ("kinds-in-databases", each),
        ("ledger", each),
    ] {
        for number in 0..share {
            let slug = format!("fresh-{blueprint}-{number}");
            env.provision_of(&slug, blueprint).await;
            let drift = ask(&client, &slug).await;
            fresh.tenants += 1;
            fresh.findings.extend(lines(&drift).into_iter().map(|line| format!("{slug}: {line}")));
        }
    }
    fresh
}

/// Plants every change into a tenant of each tenancy, one after the other.
pub async fn planted(version: Version) -> Named {
    let env = installation(version).await;
    let mut named = Named::default();
    for blueprint in [kinds::KINDS, "kinds-in-databases"] {
        named.plant_all(&env, blueprint, &PLANTED.concat()).await;
    }
    named.plant_all(&env, "ledger", PLANTED_IN_A_POOL).await;
    named
}

impl Named {
    /// Plants these changes into a tenant of the blueprint, and into another one after a change that could not be repaired.
    pub async fn plant_all(&mut self, env: &Env, blueprint: &str, plants: &[Plant]) {
        let mut made = None;
        for (number, plant) in plants.iter().enumerate() {
            let into = match made.take() {
                Some(made) => made,
                None => env.provision_of(&format!("{blueprint}-{number}"), blueprint).await,
            };
            let outcome = try_plant(env, &into, *plant).await;
            if outcome.is_ok() {
                made = Some(into);
            }
            self.count(*plant, outcome);
        }
    }

    fn count(&mut self, plant: Plant, outcome: Result<(), String>) {
        self.total += 1;
        match outcome {
            Ok(()) => self.named += 1,
            Err(why) => self.missed.push(format!("{}: {why}", plant.sql)),
        }
    }
}

/// Makes the change, holds what is told of it to what must be told, and repairs it.
async fn try_plant(env: &Env, made: &Provisioned, plant: Plant) -> Result<(), String> {
    let client = env.rpc().await;
    let slug = made.tenant.slug.as_str();
    let place = DriftedPlace::of(env, made).await;
    place.run(plant.sql).await.map_err(|error| format!("it could not be planted: {error}"))?;
    let drift = ask(&client, slug).await;
    let told = lines(&drift);
    let problem = (told != plant.lines).then(|| format!("told was {told:#?}"));
    if let Some(undo) = plant.undo {
        if drift.differences.iter().any(|one| one.repair.is_some()) {
            return Err(format!("a repair is written: {drift:#?}"));
        }
        place.run(undo).await.map_err(|error| format!("it could not be taken back: {error}"))?;
    }
    let repaired = repair(&client, slug, &place).await;
    problem.map_or(repaired, Err)
}

/// Runs the first repair until there is nothing to repair.
async fn repair(client: &TenantryClient, slug: &str, place: &DriftedPlace) -> Result<(), String> {
    for _ in 0..MOST_REPAIRS {
        let drift = ask(client, slug).await;
        if drift.state == DriftState::InSync {
            return Ok(());
        }
        let first = drift.differences.first();
        let Some(sql) = first.and_then(|one| one.repair.clone()) else {
            return Err(format!("there is no repair: {drift:#?}"));
        };
        place.run(&sql).await.map_err(|error| format!("its repair is refused: {error}\n{sql}"))?;
    }
    Err(format!("it is not repaired: {:#?}", ask(client, slug).await))
}

/// Where the objects of a tenant are.
struct DriftedPlace {
    cluster: std::sync::Arc<Cluster>,
    database: String,
    schema: String,
}

impl DriftedPlace {
    async fn of(env: &Env, made: &Provisioned) -> Self {
        let placement = made.tenant.placement.to_string();
        let (database, schema) = match made.tenant.tenancy.name() {
            "database" => (placement.clone(), placement),
            "shared" => {
                let sql = "select pool from tenantry.placement where placement = $1 and kind = 'tenant'";
                let pool = sqlx::query_scalar(sql).bind(placement).fetch_one(&mut env.target().await).await;
                (env.target_db.clone(), pool.unwrap())
            }
            _ => (env.target_db.clone(), placement),
        };
        Self { cluster: env.cluster.clone(), database, schema }
    }

    /// Runs the statements as a superuser, in the tenant's schema.
    async fn run(&self, sql: &str) -> Result<(), sqlx::Error> {
        use sqlx::Executor as _;
        let mut connection = self.cluster.superuser(&self.database).await;
        let sql = format!(
            "set search_path = {0}, tenantry_ext;\n{1}",
            self.schema,
            sql.replace("{s}", &self.schema)
        );
        connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await.map(drop)
    }
}

/// What the daemon says of the tenant's drift.
pub async fn ask(client: &TenantryClient, slug: &str) -> Drift {
    let request = DriftRequest { slug: slug.to_owned() };
    client.drift(rpc::context(), request).await.unwrap().unwrap()
}

/// Each difference in a line, or why there is no answer.
pub fn lines(drift: &Drift) -> Vec<String> {
    let reason = drift.reason.iter().map(|reason| format!("? {reason}"));
    drift.differences.iter().map(DriftDifference::headline).chain(reason).collect()
}
