//! A test's own installation: a control database, a target database, roles as production has them, and the daemon.
//!
//! The daemon's roles are not superusers. Every name is the test's own, so tests on one cluster do not meet.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tenantry_protocol::TenantryClient;
use tenantry_protocol::operation::{Operation, OperationRequest};
use tenantry_protocol::tenant::{Credentials, Tenant, TenantDetail, TenantRequest};
use tokio::process::Command;

use super::binaries;
use super::cli::{self, Output};
use super::daemon::Daemon;
use super::rpc::{self, RawSocket};
use super::{Cluster, eventually};

pub struct Env {
    pub cluster: Arc<Cluster>,
    pub dir: PathBuf,
    pub control_db: String,
    pub target_db: String,
    /// Owns the control database and its schema.
    pub control_owner: String,
    /// What the daemon works as there; it owns nothing.
    pub control_role: String,
    pub provisioner: String,
    /// Where the daemon finds the server.
    pub server_dir: PathBuf,
    daemon: Option<Daemon>,
}

/// What `tenant create --json` gives for a tenant that became active.
#[derive(Debug)]
pub struct Provisioned {
    pub tenant: Tenant,
    pub operation: Operation,
    pub credentials: Credentials,
}

pub const PASSWORD: &str = "only-for-tests";
/// What the server keeps of it, with a single iteration: unoptimised, the usual 4,096 take 50 ms at each of the daemon's logins.
const VERIFIER: &str = "\
    SCRAM-SHA-256$1:b25seS1mb3ItdGVzdHMuLg==$\
    qxgyPF6fue+opkhxKTjc54fXCJDPivwAsd1aTZOtRZw=:B9KFls8reOPMT+kvQXhtHwjC2YlJL8OsBLGdLLqmSZk=";

impl Env {
    /// On the cluster that tests share.
    pub async fn new() -> Self {
        Self::on(Cluster::shared()).await
    }

    pub async fn on(cluster: Arc<Cluster>) -> Self {
        Self::with_config(cluster, "").await
    }

    /// With more lines of configuration, before the tables that every test's has.
    pub async fn with_config(cluster: Arc<Cluster>, lines: &str) -> Self {
        let mut env = Self::prepare(cluster).await;
        env.write_config(lines, &[("local", env.target_url())]);
        env.start_daemon().await;
        env
    }

    /// The databases and roles alone: no configuration, no daemon.
    pub async fn prepare(cluster: Arc<Cluster>) -> Self {
        let env = Self::unmade(cluster);
        env.make_databases().await;
        env
    }

    /// The names alone. The first on a cluster of its own has the same names on each.
    pub fn unmade(cluster: Arc<Cluster>) -> Self {
        let number = cluster.next_number();
        Self {
            dir: cluster.new_dir(),
            control_db: format!("control_{number}"),
            target_db: format!("target_{number}"),
            control_owner: format!("control_owner_{number}"),
            control_role: format!("control_role_{number}"),
            provisioner: format!("provisioner_{number}"),
            server_dir: cluster.socket_dir(),
            cluster,
            daemon: None,
        }
    }

    async fn make_databases(&self) {
        let Self { control_db, target_db, control_owner, control_role, provisioner, .. } = self;
        let roles = format!(
            "create role {control_owner} login nosuperuser password '{VERIFIER}';
             create role {control_role} login nosuperuser password '{VERIFIER}';
             create role {provisioner} login nosuperuser createrole createdb password '{VERIFIER}'"
        );
        let mut statements = vec![roles];
        for (database, owner) in [(control_db, control_owner), (target_db, provisioner)] {
            // Not from template1: another test's connection to it would refuse this one. Copying the files takes half of the CPU.
            statements.push(format!(
                "create database {database} owner {owner} template template0 strategy file_copy"
            ));
            statements.push(format!("revoke connect on database {database} from public"));
        }
        statements.push(format!("grant connect on database {control_db} to {control_role}"));
        self.cluster.execute_each("postgres", &statements).await;
    }

