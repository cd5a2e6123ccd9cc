//! One server with its daemon: the private cluster of a `tenantryd`, durable and with its default settings, and a
//! superuser connection to the same database.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions as _, PgConnection};
use tarpc::context::Context;
use tempfile::TempDir;
use tenantry_protocol::endpoint::Announcement;
use tenantry_protocol::frame::{JsonCodec, MAX_FRAME_BYTES};
use tenantry_protocol::operation::StepProgress;
use tenantry_protocol::session::{ClientInfo, HelloRequest};
use tenantry_protocol::tenant::ProvisionRequest;
use tenantry_protocol::watch::{EventBody, WatchRequest};
use tenantry_protocol::{PROTOCOL_VERSION, TenantryClient};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio_util::codec::LengthDelimitedCodec;

use crate::Result;
use crate::blueprint::Blueprint;

const SUPERUSER: &str = "tenantry_bootstrap";
const DATABASE: &str = "tenantry_local";
/// How many tenants are requested at once while a server is filled.
const FILL_AT_ONCE: usize = 4;

/// A tenant that became active: how long that took for its client, and how the daemon says the time was spent.
pub(crate) struct Provisioned {
    pub(crate) whole: Duration,
    pub(crate) steps: Vec<StepProgress>,
}

pub(crate) struct Side {
    name: &'static str,
    blueprint: String,
    daemon: Child,
    client: TenantryClient,
    superuser: PgConnection,
    sockets: PathBuf,
    script: PathBuf,
    made: usize,
    /// Dropped last: the cluster is in it.
    _dir: TempDir,
}

