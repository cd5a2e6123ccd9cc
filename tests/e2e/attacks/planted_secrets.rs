//! Secrets are entered everywhere they can be, and then searched for everywhere they could have ended up, after the whole
//! life of a tenant and its failures, with the log at its most verbose.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde_json::Value;
use sqlx::PgConnection;
use tenantry_harness::cli::{Output, run, tenantry_command};
use tenantry_harness::daemon::Daemon;
use tenantry_harness::{Cluster, Env, Folder};

const OWNER: &str = "planted-owner-7hq2";
const CONTROL: &str = "planted-control-x81m";
const TARGET: &str = "planted-target-p0c4";
const VARIABLE: &str = "planted-variable-v93k";
const KEY: &str = "planted-key-password-w55t";
const IN_SQL: &str = "planted-in-sql-j20d";

/// A text in which a secret might turn up, and where it is from.
struct Place {
    name: String,
    content: String,
}

/// An installation whose passwords belong to this test: one is in a URL, the others are in files.
struct Planted {
    env: Env,
    daemon: Daemon,
    outputs: Vec<String>,
    /// What the earlier daemons wrote to their logs.
    logs: Vec<String>,
    issued: Vec<String>,
}

fn write_private(path: &Path, text: &str) {
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    std::io::Write::write_all(&mut file.unwrap(), text.as_bytes()).unwrap();
}

impl Planted {
    async fn start() -> Self {
        let env = Env::prepare(Cluster::shared()).await;
        for (role, password) in
            [(&env.control_owner, OWNER), (&env.control_role, CONTROL), (&env.provisioner, TARGET)]
        {
            env.cluster.execute("postgres", format!("alter role {role} password '{password}'")).await;
        }
        let daemon = Self::launch(&env, "text", TARGET).await;
        Self { env, daemon, outputs: Vec::new(), logs: Vec::new(), issued: Vec::new() }
    }

    async fn launch(env: &Env, format: &str, target: &str) -> Daemon {
        let dir = env.dir.display();
        let host = env.server_dir.to_str().unwrap().replace('/', "%2F");
        let url = |role: &str, password: &str, database: &str| {
            format!("postgres://{role}{password}@{host}/{database}")
        };
        let (owner, control) = (
            url(&env.control_owner, "", &env.control_db),
            url(&env.control_role, &format!(":{CONTROL}"), &env.control_db),
        );
        let provisioner = url(&env.provisioner, "", &env.target_db);
        write_private(&env.dir.join("owner.password"), OWNER);
        write_private(&env.dir.join("target.password"), target);
        let text = format!(
            "state_dir = \"{dir}/state\"\nsocket = \"{dir}/run/tenantryd.sock\"\n[log]\nlevel = \"trace\"\nformat = \"{format}\"\n\
             [control]\nurl = \"{control}\"\nmigrate_url = \"{owner}\"\nmigrate_password_file = \"owner.password\"\n\
             [[targets]]\nname = \"local\"\nurl = \"{provisioner}\"\npassword_file = \"target.password\"\n"
        );
        write_private(&env.config_path(), &text);
        let variables = [("PGPASSWORD", VARIABLE), ("TENANTRY_TOKEN", VARIABLE)];
        Daemon::start_with(&["--config", env.config_path().to_str().unwrap()], &env.dir, &variables).await
    }

    /// Starts another daemon, with another log format, that knows this password for the target.
    async fn restart(self, format: &str, target: &str) -> Self {
        let Self { env, daemon, outputs, mut logs, issued } = self;
        logs.push(daemon.stop().await.log);
        let daemon = Self::launch(&env, format, target).await;
        Self { env, daemon, outputs, logs, issued }
    }

    async fn tenantry(&mut self, arguments: &[&str]) -> Output {
        let mut all = vec!["--socket", self.daemon.socket().to_str().unwrap()];
        all.extend(arguments);
        let output = run(tenantry_command(&all, &self.env.dir)).await;
        self.outputs.push(format!("{} {}", output.stdout, output.stderr));
        output
    }

    /// An answer that contains a secret, which only this call may show.
    async fn secret(&mut self, arguments: &[&str]) {
        let answer = self.tenantry(arguments).await.assert_status(0).json();
        self.outputs.pop();
        self.issued.push(answer["credentials"]["password"].as_str().expect("a secret").to_owned());
    }

