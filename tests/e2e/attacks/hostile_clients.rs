//! Badly behaved peers on the socket: whatever they do, the daemon continues to serve others.

use std::time::Duration;

use serde_json::json;
use tenantry_harness::rpc::{RawSocket, context, envelope};
use tenantry_harness::{Env, eventually};
use tenantry_protocol::session::HealthRequest;

/// Another client's call is answered, by the same process as before.
async fn assert_serves_others(env: &Env) {
    let client = env.rpc().await;
    // On a busy machine this may take longer than the health call waits for the database.
    eventually("the control database is reachable", async || {
        let health = client.health(context(), HealthRequest {}).await.unwrap().unwrap();
        assert_eq!(health.daemon.pid, env.daemon().announcement.pid);
        health.control.reachable.then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_frame_that_claims_to_be_huge_ends_its_connection_only() {
    let env = Env::new().await;
    let mut raw = env.raw_socket().await;
    raw.send_bytes(&[0xff; 64]).await;
    assert_eq!(raw.receive().await, None, "the connection is closed");
    let mut just_over = env.raw_socket().await;
    just_over.send_bytes(&(8 * 1024 * 1024 + 1_u32).to_be_bytes()).await;
    assert_eq!(just_over.receive().await, None, "the connection is closed");
    assert_serves_others(&env).await;
}

#[tokio::test]
async fn frames_that_are_no_request_end_their_connection_only() {
    let env = Env::new().await;
    let deep = "[".repeat(1_000_000);
    let frames: [&[u8]; 8] = [
        b"",
        b"{",
        b"\xff\xfe\x00garbage",
        b"null",
        b"{\"Request\":{}}",
        b"{\"Other\":1}",
        br#"{"Request":{"context":{},"id":-1,"message":{"Health":{"request":{}}}}}"#,
        deep.as_bytes(),
    ];
    for frame in frames {
        let mut raw = env.raw_socket().await;
        raw.send_frame(frame).await;
        let answer = raw.receive().await;
        let shown = String::from_utf8_lossy(&frame[..frame.len().min(60)]).into_owned();
        assert_eq!(answer, None, "no answer, but the end, to {shown}");
    }
    assert_serves_others(&env).await;
}

#[tokio::test]
async fn an_unknown_method_hurts_nobody_else() {
    let env = Env::new().await;
    let mut raw = env.raw_socket().await;
    raw.send_request(1, "DropEverything", &json!({})).await;
    if let Some(answer) = raw.receive().await {
        assert!(answer["message"]["Err"].is_object(), "{answer}");
    }
    assert_serves_others(&env).await;
}

#[tokio::test]
async fn an_impossible_deadline_hurts_nobody_else() {
    let env = Env::new().await;
    let mut neighbour = env.raw_socket().await;
    for (secs, nanos) in
        [(u64::MAX, 0), (u64::MAX, 999_999_999), (u64::MAX / 4, 0), (100 * 365 * 86_400, 0), (0, 0)]
    {
        let mut raw = env.raw_socket().await;
        let mut message = envelope(7, "Health", &json!({}));
        message["Request"]["context"]["deadline"] = json!({"secs": secs, "nanos": nanos});
        raw.send_json(&message).await;
        // Waits for an answer, or for the end of this connection; a deadline that has passed may get neither.
        if secs > 0 {
            raw.receive().await;
        }
    }
    neighbour.send_request(1, "Health", &json!({})).await;
    let answer = neighbour.receive().await.expect("a connection beside it lives on");
    assert!(answer["message"]["Ok"]["Health"]["Ok"].is_object(), "{answer}");
    assert_serves_others(&env).await;
}

#[tokio::test]
async fn a_thousand_requests_at_once_are_all_answered() {
    let env = Env::new().await;
    let raw = env.raw_socket().await;
    let (mut reader, mut writer) = raw.split();
    let send = async {
        for id in 1..=1000 {
            writer.send_json(&envelope(id, "Tenants", &json!({}))).await;
        }
    };
    let receive = async {
        let mut answered = std::collections::BTreeSet::new();
        while answered.len() < 1000 {
            let answer =
                reader.receive().await.unwrap_or_else(|| panic!("closed after {} answers", answered.len()));
            answered.insert(answer["request_id"].as_u64().unwrap());
        }
        answered
    };
    let ((), answered) = tokio::join!(send, receive);
    assert_eq!((answered.first(), answered.last()), (Some(&1), Some(&1000)));
    assert_serves_others(&env).await;
}

#[tokio::test]
async fn a_peer_that_never_reads_costs_bounded_memory() {
    let env = Env::new().await;
    let raw = env.raw_socket().await;
    let (reader, mut writer) = raw.split();
    let flood = async {
        for id in 1..=20_000 {
            writer
                .send_json(&envelope(id, "Blueprints", &json!({"name": "projects", "with_sql": true})))
                .await;
        }
    };
    // The daemon stops reading from it; how much of the flood gets through does not matter.
    let _ = tokio::time::timeout(Duration::from_secs(2), flood).await;
    assert_serves_others(&env).await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", env.daemon().announcement.pid)).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(kib < 150 * 1024, "{line}");
    drop(reader);
}

#[tokio::test]
async fn connections_that_say_nothing_or_half_a_frame_are_in_nobodys_way() {
    let env = Env::new().await;
    let mut idle = Vec::new();
    for number in 0..20 {
        let mut raw = RawSocket::connect(env.socket()).await;
        match number % 3 {
            0 => {}
            1 => raw.send_bytes(&[0, 0]).await,
            _ => raw.send_bytes(&[0, 0, 1, 0, b'{']).await,
        }
        idle.push(raw);
    }
    assert_serves_others(&env).await;
    let mut half = env.raw_socket().await;
    half.send_bytes(&[0, 0, 1]).await;
    half.half_close().await;
    assert_eq!(half.receive().await, None, "half a frame and then the end is the end");
    assert_serves_others(&env).await;
    drop(idle);
}

#[tokio::test]
async fn one_user_cannot_take_all_connections_for_ever() {
    let env = Env::new().await;
    let mut many = Vec::new();
    for _ in 0..300 {
        many.push(tokio::net::UnixStream::connect(env.socket()).await);
    }
    drop(many);
    eventually("connections are accepted again", async || {
        let mut raw = RawSocket::connect(env.socket()).await;
        raw.send_request(0, "Hello", &tenantry_harness::rpc::hello_json(tenantry_protocol::PROTOCOL_VERSION))
            .await;
        raw.receive().await
    })
    .await;
    assert_serves_others(&env).await;
}

#[tokio::test]
async fn a_client_that_goes_away_in_the_middle_of_a_provision_does_not_stop_it() {
    let env = Env::new().await;
    let mut raw = env.raw_socket().await;
    raw.send_request(1, "Provision", &json!({"slug": "acme", "blueprint": "projects", "version": "1.0"}))
        .await;
    let started = raw.receive().await.expect("it is accepted");
    let id = started["message"]["Ok"]["Provision"]["Ok"]["operation"]["id"].as_str().unwrap().to_owned();
    drop(raw);
    env.wait_for_operation(&id, "succeeded").await;

    // A client that does not even wait for the answer.
    let mut raw = env.raw_socket().await;
    raw.send_request(1, "Provision", &json!({"slug": "globex", "blueprint": "projects", "version": "1.0"}))
        .await;
    drop(raw);
    eventually("globex is active", async || {
        let list = env.tenantry(&["tenant", "list", "--json"]).await.json();
        let tenants = list["tenants"].as_array().unwrap().clone();
        tenants
            .iter()
            .any(|tenant| tenant["slug"] == "globex" && tenant["state"]["name"] == "active")
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_request_hurts_neither_its_connection_nor_the_operation() {
    let env = Env::new().await;
    let mut raw = env.raw_socket().await;
    raw.send_request(5, "Watch", &json!({"wait_ms": 30_000})).await;
    let trace = envelope(0, "Health", &json!({}))["Request"]["context"]["trace_context"].clone();
    raw.send_json(&json!({"Cancel": {"trace_context": trace, "request_id": 5}})).await;
    raw.send_request(6, "Health", &json!({})).await;
    let answer = raw.receive().await.expect("the connection lives on");
    assert_eq!(answer["request_id"], 6, "{answer}");
}
