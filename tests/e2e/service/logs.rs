//! The log's lines carry the ids that the registry and the trail have: of the operation, its tenant and the event.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;
use tenantry_harness::cli::{run, tenantry_command};
use tenantry_harness::daemon::Daemon;
use tenantry_harness::scratch::Scratch;
use tenantry_harness::small_disk::mounting;
use tenantry_harness::wait::within;
use tenantry_harness::{Cluster, Env, Folder, binaries};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixDatagram, UnixListener};

use crate::attacks::log_injection;

/// The ids by which a line is found.
fn ids(fields: &Value) -> Option<(String, String)> {
    let text = |name: &str| fields[name].as_str().map(str::to_owned);
    text("operation").zip(text("tenant"))
}

#[tokio::test]
async fn the_lines_of_an_operation_name_it_and_those_of_an_event_its_number() {
    let env = Env::with_config(Cluster::shared(), "[log]\nformat = \"json\"\nlevel = \"trace\"\n").await;
    let made = env.provision("acme").await;
    let broken = Folder::new(&env.dir, "broken", "1.0").migration("bad", "create tabel bad ();");
    env.add_blueprint(broken.path()).await;
    env.tenantry(&["tenant", "create", "globex", "--blueprint", "broken"]).await.assert_status(1);
    let failed = env.tenant("globex").await;

    let log = env.daemon().log();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    for (operation, tenant) in [
        (made.operation.id.to_string(), made.tenant.id.to_string()),
        (failed.operations[0].id.to_string(), failed.tenant.id.to_string()),
    ] {
        let wanted = (operation.clone(), tenant);
        let of = lines.iter().filter(|line| ids(&line["span"]).as_ref() == Some(&wanted));
        let messages: Vec<_> = of.filter_map(|line| line["fields"]["message"].as_str()).collect();
        assert!(messages.contains(&"an operation ended"), "{operation}: {log}");
    }
    let a_failure = lines.iter().find(|line| line["fields"]["message"] == "a step failed");
    assert!(a_failure.is_some_and(|line| ids(&line["span"]).is_some()), "{log}");

    let trail = env.tenantry(&["audit", "list", "--json"]).await.assert_status(0).json();
    let events = trail["events"].as_array().unwrap();
    assert!(events.len() >= 6);
    for event in events.iter().filter(|event| event["action"] != "audit.begin") {
        let line = lines.iter().find(|line| line["fields"]["seq"] == event["seq"]);
        let fields = &line.unwrap_or_else(|| panic!("no line for {event}: {log}"))["fields"];
        let id = |name: &str| event.get(name).and_then(Value::as_str);
        assert_eq!(fields["action"], event["action"]);
        assert_eq!(fields["operation"].as_str(), id("operation_id"), "{event}");
        assert_eq!(fields["tenant"].as_str(), id("tenant_id"), "{event}");
    }
}

/// An entry as systemd's journal receives it: `NAME=value` lines, or a name, eight bytes of length, and the value.
fn entry(mut bytes: &[u8]) -> BTreeMap<String, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut fields = BTreeMap::new();
    while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
        let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
        if let Some(equals) = line.iter().position(|byte| *byte == b'=') {
            fields.insert(text(&line[..equals]), text(&line[equals + 1..]));
            bytes = rest;
        } else {
            let length = usize::try_from(u64::from_le_bytes(rest[..8].try_into().unwrap())).unwrap();
            fields.insert(text(line), text(&rest[8..8 + length]));
            bytes = &rest[8 + length + 1..];
        }
    }
    fields
}

