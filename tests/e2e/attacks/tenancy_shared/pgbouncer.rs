//! An application's own login through the real PgBouncer in transaction mode: it becomes a tenant for one transaction, and
//! many tenants take turns on one connection to the server.

use std::os::unix::fs::chown;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use sqlx::{ConnectOptions as _, PgConnection, Row as _};
use tenantry_harness::cluster::server_user;
use tenantry_harness::{Cluster, Env, Provisioned, eventually};

use super::{pool, seeded, value};

const PASSWORD: &str = "only-for-tests";
/// What an application sends if it forgets whose transaction it is.
const NO_ROLE: &str = "set local lock_timeout = '1s'";

/// A PgBouncer with one connection to the server; it ends when this is dropped.
struct Bouncer {
    child: Child,
    dir: tempfile::TempDir,
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Bouncer {
    async fn start(env: &Env, logins: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("tnt-b-").tempdir_in("/tmp").unwrap();
        let path = dir.path();
        let users: String = logins.iter().map(|login| format!("\"{login}\" \"{PASSWORD}\"\n")).collect();
        let config = format!(
            "[databases]\napp = host={} port=5432 dbname={}\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\n\
             unix_socket_dir = {dir}\nauth_type = scram-sha-256\nauth_file = {dir}/users.txt\npool_mode = transaction\n\
             default_pool_size = 1\nignore_startup_parameters = extra_float_digits\nlogfile = {dir}/log\n",
            env.cluster.socket_dir().display(),
            env.target_db,
            dir = path.display()
        );
        std::fs::write(path.join("users.txt"), users).unwrap();
        std::fs::write(path.join("pgbouncer.ini"), config).unwrap();
        // Debian puts it where only root's PATH looks.
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"]
            .map(PathBuf::from)
            .into_iter()
            .find(|path| path.exists());
        let mut command = Command::new(program.expect("pgbouncer is installed: scripts/install-deps test"));
        command
            .arg("--quiet")
            .arg(path.join("pgbouncer.ini"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(user) = server_user() {
            for file in [path.to_owned(), path.join("users.txt"), path.join("pgbouncer.ini")] {
                chown(file, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
            }
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        let this = Self { child: command.spawn().unwrap(), dir };
        let socket = this.dir.path().join(".s.PGSQL.6432");
        eventually("PgBouncer listens", async || UnixStream::connect(&socket).ok().map(drop)).await;
        this
    }

    async fn connect(&self, env: &Env, login: &str) -> PgConnection {
        let options =
            env.cluster.options("app").socket(self.dir.path()).port(6432).username(login).password(PASSWORD);
        options.statement_cache_capacity(0).connect().await.unwrap()
    }
}

/// Runs in one transaction, as the application sends it, without prepared statements. Returns the last statement's first row.
async fn ask(connection: &mut PgConnection, begin: &str, sql: &str) -> Result<(String, i32), sqlx::Error> {
    let all = format!("begin; {begin}; select ({sql})::text, pg_backend_pid()");
    let answer = sqlx::raw_sql(sqlx::AssertSqlSafe(all)).fetch_one(&mut *connection).await;
    let end = if answer.is_ok() { "commit" } else { "rollback" };
    sqlx::raw_sql(end).execute(&mut *connection).await?;
    let row = answer?;
    Ok((row.get::<Option<String>, _>(0).unwrap_or_default(), row.get(1)))
}

fn code(error: &sqlx::Error) -> String {
    error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned()
}

fn role(made: &Provisioned) -> String {
    format!("set local role {}_app", made.tenant.placement)
}

#[tokio::test]
async fn two_tenants_take_turns_on_one_connection_of_pgbouncer_and_never_meet() {
    // The roles of this test stay behind.
    let env = Env::on(Cluster::private(tenantry_harness::Version::Packaged)).await;
    let (one, two) = (seeded(&env, "one").await, seeded(&env, "two").await);
    let pool = pool(&env).await;
    for (login, inherit) in [("shop", "noinherit"), ("careless", "inherit")] {
        let make = format!(
            "create role {login} login {inherit} password '{PASSWORD}'; grant connect on database {} to {login};
             grant {}_app, {}_app to {login}; alter role {login} set search_path = {pool}, tenantry_ext",
            env.target_db, one.tenant.placement, two.tenant.placement
        );
        env.cluster.execute("postgres", make).await;
    }
    let bouncer = Bouncer::start(&env, &["shop", "careless"]).await;
    let (mut a, mut b) = (bouncer.connect(&env, "shop").await, bouncer.connect(&env, "shop").await);

    let whose = "select string_agg(distinct tenant_id::text, ',') from entries";
    let mut backends = std::collections::BTreeSet::new();
    for turn in 0..50 {
        for (connection, made) in [(&mut a, &one), (&mut b, &two)] {
            let (seen, backend) = ask(connection, &role(made), whose).await.unwrap();
            assert_eq!(seen, made.tenant.id.to_string(), "turn {turn}");
            backends.insert(backend);
        }
    }
    assert_eq!(backends.len(), 1, "all over one connection to the server");

    // What is written belongs to the tenant, and is checked as the tenant when the transaction ends.
    let book = |made: &Provisioned, amount: i32| {
        format!(
            "{}; insert into transactions (reference, kind) values ('B', 'transfer');
             insert into entries (transaction_id, line, account_id, currency, amount) select t.id, v.line, a.id, 'EUR', v.amount
             from transactions t, (values (1, '200001', 100), (2, '200003', {amount})) v (line, number, amount)
             join accounts a on a.number = v.number where t.reference = 'B'",
            role(made)
        )
    };
    ask(&mut a, &book(&one, -100), "select 1").await.unwrap();
    let unbalanced = ask(&mut b, &book(&two, -99), "select 1").await.unwrap_err();
    assert_eq!(code(&unbalanced), "23514", "{unbalanced}");
    let booked = "select count(*) from transactions where reference = 'B'";
    assert_eq!(ask(&mut b, &role(&one), booked).await.unwrap().0, "1");
    assert_eq!(ask(&mut a, &role(&two), booked).await.unwrap().0, "0");

    // An application that forgets the role has nothing: it lacks the rights, and even with them it sees no rows.
    let forgot = ask(&mut a, NO_ROLE, &format!("select count(*) from {pool}.entries")).await.unwrap_err();
    assert_eq!(code(&forgot), "42501", "{forgot}");
    let mut careless = bouncer.connect(&env, "careless").await;
    assert_eq!(ask(&mut careless, NO_ROLE, "select count(*) from entries").await.unwrap().0, "0");
    let nobody =
        ask(&mut careless, "insert into currencies (code, name) values ('CHF', 'Franc')", "select 1").await;
    assert_eq!(code(&nobody.unwrap_err()), "42501");

    env.tenantry(&["tenant", "suspend", "one"]).await.assert_status(0);
    assert_eq!(ask(&mut a, &role(&one), "select count(*) from entries").await.unwrap().0, "0");
    assert_eq!(ask(&mut b, &role(&two), whose).await.unwrap().0, two.tenant.id.to_string());
    env.rollback("one").await;
    env.assert_clean_slate(&one.tenant.placement).await;
    assert_eq!(value(&env, &two.credentials, "select count(*) from entries").await, "34");
}
