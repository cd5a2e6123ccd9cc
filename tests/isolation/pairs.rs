//! Tenants of one tenancy, each attacking every other with its application's own login: each tries to read, write, empty,
//! lock and take over everything that the other has.

use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use tenantry_harness::{Env, Folder, Provisioned};
use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::isolation::IsolationReport;
use tenantry_protocol::tenant::Credentials;

/// insufficient_privilege
const REFUSED: &str = "42501";

/// The results of all pairs.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    pub(crate) pairs: usize,
    pub(crate) attacks: usize,
    /// A line for each attack that was not repelled.
    pub(crate) leaks: Vec<String>,
}

pub(crate) struct Fleet {
    tenancy: Tenancy,
    tenants: Vec<Provisioned>,
    /// The report of each tenant's provision.
    pub(crate) core_reports: Vec<IsolationReport>,
    /// How long the whole step took for each, in ms: login, fingerprints of the victim and lints beside the attacks.
    pub(crate) core_steps: Vec<f64>,
}

/// An attack, and how it must end.
enum Attack {
    /// Refused by privilege.
    Refused(String),
    /// Allowed to run, and finds nothing: its only value is 0.
    FindsNothing(String),
}

impl Fleet {
    pub(crate) async fn provision(env: &Env, tenancy: Tenancy, tenants: usize) -> Self {
        let blueprint = match tenancy {
            Tenancy::Database => {
                env.add_blueprint(Folder::projects_in_databases(&env.dir).path()).await;
                "projects-in-databases"
            }
            Tenancy::Shared => "ledger",
            _ => "projects@1.0",
        };
        let mut this =
            Self { tenancy, tenants: Vec::new(), core_reports: Vec::new(), core_steps: Vec::new() };
        for number in 0..tenants {
            let slug = format!("tenant-{number}");
            let create = ["tenant", "create", &slug, "--blueprint", blueprint, "--seed", "--json"];
            this.tenants.push(Provisioned::from(&env.tenantry(&create).await.assert_status(0).json()));
            let detail = env.tenant(&slug).await;
            this.core_reports.push(detail.isolation.unwrap());
            let step = detail.operations.iter().flat_map(|o| &o.steps).find(|step| step.step == "verify");
            this.core_steps.push(step.and_then(|step| step.duration_ms).unwrap());
        }
        this
    }

    pub(crate) fn slugs(&self) -> Vec<String> {
        self.tenants.iter().map(|made| made.tenant.slug.to_string()).collect()
    }

    pub(crate) async fn attack_in_all_pairs(&self, env: &Env) -> Pairs {
        let mut result = Pairs::default();
        let mut before = Vec::new();
        for victim in &self.tenants {
            before.push(self.picture(env, victim).await);
        }
        let mut attacks = Vec::new();
        for victim in &self.tenants {
            attacks.push(self.attacks_on(env, victim).await);
        }
        for attacker in &self.tenants {
            let mut session = enter(&attacker.credentials, &attacker.credentials.database).await.unwrap();
            for (victim, attacks) in self.tenants.iter().zip(&attacks) {
                if victim.tenant.id == attacker.tenant.id {
                    continue;
                }
                result.pairs += 1;
                if self.tenancy == Tenancy::Database {
                    result.attacks += 1;
                    let entered = enter(&attacker.credentials, &victim.credentials.database).await;
                    if let Some(leak) = refused(entered.map(drop)) {
                        result.leaks.push(format!(
                            "{} into the database of {}: {leak}",
                            attacker.tenant.slug, victim.tenant.slug
                        ));
                    }
                }
                for attack in attacks {
                    result.attacks += 1;
                    if let Some(leak) = held_off(&mut session, attack).await {
                        result
                            .leaks
                            .push(format!("{} on {}: {leak}", attacker.tenant.slug, victim.tenant.slug));
                    }
                }
            }
            session.close().await.unwrap();
        }
        for (victim, before) in self.tenants.iter().zip(before) {
            if self.picture(env, victim).await != before {
                result.leaks.push(format!("{} is not as it was", victim.tenant.slug));
            }
        }
        result
    }

    /// Every attack that can be tried on what the victim has.
    async fn attacks_on(&self, env: &Env, victim: &Provisioned) -> Vec<Attack> {
        let placement = &victim.tenant.placement;
        let mut attacks: Vec<Attack> = ["", "_app", "_a", "_b", "_probe"]
            .iter()
            .map(|suffix| Attack::Refused(format!("set role {placement}{suffix}")))
            .collect();
        attacks.push(Attack::Refused(format!("grant {placement}_app to current_user")));
        attacks.push(Attack::Refused(format!("alter role {placement}_a nologin")));
        match self.tenancy {
            Tenancy::Shared => attacks.extend(self.attacks_on_rows(env, victim).await),
            Tenancy::Database => {}
            _ => attacks.extend(attacks_on_schema(env, placement.as_str()).await),
        }
        attacks
    }

    async fn attacks_on_rows(&self, env: &Env, victim: &Provisioned) -> Vec<Attack> {
        let mut target = env.target().await;
        let id = victim.tenant.id;
        let mut attacks = Vec::new();
        for (table, kind) in pool_relations(&mut target).await {
            attacks
                .push(Attack::FindsNothing(format!("select count(*) from {table} where tenant_id = '{id}'")));
            if kind != "v" {
                for change in [
                    format!("delete from {table} where tenant_id = '{id}'"),
                    format!("update {table} set tenant_id = tenant_id where tenant_id = '{id}'"),
                ] {
                    attacks.push(Attack::FindsNothing(format!(
                        "with changed as ({change} returning 1) select count(*) from changed"
                    )));
                }
                attacks.push(Attack::Refused(format!(
                    "insert into {table} select (jsonb_populate_record(t, jsonb_build_object('tenant_id', '{id}'))).* from {table} t"
                )));
                attacks.push(Attack::Refused(format!("truncate {table}")));
                attacks.push(Attack::Refused(format!("alter table {table} disable row level security")));
            }
        }
        attacks
    }