    fn url(&self, role: &str, database: &str) -> String {
        let host = self.server_dir.to_str().unwrap().replace('/', "%2F");
        format!("postgres://{role}:{PASSWORD}@{host}/{database}")
    }

    pub fn target_url(&self) -> String {
        self.url(&self.provisioner, &self.target_db)
    }

    /// Writes the configuration anew; it holds for daemons that are started after.
    pub fn write_config(&self, lines: &str, targets: &[(&str, String)]) {
        let dir = self.dir.display();
        let control = self.url(&self.control_role, &self.control_db);
        let owner = self.url(&self.control_owner, &self.control_db);
        let mut text = format!(
            "state_dir = \"{dir}/state\"\nsocket = \"{dir}/run/tenantryd.sock\"\n{lines}\n[control]\nurl = \"{control}\"\nmigrate_url = \"{owner}\"\n"
        );
        for (name, url) in targets {
            text += &format!("\n[[targets]]\nname = \"{name}\"\nurl = \"{url}\"\n");
        }
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(self.config_path()).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    pub fn config_path(&self) -> PathBuf {
        self.dir.join("tenantryd.toml")
    }

    pub async fn start_daemon(&mut self) {
        let config = self.config_path();
        self.daemon = Some(Daemon::start(&["--config", config.to_str().unwrap()], &self.dir).await);
    }

    /// Restarts the daemon with these lines of configuration in place of those before.
    pub async fn restart_with(&mut self, lines: &str) {
        self.take_daemon().stop().await;
        self.write_config(lines, &[("local", self.target_url())]);
        self.start_daemon().await;
    }

    /// Takes a daemon that was started in another way for its own.
    #[allow(dead_code, reason = "the proof of the trail uses it")]
    pub fn adopt(&mut self, daemon: Daemon) {
        self.daemon = Some(daemon);
    }

    /// The running daemon, to stop or kill it.
    pub fn take_daemon(&mut self) -> Daemon {
        self.daemon.take().expect("the daemon runs")
    }

    pub fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("the daemon runs")
    }

    pub fn socket(&self) -> &Path {
        self.daemon().socket()
    }

    pub async fn rpc(&self) -> TenantryClient {
        rpc::client(self.socket()).await
    }

    pub async fn raw_socket(&self) -> RawSocket {
        RawSocket::introduced(self.socket()).await
    }

    /// A connection to the target database that sees everything.
    pub async fn target(&self) -> PgConnection {
        self.cluster.superuser(&self.target_db).await
    }

    /// A connection to the control database that sees everything.
    pub async fn control(&self) -> PgConnection {
        self.cluster.superuser(&self.control_db).await
    }

    /// Runs the client against this daemon.
    pub async fn tenantry(&self, arguments: &[&str]) -> Output {
        let mut all = vec!["--socket", self.socket().to_str().unwrap()];
        all.extend(arguments);
        cli::run(cli::tenantry_command(&all, &self.dir)).await
    }

    /// Provisions a tenant of the built-in blueprint, in its first version: one transaction makes all of it.
    pub async fn provision(&self, slug: &str) -> Provisioned {
        self.provision_of(slug, "projects@1.0").await
    }

    pub async fn provision_of(&self, slug: &str, blueprint: &str) -> Provisioned {
        let output = self.tenantry(&["tenant", "create", slug, "--blueprint", blueprint, "--json"]).await;
        Provisioned::from(&output.assert_status(0).json())
    }

    /// Rolls a tenant back completely.
    pub async fn rollback(&self, slug: &str) {
        let arguments = ["tenant", "rollback", slug, "--confirm", slug, "--discard-data"];
        self.tenantry(&arguments).await.assert_status(0);
    }

    /// Uploads a blueprint folder.
    pub async fn add_blueprint(&self, path: &str) {
        self.tenantry(&["blueprint", "add", path]).await.assert_status(0);
    }

