//! Migrations are foreign code. None of it may reach the provisioner, the operating system or another tenant, on the oldest
//! and the newest PostgreSQL: each attack runs for real, and the whole catalog is compared afterwards.
//!
//! Each version has a cluster of its own, because the comparison covers every role of the cluster.

mod attacks;
mod deferred;
mod feigned;

use std::path::PathBuf;

use sqlx::{ConnectOptions, Connection, Executor};
use tenantry_harness::catalog::Snapshot;
use tenantry_harness::rpc::context;
use tenantry_harness::{Cluster, Env, Provisioned, Version, eventually};
use tenantry_protocol::TenantryClient;
use tenantry_protocol::blueprint::{BlueprintUpload, UploadedFile};
use tenantry_protocol::operation::{Operation, OperationRequest};
use tenantry_protocol::tenant::{IssueCredentialsRequest, ProvisionRequest, RollbackRequest, TenantRequest};

use attacks::Attack;

const PAYLOAD: &str = include_str!("payload.sql");

/// An installation with a tenant to attack, and its state before the attacks.
struct Field {
    env: Env,
    client: TenantryClient,
    victim: Provisioned,
    before: Snapshot,
    victims_rows: String,
    marker: PathBuf,
}

impl Field {
    async fn prepare(version: Version) -> Self {
        // The daemon's own verification of the victim, which comes after a minute, would change what is compared.
        let env = Env::with_config(Cluster::private(version), "[limits]\nverify_every_s = 0").await;
        let victim = env.provision("victim").await;
        let insert = "insert into users (email, display_name) values ('v@example.test', 'Victim')";
        env.psql(&victim.credentials, insert).await.assert_status(0);
        // Everything that is made once and stays (a group, a canary) exists before the first snapshot.
        env.provision("first").await;
        env.rollback("first").await;
        let before = Snapshot::take_quickly(&env).await;
        // The server's own user can write there.
        let marker = PathBuf::from(format!("{}/pwned", env.cluster.socket_dir().display()));
        let client = env.rpc().await;
        let mut field = Self { env, client, victim, before, victims_rows: String::new(), marker };
        field.victims_rows = field.rows_of_the_victim().await;
        field
    }

    /// The victim's rows and its bookkeeping, as one text.
    async fn rows_of_the_victim(&self) -> String {
        let placement = self.victim.tenant.placement.as_str();
        let sql = format!(
            "select (select jsonb_agg(u order by u::text) from {placement}.users u)::text
                 || (select jsonb_agg(p order by p::text) from tenantry.placement p where placement = '{placement}')::text
                 || (select jsonb_agg(h order by h::text) from tenantry.migration_history h where placement = '{placement}')::text"
        );
        let mut connection = self.env.target().await;
        let text = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        text
    }

    /// Fills in the names. `{own}` is not known before the attack runs, so the attack looks it up.
    fn fill(&self, sql: &str) -> String {
        sql.replace("{provisioner}", &self.env.provisioner)
            .replace("{victim}", self.victim.tenant.placement.as_str())
            .replace("{marker}", self.marker.to_str().unwrap())
    }

    fn upload(&self, name: &str, files: &[String]) -> BlueprintUpload {
        let manifest =
            format!("name = \"{name}\"\nversion = \"1.0\"\ntitle = \"Hostile\"\ntenancy = \"schema\"\n");
        let file = |path: String, content: String| UploadedFile { path, content };
        let mut upload = vec![file("blueprint.toml".into(), manifest)];
        for (at, sql) in files.iter().enumerate() {
            let path = format!("V{}__part.sql", at + 1);
            if attacks::is_outside(sql) {
                upload.push(file(format!("{path}.conf"), "executeInTransaction=false".into()));
            }
            upload.push(file(path, sql.clone()));
        }
        BlueprintUpload { files: upload }
    }

    async fn finished(&self, id: &str) -> Operation {
        eventually(&format!("operation {id} ends"), async || {
            let request = OperationRequest { id: id.into() };
            let operation = self.client.operation(context(), request).await.unwrap().unwrap();
            operation.state.is_final().then_some(operation)
        })
        .await
    }

    /// Runs one attack and returns what it achieved; the list should be empty.
    async fn run(&self, number: usize, attack: Attack) -> Vec<String> {
        let slug = format!("attack-{number}");
        let mut files = vec![self.fill(PAYLOAD)];
        files.extend(attack.1.iter().map(|sql| own_schema_found_out(&self.fill(sql))));
        let report = self.client.blueprint_add(context(), self.upload(&slug, &files)).await.unwrap();
        match report {
            Ok(report) if report.is_usable() => {}
            Ok(report) => {
                return vec![format!("a lint stopped it, which proves nothing: {:?}", report.findings)];
            }
            Err(error) => return vec![format!("an error stopped it, which proves nothing: {error}")],
        }
        let request =
            ProvisionRequest { slug: slug.clone(), blueprint: slug.clone(), ..ProvisionRequest::default() };
        let started = match self.client.provision(context(), request).await.unwrap() {
            Ok(started) => started,
            Err(error) => return vec![format!("provision was refused: {error}")],
        };
        let operation = self.finished(&started.operation.id.to_string()).await;
        // Shown when the test fails, or with --nocapture.
        eprintln!(
            "{}: {} {:?}",
            attack.0,
            operation.state.name(),
            operation.state.failure().map(|why| why.summary())
        );
        let mut wrong = Vec::new();
        match operation.state.name() {
            "succeeded" => wrong.extend(self.misuse_and_remove(&slug).await),
            "rolled_back" => {}
            other => wrong.push(format!("ended {other}: {:?}", operation.state.failure())),
        }
        wrong.extend(self.what_changed(&slug).await);
        wrong
    }