    /// All rows of the tenant as a superuser sees them, as one text.
    async fn picture(&self, env: &Env, of: &Provisioned) -> String {
        let (mut connection, relations, only) = match self.tenancy {
            Tenancy::Shared => {
                let mut target = env.target().await;
                let relations = pool_relations(&mut target).await;
                (target, relations, format!("where tenant_id = '{}'", of.tenant.id))
            }
            Tenancy::Database => {
                let mut own = env.cluster.superuser(&of.credentials.database).await;
                let relations = relations(&mut own, of.tenant.placement.as_str()).await;
                (own, relations, String::new())
            }
            _ => {
                let mut target = env.target().await;
                let relations = relations(&mut target, of.tenant.placement.as_str()).await;
                (target, relations, String::new())
            }
        };
        let tables: Vec<String> = relations
            .iter()
            .filter(|(_, kind)| kind == "r")
            .map(|(table, _)| format!("select '{table}' || to_jsonb(r)::text as row from {table} r {only}"))
            .collect();
        let sql =
            format!("select md5(string_agg(row, ' ' order by row)) from ({}) r", tables.join(" union all "));
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap()
    }
}

/// The attacks on a victim whose schema is in the same database.
async fn attacks_on_schema(env: &Env, placement: &str) -> Vec<Attack> {
    let mut target = env.target().await;
    let mut attacks = vec![
        format!("create table {placement}.intruder (id integer)"),
        format!("drop schema {placement} cascade"),
    ];
    for (relation, kind) in relations(&mut target, placement).await {
        if kind == "S" {
            attacks.push(format!("select nextval('{relation}')"));
            continue;
        }
        attacks.push(format!("select * from {relation}"));
        if kind == "r" {
            attacks.extend([
                format!("insert into {relation} default values"),
                format!("delete from {relation}"),
                format!("truncate {relation}"),
                format!("lock table {relation} in access exclusive mode"),
                format!("alter table {relation} add column intruder integer"),
                format!("drop table {relation}"),
            ]);
        }
    }
    let functions: Vec<String> = sqlx::query_scalar(
        "select oid::regproc::text from pg_proc where pronamespace = to_regnamespace($1) and pronargs = 0 and prokind = 'f'",
    )
    .bind(placement)
    .fetch_all(&mut target)
    .await
    .unwrap();
    attacks.extend(functions.into_iter().map(|function| format!("select {function}()")));
    attacks.into_iter().map(Attack::Refused).collect()
}

/// The relations of a schema, qualified, with their kind.
async fn relations(connection: &mut PgConnection, schema: &str) -> Vec<(String, String)> {
    connection.execute("set search_path = pg_catalog").await.unwrap();
    sqlx::query_as(
        "select oid::regclass::text, relkind::text from pg_class
         where relnamespace = to_regnamespace($1) and relkind in ('r', 'v', 'm', 'S') order by 1",
    )
    .bind(schema)
    .fetch_all(connection)
    .await
    .unwrap()
}

/// The shared tables on the target whose rows belong to tenants.
async fn pool_relations(connection: &mut PgConnection) -> Vec<(String, String)> {
    let pool: String =
        sqlx::query_scalar("select placement from tenantry.pool").fetch_one(&mut *connection).await.unwrap();
    let all = relations(connection, &pool).await;
    let with_rows: Vec<String> = sqlx::query_scalar(
        "select attrelid::regclass::text from pg_attribute join pg_class c on c.oid = attrelid
         where c.relnamespace = to_regnamespace($1) and attname = 'tenant_id'",
    )
    .bind(&pool)
    .fetch_all(connection)
    .await
    .unwrap();
    all.into_iter().filter(|(name, kind)| kind != "S" && with_rows.contains(name)).collect()
}

pub(crate) async fn enter(login: &Credentials, database: &str) -> Result<PgConnection, sqlx::Error> {
    PgConnectOptions::new()
        .socket(&login.host)
        .port(login.port)
        .username(&login.role)
        .password(login.password.as_deref().expect("the password was given"))
        .database(database)
        .statement_cache_capacity(0)
        .connect()
        .await
}

/// `None` if the attack was repelled, otherwise what happened.
async fn held_off(session: &mut PgConnection, attack: &Attack) -> Option<String> {
    session.execute("begin").await.unwrap();
    let leak = match attack {
        Attack::Refused(sql) => {
            let answer = sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut *session).await;
            refused(answer.map(drop)).map(|leak| format!("{sql}: {leak}"))
        }
        Attack::FindsNothing(sql) => {
            match sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql.clone())).fetch_one(&mut *session).await {
                Ok(0) => None,
                Ok(rows) => Some(format!("{sql}: {rows} rows")),
                // A column or table that cannot be written at all.
                Err(error) => refused(Err(error)).map(|leak| format!("{sql}: {leak}")),
            }
        }
    };
    session.execute("rollback").await.unwrap();
    leak
}

/// `None` if it was refused for lack of privilege; any other error proves nothing.
fn refused(answer: Result<(), sqlx::Error>) -> Option<String> {
    let error = match answer {
        Ok(()) => return Some("it succeeded".to_owned()),
        Err(error) => error,
    };
    let code = error
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
        .map(|error| error.code().to_owned());
    if code.as_deref() == Some(REFUSED) { None } else { Some(error.to_string()) }
}