impl Side {
    pub(crate) async fn start(name: &'static str, blueprint: &Blueprint) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("tenantry-bench-").tempdir()?;
        // The cluster's own user has to pass through.
        std::fs::set_permissions(dir.path(), Permissions::from_mode(0o711))?;
        let state = dir.path().join("state");
        let mut daemon = Command::new(daemon_binary()?)
            .args(["--announce", "--exit-with-stdin", "--state-dir"])
            .arg(&state)
            .arg("--socket")
            .arg(dir.path().join("run/tenantryd.sock"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = daemon.stdout.take().ok_or("no standard output")?;
        let line = BufReader::new(stdout).lines().next_line().await?.ok_or("the daemon did not start")?;
        let announcement: Announcement = serde_json::from_str(&line)?;
        let client = connect(&announcement.socket).await?;
        client.blueprint_add(context(), blueprint.upload()).await??;
        let sockets = state.join("cluster/run");
        let superuser = superuser_options(&sockets).connect().await?;
        let script = dir.path().join("psql.sql");
        let blueprint = blueprint.name.clone();
        Ok(Self { name, blueprint, daemon, client, superuser, sockets, script, made: 0, _dir: dir })
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// Makes that many tenants, several at a time.
    pub(crate) async fn fill(&mut self, tenants: usize) -> Result<()> {
        println!("filling the server '{}' with {tenants} tenants …", self.name);
        let begin = Instant::now();
        while self.made < tenants {
            let batch = FILL_AT_ONCE.min(tenants - self.made);
            let slugs: Vec<String> = (0..batch).map(|_| self.next_slug()).collect();
            let work =
                slugs.into_iter().map(|slug| provision(self.client.clone(), slug, self.blueprint.clone()));
            futures::future::try_join_all(work).await?;
        }
        println!("filled in {:.0} s", begin.elapsed().as_secs_f64());
        Ok(())
    }

    /// Our own time: from the request to the event that says active.
    pub(crate) async fn provision(&mut self) -> Result<Provisioned> {
        let slug = self.next_slug();
        provision(self.client.clone(), slug, self.blueprint.clone()).await
    }

    /// The floor: the migrations alone, as one message.
    pub(crate) async fn batch(&mut self, blueprint: &Blueprint) -> Result<Duration> {
        let sql = format!("begin; {}{}\n;commit", self.open_schema(), blueprint.sql());
        self.time(sql).await
    }

    /// Like [`Self::batch`], with one login role, its rights and its password, as simpler tools make them.
    pub(crate) async fn batch_with_roles(&mut self, blueprint: &Blueprint) -> Result<Duration> {
        let open = self.open_schema();
        let schema = format!("bench_{}", self.made);
        let sql = format!(
            "begin; create role {schema} login password 'only-measured'; {open}{}
             ;grant usage on schema {schema} to {schema};
             grant select, insert, update, delete on all tables in schema {schema} to {schema};
             grant usage, select on all sequences in schema {schema} to {schema};
             alter role {schema} set search_path = {schema}; commit",
            blueprint.sql()
        );
        self.time(sql).await
    }

    /// The migrations run by `psql`, including its start.
    pub(crate) async fn psql(&mut self, blueprint: &Blueprint) -> Result<Duration> {
        let sql = format!("{}{}", self.open_schema(), blueprint.sql());
        std::fs::write(&self.script, sql)?;
        let begin = Instant::now();
        let status = Command::new("psql")
            .args([
                "--no-psqlrc",
                "--quiet",
                "--single-transaction",
                "--set",
                "ON_ERROR_STOP=1",
                "--username",
                SUPERUSER,
            ])
            .args(["--dbname", DATABASE, "--host"])
            .arg(&self.sockets)
            .arg("--file")
            .arg(&self.script)
            .stdout(Stdio::null())
            .status()
            .await?;
        let duration = begin.elapsed();
        if status.success() { Ok(duration) } else { Err("psql failed".into()) }
    }

    pub(crate) async fn stop(mut self) -> Result<()> {
        drop(self.daemon.stdin.take());
        let status = self.daemon.wait().await?;
        if status.success() { Ok(()) } else { Err(format!("the daemon ended with {status}").into()) }
    }

    async fn time(&mut self, sql: String) -> Result<Duration> {
        let begin = Instant::now();
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut self.superuser).await?;
        Ok(begin.elapsed())
    }

    fn open_schema(&mut self) -> String {
        self.made += 1;
        format!("create schema bench_{0}; set local search_path = bench_{0}; ", self.made)
    }

    fn next_slug(&mut self) -> String {
        self.made += 1;
        format!("bench-{}", self.made)
    }
}

async fn provision(client: TenantryClient, slug: String, blueprint: String) -> Result<Provisioned> {
    let start = client.watch(context(), WatchRequest::default()).await??;
    let begin = Instant::now();
    let request = ProvisionRequest { slug, blueprint, ..ProvisionRequest::default() };
    let operation = client.provision(context(), request).await??.operation;
    let mut cursor = start.cursor;
    loop {
        let request =
            WatchRequest { cursor: Some(cursor), operation: Some(operation.id.to_string()), wait_ms: 30_000 };
        let answer = client.watch(context(), request).await??;
        cursor = answer.cursor;
        for event in answer.events {
            if let EventBody::Operation { operation } = event.body
                && operation.state.is_final()
            {
                return match operation.state.failure() {
                    None => Ok(Provisioned { whole: begin.elapsed(), steps: operation.steps }),
                    Some(failure) => Err(failure.summary().into()),
                };
            }
        }
    }
}

async fn connect(socket: &Path) -> Result<TenantryClient> {
    let stream = UnixStream::connect(socket).await?;
    let framed = LengthDelimitedCodec::builder().max_frame_length(MAX_FRAME_BYTES).new_framed(stream);
    let transport = tarpc::serde_transport::new(framed, JsonCodec::default());
    let client = TenantryClient::new(tarpc::client::Config::default(), transport).spawn();
    let info = ClientInfo {
        name: "bench".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        claimed: Default::default(),
    };
    client.hello(context(), HelloRequest { protocol_version: PROTOCOL_VERSION, client: info }).await??;
    Ok(client)
}

fn context() -> Context {
    let mut context = tarpc::context::current();
    context.deadline = Instant::now() + Duration::from_secs(50);
    context
}

fn superuser_options(sockets: &Path) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .socket(sockets)
        .port(5432)
        .username(SUPERUSER)
        .database(DATABASE)
        .ssl_mode(PgSslMode::Disable)
        .disable_statement_logging()
}

/// The daemon of the same build: this program runs as `TARGET/release/deps/…`.
fn daemon_binary() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let path = own.ancestors().nth(2).ok_or("no target folder")?.join("tenantryd");
    if path.exists() {
        Ok(path)
    } else {
        Err(format!("{} is missing: run `make bench`", path.display()).into())
    }
}
