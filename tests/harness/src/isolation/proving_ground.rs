//! A target that an administrator closed as `target check` says, with one tenant on it: misconfigurations are planted here.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _};
use tenantry_protocol::isolation::{Grade, IsolationReport};

use super::planted::{Planted, planted, planted_in_a_pool};
use crate::{Cluster, Env, Version};

/// What an administrator closes on a server once; the daemon cannot, because it is not a superuser.
const CLOSE_FUNCTIONS: &str = "do $$ declare f regprocedure; begin
    for f in select oid from pg_proc where pronamespace = 'pg_catalog'::regnamespace
             and (proname like 'pg\\_advisory\\_%' or proname like 'pg\\_try\\_advisory\\_%' or proname in ('pg_logical_emit_message', 'lo_creat', 'lo_create', 'lo_from_bytea'))
    loop execute format('revoke execute on function %s from public', f); end loop; end $$";

/// invalid_grant_operation
const CIRCLE: &str = "0LP01";

/// The results of the planting.
pub struct Harvest {
    /// What was not caught, and what else went wrong.
    pub wrong: Vec<String>,
    /// What this version of the server does not let anybody plant.
    pub refused: Vec<&'static str>,
}

pub struct ProvingGround {
    pub env: Env,
    /// The tenant's and the canary's placements.
    own: String,
    victim: String,
    /// The pool whose tables the tenant shares; `None` for a tenant with tables of its own.
    pool: Option<String>,
}

impl ProvingGround {
    pub async fn new(version: Version) -> Self {
        Self::of(version, "projects@1.0").await
    }

    /// A proving ground with a tenant of that blueprint.
    pub async fn of(version: Version, blueprint: &str) -> Self {
        let cluster = Cluster::private(version);
        let env = Env::on(cluster.clone()).await;
        for database in ["postgres", "template1"] {
            cluster
                .execute("postgres", format!("revoke connect, temporary on database {database} from public"))
                .await;
        }
        let mut target = env.target().await;
        target.execute(CLOSE_FUNCTIONS).await.unwrap();
        let own = env.provision_of("acme", blueprint).await.tenant.placement.to_string();
        let pool = "select placement from tenantry.pool";
        let pool = sqlx::query_scalar(pool).fetch_optional(&mut target).await.unwrap();
        let victim = sqlx::query_scalar(
            "select placement from tenantry.placement where kind = 'canary' and state = 'active'",
        )
        .fetch_one(&mut target)
        .await
        .unwrap();
        Self { env, own, victim, pool }
    }

    /// Plants all misconfigurations one after another.
    pub async fn plant_everything(&self) -> Harvest {
        let (mut wrong, mut refused) = (Vec::new(), Vec::new());
        let report = self.verify().await;
        if report.grade() != Grade::A {
            wrong.push(format!("before: {:?}", complaints(&report)));
        }
        let mut target = self.env.target().await;
        let all = if self.pool.is_some() { planted_in_a_pool() } else { planted() };
        for planted in all {
            if !self.run(&mut target, &planted, planted.plant).await {
                // From PostgreSQL 16 on, the creator of a role is a member of it, so the role cannot become a member of its
                // creator.
                refused.push(planted.name);
                continue;
            }
            let seen = complaints(&self.verify().await);
            self.run(&mut target, &planted, planted.clear).await;
            eprintln!("planted: {}: seen by {}", planted.name, seen.join(", "));
            for catcher in planted.catchers().filter(|catcher| !seen.iter().any(|name| name == catcher)) {
                wrong.push(format!("{}: {catcher} did not see it, but {seen:?}", planted.name));
            }
        }
        let report = self.verify().await;
        if report.grade() != Grade::A {
            wrong.push(format!("after: {:?}", complaints(&report)));
        }
        Harvest { wrong, refused }
    }

    pub async fn verify(&self) -> IsolationReport {
        let output = self.env.tenantry(&["tenant", "verify", "acme", "--json"]).await;
        let report = output.json()["report"].clone();
        serde_json::from_value(report).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    /// Returns false if the server refuses the grant because it would close a circle.
    async fn run(&self, target: &mut PgConnection, planted: &Planted, sql: &str) -> bool {
        let sql = sql
            .replace("{own}", &self.own)
            .replace("{victim}", &self.victim)
            .replace("{pool}", self.pool.as_deref().unwrap_or_default())
            .replace("{provisioner}", &self.env.provisioner)
            .replace("{database}", &self.env.target_db);
        let Err(error) = target.execute(AssertSqlSafe(sql)).await else { return true };
        let code = error.as_database_error().and_then(|error| error.code());
        assert_eq!(code.as_deref(), Some(CIRCLE), "{}: {error}", planted.name);
        false
    }
}

/// The probes and lints that complain: `probe read`, `lint foreign_grants`.
fn complaints(report: &IsolationReport) -> Vec<String> {
    let held = report.verdicts.iter().filter(|verdict| !verdict.held);
    let probes = held.map(|verdict| format!("probe {}", verdict.probe));
    let mut names: Vec<String> =
        probes.chain(report.findings.iter().map(|finding| format!("lint {}", finding.lint))).collect();
    names.dedup();
    names
}