    /// What the daemon says of a tenant: the living one of that slug, else the newest.
    pub async fn tenant(&self, slug: &str) -> TenantDetail {
        let request = TenantRequest { slug: slug.into() };
        self.rpc().await.tenant(rpc::context(), request).await.unwrap().unwrap()
    }

    /// Where an operation is now.
    pub async fn operation(&self, id: &str) -> Operation {
        let request = OperationRequest { id: id.into() };
        self.rpc().await.operation(rpc::context(), request).await.unwrap().unwrap()
    }

    /// Waits until the operation is in that state; panics if it ends in another.
    pub async fn wait_for_operation(&self, id: &str, state: &str) -> Operation {
        let client = self.rpc().await;
        eventually(&format!("operation {id} is {state}"), async || {
            let request = OperationRequest { id: id.into() };
            let operation = client.operation(rpc::context(), request).await.unwrap().unwrap();
            let reached = operation.state.name() == state;
            assert!(reached || !operation.state.is_final(), "{id} ended otherwise: {operation:?}");
            reached.then_some(operation)
        })
        .await
    }

    /// A session of a tenant's application.
    pub async fn log_in(&self, login: &Credentials) -> PgConnection {
        log_in(login).await.unwrap()
    }

    /// Runs SQL with a tenant's credentials, as its application would.
    pub async fn psql(&self, login: &Credentials, sql: &str) -> Output {
        let mut command = Command::new(binaries::psql());
        command
            .args(["--no-psqlrc", "--no-align", "--tuples-only", "--quiet", "--set=ON_ERROR_STOP=1"])
            .args(["--set=VERBOSITY=verbose", "--command", sql])
            .env("PGHOST", &login.host)
            .env("PGPORT", login.port.to_string())
            .env("PGUSER", &login.role)
            .env("PGDATABASE", &login.database)
            .env("PGPASSWORD", login.password.as_deref().expect("the password was given"))
            .env_remove("PGOPTIONS")
            .env_remove("PGSERVICE");
        cli::run(command).await
    }
}

impl From<&Value> for Provisioned {
    fn from(document: &Value) -> Self {
        let part =
            |name: &str| document.get(name).unwrap_or_else(|| panic!("no '{name}' in {document}")).clone();
        let this = Self {
            tenant: serde_json::from_value(part("tenant")).expect("a tenant"),
            operation: serde_json::from_value(part("operation")).expect("an operation"),
            credentials: serde_json::from_value(part("credentials")).expect("credentials"),
        };
        assert_eq!(this.tenant.state.name(), "active", "{document}");
        this
    }
}

impl Drop for Env {
    fn drop(&mut self) {
        drop(self.daemon.take());
        // A cluster of its own goes whole. Hundreds of databases would fill a small /tmp; where a test failed they stay
        // until the cluster's end.
        if std::thread::panicking() || Arc::strong_count(&self.cluster) == 1 {
            return;
        }
        let options = self.cluster.options("postgres");
        let drops =
            [&self.control_db, &self.target_db].map(|name| format!("drop database {name} with (force)"));
        // Dropping is not asynchronous, and a test's own runtime cannot be waited for from within it.
        std::thread::scope(|scope| {
            let work = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
                runtime.block_on(async {
                    let mut connection = options.connect().await.ok()?;
                    for sql in drops {
                        connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await.ok();
                    }
                    connection.close().await.ok()
                })
            });
            work.join().ok();
        });
    }
}

/// A session of a tenant's application, where the server lets it in.
pub async fn log_in(login: &Credentials) -> Result<PgConnection, sqlx::Error> {
    let password = login.password.as_deref().expect("the password was given");
    let options = PgConnectOptions::new_without_pgpass()
        .socket(&login.host)
        .port(login.port)
        .username(&login.role)
        .password(password)
        .database(&login.database)
        .ssl_mode(PgSslMode::Disable);
    options.connect().await
}
