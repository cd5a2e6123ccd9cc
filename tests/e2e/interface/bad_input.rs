//! What people and programs get wrong: each answer is a sentence that says what to do, with its own exit status.

use serde_json::json;
use tenantry_harness::cli::{run, tenantry_command};
use tenantry_harness::rpc::{RawSocket, context, hello_json};
use tenantry_harness::{Cluster, Env, eventually};
use tenantry_protocol::PROTOCOL_VERSION;
use tenantry_protocol::audit::{AuditFilter, AuditRequest};
use tenantry_protocol::error::ErrorCode;
use tenantry_protocol::operation::OperationsRequest;
use tenantry_protocol::tenant::{TenantRequest, TenantsRequest};
use tokio::net::UnixListener;

#[tokio::test]
async fn wrong_arguments_are_refused_with_the_field_and_change_nothing() {
    let env = Env::new().await;
    env.provision("taken").await;
    let create = |slug, blueprint, more: &[&'static str]| {
        let mut all = vec!["tenant", "create", slug, "--blueprint", blueprint, "--json"];
        all.extend(more);
        all
    };
    let cases = [
        (create("acme", "nonesuch", &[]), 7, "not_found", Some("blueprint"), "nonesuch"),
        (create("acme", "projects@9.9", &[]), 7, "not_found", Some("version"), "9.9"),
        (create("acme", "projects", &["--target", "nowhere"]), 7, "not_found", Some("target"), "nowhere"),
        (create("Acme!", "projects", &[]), 2, "invalid_argument", Some("slug"), "lower-case"),
        (create("taken", "projects", &[]), 5, "conflict", Some("slug"), "taken"),
        (
            create("acme", "projects", &["--set", "colour=3"]),
            2,
            "invalid_argument",
            Some("settings.colour"),
            "colour",
        ),
        (
            create("acme", "projects", &["--set", "connection_limit=100000"]),
            2,
            "invalid_argument",
            Some("settings.connection_limit"),
            "connection_limit",
        ),
        (vec!["tenant", "show", "nobody", "--json"], 7, "not_found", Some("slug"), "nobody"),
        (
            vec!["tenant", "rollback", "taken", "--confirm", "tekan", "--discard-data", "--json"],
            2,
            "invalid_argument",
            Some("confirm"),
            "taken",
        ),
        (
            vec!["tenant", "retire", "taken", "--confirm", "tekan", "--json"],
            2,
            "invalid_argument",
            Some("confirm"),
            "taken",
        ),
        (vec!["operation", "show", "no-id", "--json"], 2, "invalid_argument", Some("id"), "no-id"),
    ];
    for (arguments, status, code, field, says) in cases {
        let output = env.tenantry(&arguments).await.assert_status(status).assert_says(&["tenantry:", says]);
        let error = &output.json()["error"];
        assert_eq!(error["code"], code, "{output}");
        if let Some(field) = field {
            assert_eq!(error["field"], field, "{output}");
        }
    }
    let listed = env.tenantry(&["tenant", "list", "--all", "--json"]).await.json();
    assert_eq!(listed["total"], 1, "none of these made a tenant: {listed}");
    assert_eq!(env.tenant("taken").await.tenant.state.name(), "active");
}

#[tokio::test]
async fn a_blueprint_folder_that_is_none_is_refused_before_anything_is_sent() {
    let env = Env::new().await;
    let missing = env.dir.join("missing");
    let empty = env.dir.join("empty");
    std::fs::create_dir(&empty).unwrap();
    let binary = env.dir.join("binary");
    std::fs::create_dir(&binary).unwrap();
    std::fs::write(binary.join("blueprint.toml"), "name = \"x\"").unwrap();
    std::fs::write(binary.join("V1__a.sql"), [0x73, 0xff, 0xfe]).unwrap();
    for (path, says) in [(&missing, "missing"), (&empty, "blueprint.toml"), (&binary, "V1__a.sql")] {
        let output = env.tenantry(&["blueprint", "add", path.to_str().unwrap()]).await;
        output.assert_status(2).assert_says(&[says]);
    }
}

