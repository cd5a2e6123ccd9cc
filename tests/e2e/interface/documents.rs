//! The documents of `--json` and the answers of every method, checked against the schemas that `tenantry schema` prints.
//!
//! Schemas are generated from the types and leave room for fields of later releases. Here they are closed first, so that a
//! field without a schema is found. The schemas themselves are frozen in `tests/golden/schema`; `TENANTRY_BLESS=1` writes
//! them again.

mod the_trail;
mod the_upgrades;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use tenantry_harness::binaries::project_dir;
use tenantry_harness::cli::{run, tenantry_command};
use tenantry_harness::scratch::Scratch;
use tenantry_harness::wait::within;
use tenantry_harness::{Env, Folder, Output};
use tokio::io::{AsyncBufReadExt, BufReader};

/// The parts of a schema's document that are schemas themselves.
const PARTS: [&str; 3] = ["request", "response", "document"];

/// What `tenantry schema` prints for each name that it lists. It needs no daemon.
async fn schemas(home: &Path) -> BTreeMap<String, Value> {
    let ask = async |words: &[&str]| {
        let arguments = [&["schema", "--json"], words].concat();
        run(tenantry_command(&arguments, home)).await.assert_status(0).json()
    };
    let names = ask(&[]).await;
    let mut schemas = BTreeMap::new();
    for name in ["methods", "documents"].iter().flat_map(|kind| names[kind].as_array().unwrap()) {
        let name = name.as_str().unwrap();
        let schema = if name.contains("--") { ask(&[name]).await } else { ask(&words(name)).await };
        assert!(schemas.insert(name.to_owned(), schema).is_none(), "{name} is listed twice");
    }
    schemas
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

#[tokio::test]
async fn every_schema_is_the_one_that_was_reviewed() {
    let scratch = Scratch::new();
    let folder = project_dir().join("tests/golden/schema");
    let mut different = Vec::new();
    let schemas = schemas(scratch.path()).await;
    for (name, schema) in &schemas {
        let path = folder.join(file_name(name));
        let text = format!("{schema:#}\n");
        if std::env::var_os("TENANTRY_BLESS").is_some() {
            std::fs::write(&path, &text).unwrap();
        } else if std::fs::read_to_string(&path).unwrap_or_default() != text {
            different.push(name.as_str());
        }
    }
    assert!(different.is_empty(), "the schemas of {different:?} changed: read TENANTRY_BLESS=1's difference");
    let known: Vec<String> = schemas.keys().map(|name| file_name(name)).collect();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&file), "{file} is of nothing that there is");
    }
}

fn file_name(name: &str) -> String {
    format!("{}.json", name.replace(" --", "-").replace(' ', "-"))
}

/// Allows an object only the properties that are named.
fn close(schema: &mut Value) {
    if let Value::Object(map) = schema {
        if map.contains_key("properties") && !map.contains_key("additionalProperties") {
            map.insert("additionalProperties".into(), false.into());
        }
        map.values_mut().for_each(close);
    } else if let Value::Array(values) = schema {
        values.iter_mut().for_each(close);
    }
}