#[tokio::test]
async fn the_journal_gets_the_same_ids_as_fields() {
    let env = Env::prepare(Cluster::shared()).await;
    env.write_config("[log]\njournald = true\n", &[("local", env.target_url())]);
    let scratch = Scratch::new();
    let place = scratch.make_dir("journal");
    let journal = UnixDatagram::bind(place.join("socket")).unwrap();
    std::fs::set_permissions(place.join("socket"), std::fs::Permissions::from_mode(0o666)).unwrap();
    // Only the daemon sees this socket in the place of systemd's.
    let mount = format!(
        "mount -t tmpfs tmpfs /run && mkdir /run/systemd && ln -s {} /run/systemd/journal",
        place.display()
    );
    let command = mounting(&mount, &scratch.text(""), &binaries::tenantryd()).await;
    let config = env.config_path();
    let (entries, mut heard) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut buffer = vec![0; 1 << 18];
        while let Ok(length) = journal.recv(&mut buffer).await {
            let _ = entries.send(entry(&buffer[..length]));
        }
    });
    let mut next = async |wanted: &str| loop {
        let fields = heard.recv().await.expect("the journal goes on");
        if fields.get("MESSAGE").is_some_and(|message| message == wanted) {
            return fields;
        }
    };
    let daemon = Daemon::run(command, &["--config", config.to_str().unwrap()], &env.dir, &[]).await;
    let daemon = daemon.unwrap_or_else(|ended| panic!("{}", ended.log));
    let socket = daemon.socket().to_str().unwrap().to_owned();
    let create = ["--socket", &socket, "tenant", "create", "acme", "--blueprint", "projects@1.0", "--json"];
    let made = run(tenantry_command(&create, &env.dir)).await.assert_status(0).json();
    let fields = within("the journal has the end of the provisioning", next("an operation ended")).await;
    let of = |name: &str| fields.get(name).map(String::as_str);
    assert_eq!(of("TENANTRY_OPERATION"), made["operation"]["id"].as_str(), "{fields:?}");
    assert_eq!(of("TENANTRY_TENANT"), made["tenant"]["id"].as_str(), "{fields:?}");
    assert_eq!(of("PRIORITY"), Some("6"), "{fields:?}");

    let add = ["--socket", &socket, "blueprint", "add"].map(str::to_owned).into_iter();
    let add: Vec<_> = add.chain([log_injection::hostile(&env).path().to_owned()]).collect();
    run(tenantry_command(&add, &env.dir)).await.assert_status(0);
    let create = ["--socket", &socket, "tenant", "create", "globex", "--blueprint", "hostile"];
    run(tenantry_command(&create, &env.dir)).await.assert_status(1);
    let fields = within("the journal has the failure", next("a step failed")).await;
    let error = &fields["TENANTRY_ERROR"];
    assert!(
        error.contains("boom") && error.contains(r"\r\n") && !error.contains(char::is_control),
        "{fields:?}"
    );
    let ended = daemon.stop().await;
    assert_eq!(ended.log, "", "what is in the journal is not on standard error, too");
}

#[tokio::test]
async fn a_journal_that_is_asked_for_and_not_there_is_a_sentence() {
    let env = Env::prepare(Cluster::shared()).await;
    env.write_config("[log]\njournald = true\n", &[("local", env.target_url())]);
    let scratch = Scratch::new();
    let command = mounting("mount -t tmpfs tmpfs /run", &scratch.text(""), &binaries::tenantryd()).await;
    let config = env.config_path();
    let ended = Daemon::run(command, &["--config", config.to_str().unwrap()], &env.dir, &[]).await;
    let ended = ended.expect_err("it cannot start");
    assert_eq!(ended.status.code(), Some(2), "{}", ended.log);
    assert!(ended.log.contains("systemd's journal can't be written"), "{}", ended.log);
    env.write_config("[log]\njournald = true\ndir = \"/tmp\"\n", &[("local", env.target_url())]);
    let ended = Daemon::try_start(&["--config", config.to_str().unwrap()], &env.dir).await.expect_err("both");
    assert!(ended.log.contains("log.journald can't stand beside log.dir"), "{}", ended.log);
}

/// Answers a daemon's fault points: panics where an operation migrates, and does nothing elsewhere.
async fn panic_at_the_migrations(points: UnixListener) {
    while let Ok((stream, _)) = points.accept().await {
        let (mut stream, mut question) = (BufReader::new(stream), String::new());
        stream.read_line(&mut question).await.unwrap();
        let answer = if question.contains(" migrations before") { "panic\n" } else { "go\n" };
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn a_panic_is_a_line_of_the_log_like_any_other() {
    let env = Env::prepare(Cluster::shared()).await;
    env.write_config("[log]\nformat = \"json\"\n", &[("local", env.target_url())]);
    let (points, config) = (env.dir.join("points"), env.config_path());
    let asked = tokio::spawn(panic_at_the_migrations(UnixListener::bind(&points).unwrap()));
    let variables = [("TENANTRY_FAULT_SOCKET", points.to_str().unwrap())];
    let arguments = ["--config", config.to_str().unwrap()];
    let daemon = Daemon::launch(&binaries::tenantryd_with_faults(), &arguments, &env.dir, &variables).await;
    let daemon = daemon.unwrap_or_else(|ended| panic!("{}", ended.log));
    let socket = env.dir.join("run/tenantryd.sock");
    let create =
        ["--socket", socket.to_str().unwrap(), "tenant", "create", "acme", "--blueprint", "projects@1.0"];
    run(tenantry_command(&create, &env.dir)).await.assert_status(1);
    asked.abort();

    let log = daemon.log();
    let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let lines: Vec<Value> = log.lines().map(line).collect();
    let told = "a panic: a test asked for a panic at migrations before the effect";
    let panicked = lines.iter().find(|line| line["fields"]["message"] == told);
    let fields = &panicked.unwrap_or_else(|| panic!("it is not told: {log}"))["fields"];
    assert!(fields["location"].as_str().is_some_and(|place| place.contains("fault.rs:")), "{fields}");
}