#[tokio::test]
async fn a_target_that_is_down_is_named_and_nothing_stays_reserved() {
    let mut env = Env::new().await;
    env.take_daemon().stop().await;
    let down = env.dir.join("nobody-listens-here");
    std::fs::create_dir(&down).unwrap();
    let host = down.to_str().unwrap().replace('/', "%2F");
    let url = format!("postgres://someone:secret-word@{host}/db");
    env.write_config("", &[("local", env.target_url()), ("down", url)]);
    env.start_daemon().await;
    let create = ["tenant", "create", "acme", "--blueprint", "projects@1.0", "--target", "down", "--json"];
    let output = env.tenantry(&create).await.assert_status(3).assert_says(&["down"]);
    assert_eq!(output.json()["error"]["code"], "unavailable", "{output}");
    assert!(!output.stderr.contains("secret-word"), "a password is never shown: {output}");
    let check = env.tenantry(&["target", "check"]).await;
    assert_ne!(check.status, 0, "{check}");
    // The name is free, and the other target works.
    let create = ["tenant", "create", "acme", "--blueprint", "projects@1.0", "--target", "local", "--json"];
    env.tenantry(&create).await.assert_status(0);
}

#[tokio::test]
async fn no_daemon_is_said_with_the_socket_and_the_next_step() {
    let dir = Cluster::shared().new_dir();
    let socket = dir.join("none.sock");
    let arguments = ["--socket", socket.to_str().unwrap(), "status"];
    run(tenantry_command(&arguments, &dir)).await.assert_status(3).assert_says(&["none.sock", "tenantryd"]);
    // A socket file that nothing listens on any more.
    drop(UnixListener::bind(&socket).unwrap());
    run(tenantry_command(&arguments, &dir)).await.assert_status(3).assert_says(&["none.sock", "tenantryd"]);
}

/// A peer that answers every frame with `answer`, which gets the id of the request.
async fn fake_daemon(listener: UnixListener, answer: impl Fn(u64) -> Vec<u8>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut length = [0; 4];
        while stream.read_exact(&mut length).await.is_ok() {
            let mut frame = vec![0; u32::from_be_bytes(length) as usize];
            stream.read_exact(&mut frame).await.unwrap();
            let request: serde_json::Value = serde_json::from_slice(&frame).unwrap();
            let Some(id) = request["Request"]["id"].as_u64() else { continue };
            if stream.write_all(&answer(id)).await.is_err() {
                break;
            }
        }
    }
}