/// The closed schemas, and those that nothing has been checked against yet.
struct Checks {
    validators: BTreeMap<(String, &'static str), jsonschema::Validator>,
    unseen: Vec<(String, &'static str)>,
}

impl Checks {
    async fn new(home: &Path) -> Self {
        let mut validators = BTreeMap::new();
        for (name, mut schema) in schemas(home).await {
            close(&mut schema);
            for part in PARTS {
                let Some(schema) = schema.get(part) else { continue };
                let validator = jsonschema::options().should_validate_formats(true).build(schema);
                validators.insert((name.clone(), part), validator.unwrap_or_else(|e| panic!("{name}: {e}")));
            }
        }
        let unseen = validators.keys().cloned().collect();
        Self { validators, unseen }
    }

    #[track_caller]
    fn hold(&mut self, name: &str, part: &'static str, document: &Value) {
        let key = (name.to_owned(), part);
        let validator = self.validators.get(&key).unwrap_or_else(|| panic!("no schema of {key:?}"));
        let faults: Vec<String> = validator
            .iter_errors(document)
            .map(|fault| format!("{}: {fault}", fault.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{name}, {part}:\n{}\n{document:#}", faults.join("\n"));
        self.unseen.retain(|unseen| *unseen != key);
    }

    /// Runs a command whose document has that name.
    async fn command(&mut self, env: &Env, name: &str, arguments: &[&str], status: i32) -> Output {
        let output = env.tenantry(&[arguments, &["--json"]].concat()).await.assert_status(status);
        if name == "operation watch" {
            assert!(!output.stdout.is_empty(), "{output}");
            for line in output.stdout.lines() {
                self.hold(name, "document", &serde_json::from_str(line).unwrap());
            }
        } else {
            self.hold(name, "document", &output.json());
        }
        output
    }

    /// Calls a method with a request that fits its schema, and checks the answer.
    async fn method(&mut self, env: &Env, method: &str, request: Value) -> Value {
        self.hold(method, "request", &request);
        let answer = env.tenantry(&["rpc", method, &request.to_string()]).await.assert_status(0).json();
        self.hold(method, "response", &answer);
        answer
    }

    /// Calls a method that starts an operation, waits until the operation is in `state`, and returns its id.
    async fn operation(&mut self, env: &Env, method: &str, request: Value, state: &str) -> String {
        let started = self.method(env, method, request).await;
        let id = started["operation"]["id"].as_str().unwrap().to_owned();
        env.wait_for_operation(&id, state).await;
        id
    }
}

/// Documents that need something other than a healthy daemon; `audit acknowledge` needs a trail that lost events.
const ELSEWHERE: [&str; 3] = ["demo", "audit list --follow", "audit acknowledge"];

/// Commands about an existing tenant, with the names of their documents.
const CHANGES: [(&str, &str); 12] = [
    ("tenant drift", "tenant drift acme"),
    ("tenant drift --all", "tenant drift --all"),
    ("tenant credentials rotate", "tenant credentials acme rotate"),
    ("tenant credentials finish", "tenant credentials acme finish"),
    ("tenant verify", "tenant verify acme"),
    ("tenant verify --all", "tenant verify --all"),
    ("tenant suspend", "tenant suspend acme"),
    ("tenant resume", "tenant resume acme"),
    ("tenant update", "tenant update acme --name Acme"),
    ("tenant upgrade", "tenant upgrade acme --to 1.0"),
    ("tenant retire", "tenant retire acme --confirm acme"),
    ("tenant resume", "tenant resume acme"),
];

#[tokio::test]
async fn every_command_prints_what_its_schema_says() {
    let env = Env::new().await;
    let mut checks = Checks::new(&env.dir).await;
    let broken = Folder::new(&env.dir, "broken", "1.0").migration("wrong", "create tabel x (id int);");
    let bare = Folder::new(&env.dir, "bare", "1.0").migration("a", "select 1;");
    std::fs::remove_file(Path::new(bare.path()).join("blueprint.toml")).unwrap();
    let odd = Folder::new(&env.dir, "odd", "1.0").migration("wrong", "commit;");
    let file = env.dir.join("acme.json");
    let file = file.to_str().unwrap();
    for (name, line, status) in [
        ("schema", "schema", 0),
        ("status", "status", 0),
        ("tenant list", "tenant list", 0),
        ("tenant create --plan", "tenant create acme --blueprint projects --seed --plan", 0),
        ("tenant create", "tenant create acme --blueprint projects@1.0 --label tier=gold", 0),
        ("tenant create", &format!("tenant create globex --blueprint projects --credentials-file {file}"), 0),
        ("tenant list", "tenant list --all", 0),
        ("tenant show", "tenant show acme", 0),
        ("tenant credentials issue", "tenant credentials acme issue --idempotency-key one", 0),
        // The same key again: its secret was given only once.
        ("tenant credentials issue", "tenant credentials acme issue --idempotency-key one", 0),
        ("blueprint list", "blueprint list", 0),
        ("blueprint show", "blueprint show projects", 0),
        ("blueprint show", "blueprint show projects@1.0 --sql", 0),
        ("blueprint init", &format!("blueprint init {}", bare.path()), 0),
        ("blueprint add", &format!("blueprint add {}", broken.path()), 0),
        ("blueprint check", &format!("blueprint check {}", broken.path()), 0),
        ("blueprint check", &format!("blueprint check {}", odd.path()), 1),
        ("target list", "target list", 0),
        ("target show", "target show local", 0),
        ("target check", "target check", 0),
        // The failed operation, in the error and everywhere else that it is shown.
        ("error", "tenant create initech --blueprint broken", 1),
        ("tenant show", "tenant show initech", 0),
        ("error", "tenant create Initech --blueprint projects", 2),
        ("error", "tenant show nobody", 7),
        ("error", "tenant list --state asleep", 2),
        ("error", "blueprint check /nowhere", 2),
        ("error", "tenant rollback acme", 2),
    ] {
        checks.command(&env, name, &words(line), status).await;
    }
    for (name, line) in CHANGES {
        checks.command(&env, name, &words(line), 0).await;
    }
    for (name, line, status) in [
        ("tenant rollback", "tenant rollback acme --confirm acme --discard-data", 0),
        ("tenant rollback", "tenant rollback globex --confirm globex --discard-data --no-wait", 0),
        ("tenant create", "tenant create soon --blueprint projects@1.0 --no-wait", 0),
        ("operation list", "operation list", 0),
        ("audit list", "audit list", 0),
    ] {
        checks.command(&env, name, &words(line), status).await;
    }
    the_trail::commands(&mut checks, &env).await;
    the_upgrades::commands(&mut checks, &env).await;
    let failed = env.tenant("initech").await.operations[0].id.to_string();
    checks.command(&env, "operation show", &["operation", "show", &failed], 0).await;
    checks.command(&env, "operation watch", &["operation", "watch", &failed], 1).await;
    // What failed will fail again, but as an operation it is accepted like any other.
    checks.command(&env, "operation retry", &["operation", "retry", &failed, "--no-wait"], 0).await;
    let slow = Folder::new(&env.dir, "slow", "1.0").migration("wait", "select pg_sleep(600);");
    env.add_blueprint(slow.path()).await;
    let create = ["tenant", "create", "hooli", "--blueprint", "slow", "--no-wait"];
    let running = checks.command(&env, "tenant create", &create, 0).await.json();
    let running = running["operation"]["id"].as_str().unwrap();
    checks.command(&env, "operation cancel", &["operation", "cancel", running], 0).await;
    checks.unseen.retain(|(name, part)| *part == "document" && !ELSEWHERE.contains(&name.as_str()));
    assert!(checks.unseen.is_empty(), "nothing was held against {:?}", checks.unseen);
}

#[tokio::test]
async fn the_demo_prints_what_its_schema_says() {
    let scratch = Scratch::new();
    let mut checks = Checks::new(scratch.path()).await;
    let mut command = tenantry_command(&["demo", "--json"], scratch.path());
    command.env("TMPDIR", scratch.make_dir("t"));
    checks.hold("demo", "document", &run(command).await.assert_status(0).json());
}

#[tokio::test]
async fn every_method_takes_and_answers_what_its_schema_says() {
    let env = Env::new().await;
    let mut checks = Checks::new(&env.dir).await;
    let acme = json!({ "slug": "acme", "blueprint": "projects", "version": "1.0" });
    let files = json!({ "files": [
        { "path": "blueprint.toml", "content": "name = \"tiny\"\nversion = \"1.0\"\ntitle = \"Tiny\"\ntenancy = \"schema\"\n" },
        { "path": "V1__only.sql", "content": "create table only_one (id bigint primary key);\n" },
    ]});
    // The client makes this request itself when it opens the connection, and has the answer since then.
    let client = json!({ "name": "tests", "version": "1.0", "claimed": {} });
    checks.hold("hello", "request", &json!({ "protocol_version": 1, "client": client }));
    let hello = env.tenantry(&["rpc", "hello"]).await.assert_status(0).json();
    checks.hold("hello", "response", &hello);
    let cursor = checks.method(&env, "watch", json!({})).await["cursor"].clone();
    checks.method(&env, "plan", acme.clone()).await;
    let id = checks.operation(&env, "provision", acme, "succeeded").await;
    for (method, request) in [
        ("operation", json!({ "id": id })),
        ("watch", json!({ "cursor": cursor, "wait_ms": 0 })),
        ("health", json!({})),
        ("targets", json!({ "check": true })),
        ("blueprint_check", files.clone()),
        ("blueprint_try", files.clone()),
        ("blueprint_draft", json!({ "name": "fresh", "files": files["files"] })),
        ("blueprint_add", files),
        ("blueprints", json!({ "name": "projects", "with_sql": true })),
        ("issue_credentials", json!({ "slug": "acme" })),
        ("tenants", json!({ "limit": 1 })),
        ("tenant", json!({ "slug": "acme" })),
        ("rollback_preview", json!({ "slug": "acme" })),
        ("drift", json!({ "slug": "acme" })),
        ("rotate_credentials", json!({ "slug": "acme" })),
        ("finish_rotation", json!({ "slug": "acme" })),
    ] {
        checks.method(&env, method, request).await;
    }
    for (method, request) in [
        (
            "update_tenant",
            json!({ "slug": "acme", "labels": { "tier": "gold", "old": null }, "settings": { "connection_limit": 9 } }),
        ),
        ("verify_isolation", json!({ "slug": "acme" })),
        ("upgrade_tenant", json!({ "slug": "acme", "version": "1.0" })),
        ("suspend", json!({ "slug": "acme" })),
        ("resume", json!({ "slug": "acme" })),
        ("retire", json!({ "slug": "acme", "confirm": "acme", "grace_s": 3600, "discard_data": true })),
        ("resume", json!({ "slug": "acme" })),
        ("rollback", json!({ "slug": "acme", "confirm": "acme", "discard_data": true })),
    ] {
        checks.operation(&env, method, request, "succeeded").await;
    }
    let slow = Folder::new(&env.dir, "slow", "1.0").migration("wait", "select pg_sleep(60);");
    env.add_blueprint(slow.path()).await;
    let slow = json!({ "slug": "slow", "blueprint": "slow" });
    let id = checks.operation(&env, "provision", slow, "running").await;
    checks.method(&env, "cancel", json!({ "operation": id })).await;
    env.wait_for_operation(&id, "rolled_back").await;
    let id = checks.operation(&env, "retry", json!({ "operation": id }), "running").await;
    checks.method(&env, "cancel", json!({ "operation": id })).await;
    checks.method(&env, "operations", json!({ "unfinished": false })).await;
    the_trail::methods(&mut checks, &env).await;
    the_upgrades::methods(&mut checks, &env).await;
    checks.unseen.retain(|(_, part)| *part != "document");
    assert!(checks.unseen.is_empty(), "nothing was held against {:?}", checks.unseen);
}

#[tokio::test]
async fn watching_everything_goes_on_when_the_daemon_comes_back() {
    let mut env = Env::new().await;
    let mut checks = Checks::new(&env.dir).await;
    let arguments = ["--socket", env.socket().to_str().unwrap(), "operation", "watch", "--json"];
    let mut command = tenantry_command(&arguments, &env.dir);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).kill_on_drop(true);
    let mut watch = command.spawn().unwrap();
    let mut events = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut notes = BufReader::new(watch.stderr.take().unwrap()).lines();
    // It misses events until it follows; each tenant is another chance.
    let mut number = 0;
    let first = loop {
        number += 1;
        env.provision(&format!("first-{number}")).await;
        if let Ok(line) = tokio::time::timeout(std::time::Duration::from_secs(1), events.next_line()).await {
            break line.unwrap().unwrap();
        }
    };
    checks.hold("operation watch", "document", &serde_json::from_str(&first).unwrap());
    env.take_daemon().kill().await;
    let note = within("the loss is said", notes.next_line()).await.unwrap().unwrap();
    assert!(note.contains("lost; trying again"), "{note}");
    env.start_daemon().await;
    let note = within("the return is said", notes.next_line()).await.unwrap().unwrap();
    assert!(note.contains("connected again"), "{note}");
    env.provision("second").await;
    loop {
        let line = within("an event of the second", events.next_line()).await.unwrap().unwrap();
        let event: Value = serde_json::from_str(&line).unwrap();
        checks.hold("operation watch", "document", &event);
        if event["body"]["operation"]["slug"] == "second" {
            break;
        }
    }
}

#[tokio::test]
async fn following_the_trail_prints_each_event_once_over_a_daemon_that_goes_and_comes_back() {
    let mut env = Env::new().await;
    let mut checks = Checks::new(&env.dir).await;
    env.provision("first").await;
    let socket = env.socket().to_str().unwrap().to_owned();
    let arguments = ["--socket", &socket, "audit", "list", "--follow", "--action", "provision", "--json"];
    let mut command = tenantry_command(&arguments, &env.dir);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).kill_on_drop(true);
    let mut follow = command.spawn().unwrap();
    let mut events = BufReader::new(follow.stdout.take().unwrap()).lines();
    let mut notes = BufReader::new(follow.stderr.take().unwrap()).lines();
    for slug in ["first", "second", "third", "fourth"] {
        if slug == "third" {
            env.take_daemon().kill().await;
            let note = within("the loss is said", notes.next_line()).await.unwrap().unwrap();
            assert!(note.contains("lost; trying again"), "{note}");
            env.start_daemon().await;
        }
        if slug != "first" {
            env.provision(slug).await;
        }
        let line = within("its event", events.next_line()).await.unwrap().unwrap();
        let event: Value = serde_json::from_str(&line).unwrap();
        checks.hold("audit list --follow", "document", &event);
        assert_eq!((&event["slug"], &event["outcome"]), (&slug.into(), &"ok".into()), "{event}");
    }
}