    async fn places(&mut self) -> Vec<Place> {
        let mut places: Vec<Place> = Vec::new();
        let mut add = |name: &str, content: String| places.push(Place { name: name.to_owned(), content });
        for log in self.logs.iter().chain([&self.daemon.log()]) {
            add("the daemon's log", log.clone());
        }
        add("the server's log", self.env.cluster.server_log());
        for output in &self.outputs {
            add("what the client printed", output.clone());
        }
        for (database, mut session) in
            [("control", self.env.control().await), ("target", self.env.target().await)]
        {
            for (table, content) in tables(&mut session).await {
                add(&format!("{database}: {table}"), content);
            }
        }
        files(&self.env.dir.join("state"), &mut add);
        places
    }
}

/// Every table of a database, except the system's, as text.
async fn tables(session: &mut PgConnection) -> Vec<(String, String)> {
    sqlx::query_as(
        "select format('%I.%I', schemaname, tablename),
                query_to_xml(format('select * from %I.%I', schemaname, tablename), true, true, '')::text
         from pg_tables where schemaname not in ('pg_catalog', 'information_schema')",
    )
    .fetch_all(session)
    .await
    .unwrap()
}

/// All files except the signing key.
fn files(dir: &Path, add: &mut impl FnMut(&str, String)) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, add);
        } else if path.is_file() && !path.ends_with("audit/key") {
            add(
                &path.display().to_string(),
                String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned(),
            );
        }
    }
}

#[tokio::test]
async fn no_planted_secret_is_anywhere_but_where_it_was_put() {
    let mut planted = Planted::start().await;
    let create =
        ["tenant", "create", "acme", "--blueprint", "projects@1.0", "--idempotency-key", KEY, "--json"];
    planted.secret(&create).await;
    planted
        .tenantry(&["tenant", "create", "globex", "--blueprint", "projects@1.0", "--idempotency-key", KEY])
        .await
        .assert_status(5);
    planted.outputs.pop();
    planted.secret(&["tenant", "credentials", "acme", "issue", "--json"]).await;
    let folder = Folder::new(&planted.env.dir, "leaky", "1.0")
        .migration("fine", "create table fine (id bigint primary key);")
        .migration("role", &format!("create role leaky_role login password '{IN_SQL}';"));
    planted.tenantry(&["blueprint", "add", folder.path()]).await;
    planted.tenantry(&["tenant", "create", "leaky", "--blueprint", "leaky"]).await;

    // The next daemon logs in the other format, and the target refuses its first password.
    let mut planted = planted.restart("json", "planted-wrong-n77a").await;
    let status = planted.tenantry(&["status", "--json"]).await.json();
    assert_eq!(status["health"]["targets"][0]["reachable"], false, "{status}");
    planted.tenantry(&["tenant", "suspend", "acme", "--no-wait"]).await.assert_status(0);
    let mut planted = planted.restart("json", TARGET).await;
    planted.tenantry(&["target", "check"]).await;
    planted.secret(&["tenant", "credentials", "acme", "rotate", "--json"]).await;
    for line in [
        "tenant credentials acme finish",
        "tenant verify acme",
        "tenant resume acme",
        "tenant show acme --json",
        "operation list --json",
        "tenant rollback acme --confirm acme",
        "audit verify",
        "audit list --json",
        "status --json",
    ] {
        planted.tenantry(&line.split(' ').collect::<Vec<_>>()).await;
    }
    let Value::Array(events) = planted.tenantry(&["audit", "list", "--json"]).await.json()["events"].clone()
    else {
        panic!("a list of events");
    };
    assert!(
        events.iter().any(|event| event["action"] == "rollback" && event["outcome"] == "ok"),
        "{events:#?}"
    );

    let places = planted.places().await;
    assert!(
        places.iter().any(|place| place.name == "control: control.audit_detail"),
        "the search sees the tables"
    );
    assert!(places.iter().any(|place| place.name.contains("/audit/anchors")), "the search sees the files");
    let mut secrets: Vec<&str> =
        vec![OWNER, CONTROL, TARGET, VARIABLE, KEY, IN_SQL, "planted-wrong-n77a", "SCRAM-SHA-256$"];
    secrets.extend(planted.issued.iter().map(String::as_str));
    for secret in secrets {
        let has = |place: &&Place| place.content.contains(secret);
        let found: Vec<_> = places
            .iter()
            .filter(has)
            .map(|place| place.name.as_str())
            .filter(|name| !is_home(secret, name))
            .collect();
        assert!(found.is_empty(), "'{secret}' is in {found:?}");
    }
}

/// Where a text belongs: a key is in the registry under its name, and a blueprint's file is kept unchanged.
fn is_home(secret: &str, place: &str) -> bool {
    match secret {
        KEY => place == "control: control.idempotency_key",
        // The server logs a statement that it refuses; the file is kept unchanged.
        IN_SQL => place == "control: control.blueprint_file" || place == "the server's log",
        _ => false,
    }
}