    /// An active tenant must be powerless too: its application calls the payload, and then it is rolled back.
    async fn misuse_and_remove(&self, slug: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let issue = IssueCredentialsRequest { slug: slug.into(), idempotency_key: None };
        let login = self.client.issue_credentials(context(), issue).await.unwrap().unwrap();
        let options = self
            .env
            .cluster
            .options(&login.database)
            .username(&login.role)
            .password(login.password.as_deref().unwrap());
        match options.connect().await {
            Ok(mut session) => {
                for sql in ["select evil()", "select power()", "insert into bait values (99)"] {
                    // Most of these are refused or missing; what counts is that they achieved nothing.
                    let _ = session.execute(sql).await;
                }
                let _ = session.close().await;
            }
            Err(error) => wrong.push(format!("the active tenant cannot log in: {error}")),
        }
        let rollback = RollbackRequest {
            slug: slug.into(),
            confirm: slug.into(),
            discard_data: true,
            idempotency_key: None,
        };
        match self.client.rollback(context(), rollback).await.unwrap() {
            Ok(started) => {
                let removed = self.finished(&started.operation.id.to_string()).await;
                if removed.state.name() != "succeeded" {
                    wrong.push(format!("the rollback ended {:?}", removed.state));
                }
            }
            Err(error) => wrong.push(format!("the rollback was refused: {error}")),
        }
        wrong
    }

    async fn what_changed(&self, slug: &str) -> Vec<String> {
        let mut wrong = self.before.difference(&Snapshot::take_quickly(&self.env).await);
        let request = TenantRequest { slug: slug.into() };
        let tenant = self.client.tenant(context(), request).await.unwrap().unwrap().tenant;
        if tenant.state.name() != "rolled_back" {
            wrong.push(format!("the tenant is {:?}", tenant.state));
        }
        wrong.extend(
            self.env.traces(&tenant.placement).await.into_iter().map(|trace| format!("left: {trace}")),
        );
        if self.marker.exists() {
            wrong.push("a file was written by the server".into());
        }
        if self.rows_of_the_victim().await != self.victims_rows {
            wrong.push("the victim changed".into());
        }
        wrong
    }
}

/// Attacks call their own schema `{own}`. Its name is opaque and new each time, so it is looked up when the attack runs: a
/// text that contains `{own}` is run by a `do` block that fills it in.
fn own_schema_found_out(sql: &str) -> String {
    if !sql.contains("{own}") {
        return sql.to_owned();
    }
    format!(
        "do $own$ begin execute replace($attack${sql}$attack$, '{{' || 'own}}', current_schema()); end $own$;"
    )
}

async fn no_attack_reaches_beyond_its_tenant(version: Version) {
    let field = Field::prepare(version).await;
    let mut report = Vec::new();
    for (number, attack) in attacks::all().into_iter().enumerate() {
        let wrong = field.run(number, attack).await;
        if !wrong.is_empty() {
            report.push(format!("{}:\n    {}", attack.0, wrong.join("\n    ")));
            if field.before.difference(&Snapshot::take_quickly(&field.env).await).is_empty() {
                continue;
            }
            // The following attacks would only show the same damage again.
            break;
        }
    }
    assert!(report.is_empty(), "{} attacks got somewhere:\n{}", report.len(), report.join("\n"));
    // The daemon's connections are as good as new, and the neighbour noticed nothing.
    field.env.provision("afterwards").await;
    field.env.psql(&field.victim.credentials, "select count(*) from users").await.assert_status(0);
}

#[tokio::test]
async fn no_migration_reaches_beyond_its_tenant_on_the_packaged_postgresql() {
    no_attack_reaches_beyond_its_tenant(Version::Packaged).await;
}

#[tokio::test]
async fn no_migration_reaches_beyond_its_tenant_on_postgresql_18() {
    no_attack_reaches_beyond_its_tenant(Version::V18).await;
}

#[tokio::test]
async fn the_payload_does_its_damage_where_it_runs_with_the_provisioners_rights() {
    let field = Field::prepare(Version::Packaged).await;
    let cluster = &field.env.cluster;
    let options = cluster.options(&field.env.target_db).username(&field.env.provisioner);
    let mut session = options.password(tenantry_harness::environment::PASSWORD).connect().await.unwrap();
    let sql = format!("set search_path = public;\n{}\nselect evil();", field.fill(PAYLOAD));
    session.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await.unwrap();
    let damage = field.before.difference(&Snapshot::take_quickly(&field.env).await).join("\n");
    for expected in ["+ role pwned", "relation public.pwned", "+ schema pwned"] {
        assert!(damage.contains(expected), "the comparison does not see '{expected}':\n{damage}");
    }
}

#[tokio::test]
async fn what_stands_in_the_open_is_refused_by_a_lint_that_names_the_rule() {
    let env = Env::new().await;
    let client = env.rpc().await;
    for (sql, rule) in attacks::IN_THE_OPEN {
        let file = |path: &str, content: &str| UploadedFile { path: path.into(), content: content.into() };
        let manifest = "name = \"hostile\"\nversion = \"1.0\"\ntitle = \"Hostile\"\ntenancy = \"schema\"\n";
        let files = vec![file("blueprint.toml", manifest), file("V1__part.sql", &format!("\n{sql}"))];
        let report = client.blueprint_check(context(), BlueprintUpload { files }).await.unwrap().unwrap();
        assert!(!report.is_usable(), "'{sql}' is refused");
        let finding = report.findings.iter().find(|finding| finding.code == *rule);
        let finding =
            finding.unwrap_or_else(|| panic!("'{sql}' is not refused by {rule}: {:?}", report.findings));
        assert_eq!((finding.file.as_deref(), finding.line), (Some("V1__part.sql"), Some(2)));
    }
}