fn frame(message: &serde_json::Value) -> Vec<u8> {
    let text = message.to_string();
    let mut frame = u32::try_from(text.len()).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// Runs `tenantry status` against a peer that gives this answer to everything.
async fn status_against(name: &str, answer: impl Fn(u64) -> Vec<u8>) -> tenantry_harness::Output {
    let dir = Cluster::shared().new_dir();
    let socket = dir.join(name);
    let listener = UnixListener::bind(&socket).unwrap();
    let arguments = ["--socket", socket.to_str().unwrap(), "status"];
    tokio::select! {
        output = run(tenantry_command(&arguments, &dir)) => output,
        () = fake_daemon(listener, answer) => unreachable!("it goes on for ever"),
    }
}

#[tokio::test]
async fn a_daemon_of_another_protocol_version_is_told_from_one_that_is_down() {
    let other = PROTOCOL_VERSION + 6;
    let newer = status_against("newer.sock", move |id| {
        frame(&json!({"request_id": id, "message": {"Ok": {"Hello": {"Ok": {
            "protocol_version": other, "server_version": "9.9.9", "label": "", "actor": "x", "role": "admin", "mode": "configured"
        }}}}}))
    });
    newer.await.assert_status(5).assert_says(&["version", &other.to_string()]);
    let refuses = status_against("refuses.sock", |id| {
        frame(&json!({"request_id": id, "message": {"Ok": {"Hello": {"Err": {
            "code": "precondition", "message": "this daemon speaks protocol 7; install a client of the same version"
        }}}}}))
    });
    refuses.await.assert_status(5).assert_says(&["protocol 7"]);
}

#[tokio::test]
async fn a_peer_that_is_no_daemon_is_a_sentence() {
    let garbage = status_against("garbage.sock", |_| b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()).await;
    assert!([3, 5].contains(&garbage.status), "{garbage}");
    garbage.assert_says(&["garbage.sock"]);
    let json = status_against("json.sock", |_| frame(&json!({"hello": "world"}))).await;
    assert!([3, 5].contains(&json.status), "{json}");
    json.assert_says(&["json.sock"]);
}

#[tokio::test]
async fn a_client_of_another_protocol_version_is_refused_by_the_daemon() {
    let env = Env::new().await;
    let mut raw = RawSocket::connect(env.socket()).await;
    raw.send_request(0, "Hello", &hello_json(PROTOCOL_VERSION + 1)).await;
    let answer = raw.receive().await.expect("a refusal is an answer");
    let error = &answer["message"]["Ok"]["Hello"]["Err"];
    assert_eq!(error["code"], "precondition", "{answer}");
    assert!(error["message"].as_str().unwrap().contains(&PROTOCOL_VERSION.to_string()), "{answer}");
}

#[tokio::test]
async fn a_call_before_hello_is_a_precondition() {
    let env = Env::new().await;
    let mut raw = RawSocket::connect(env.socket()).await;
    raw.send_request(1, "Tenants", &json!({})).await;
    let answer = raw.receive().await.expect("a refusal is an answer");
    assert_eq!(answer["message"]["Ok"]["Tenants"]["Err"]["code"], "precondition", "{answer}");
}

#[tokio::test]
async fn a_daemon_with_a_wrong_configuration_says_file_key_and_what_is_allowed() {
    let mut env = Env::new().await;
    env.take_daemon().stop().await;
    for (lines, says) in [
        ("colour = \"red\"", "colour"),
        ("[limits]\nlock_timeout_ms = \"soon\"", "lock_timeout_ms"),
        ("label = \"much too long for the top row of a console\"", "label"),
    ] {
        env.write_config(lines, &[("local", env.target_url())]);
        let config = env.config_path();
        let arguments = ["--config", config.to_str().unwrap()];
        let ended = tenantry_harness::daemon::Daemon::try_start(&arguments, &env.dir)
            .await
            .expect_err("it is refused");
        assert!(!ended.status.success());
        for text in ["tenantryd.toml", says] {
            assert!(ended.log.contains(text), "'{text}' is not in:\n{}", ended.log);
        }
        assert!(!ended.log.contains("only-for-tests"), "a password is never shown:\n{}", ended.log);
    }
}

#[tokio::test]
async fn interrupting_a_waiting_client_does_not_stop_the_operation() {
    let env = Env::new().await;
    let folder =
        tenantry_harness::Folder::new(&env.dir, "slow", "1.0").migration("slow", "select pg_sleep(1);");
    env.add_blueprint(folder.path()).await;
    let socket = env.socket().to_str().unwrap().to_owned();
    let arguments = ["--socket", &socket, "tenant", "create", "acme", "--blueprint", "slow"];
    let mut child = tenantry_command(&arguments, &env.dir)
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    eventually("the operation runs", async || {
        let list = env.tenantry(&["operation", "list", "--json"]).await.json();
        (list["operations"][0]["state"]["name"] == "running").then_some(())
    })
    .await;
    let pid = nix::unistd::Pid::from_raw(child.id().unwrap().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let status = child.wait().await.unwrap();
    assert_eq!(status.code(), Some(130));
    let id = env.tenant("acme").await.operations[0].id.to_string();
    env.wait_for_operation(&id, "succeeded").await;
}

#[tokio::test]
async fn a_zero_byte_in_a_name_is_the_callers_mistake() {
    let env = Env::new().await;
    let client = env.rpc().await;
    let name = "ac\0me".to_owned();
    let tenant = client.tenant(context(), TenantRequest { slug: name.clone() }).await.unwrap().unwrap_err();
    assert_eq!(tenant.code, ErrorCode::NotFound, "{tenant:?}");
    let request = OperationsRequest { slug: Some(name.clone()), ..OperationsRequest::default() };
    let operations = client.operations(context(), request).await.unwrap().unwrap_err();
    assert_eq!(operations.code, ErrorCode::InvalidArgument, "{operations:?}");
    let request = AuditRequest {
        filter: AuditFilter { slug: Some(name.clone()), ..AuditFilter::default() },
        ..AuditRequest::default()
    };
    let audit = client.audit(context(), request).await.unwrap().unwrap_err();
    assert_eq!(audit.code, ErrorCode::InvalidArgument, "{audit:?}");
    let states = TenantsRequest { states: vec![name.clone()], ..TenantsRequest::default() };
    let after =
        TenantsRequest { after: Some(format!("{name}/{}", uuid::Uuid::nil())), ..TenantsRequest::default() };
    for request in [states, after] {
        let tenants = client.tenants(context(), request).await.unwrap().unwrap_err();
        assert_eq!(tenants.code, ErrorCode::InvalidArgument, "{tenants:?}");
    }
}
