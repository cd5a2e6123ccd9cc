//! The audit trail: every mutation is in it twice, before and after, and its records stay as they were.

use tenantry_harness::rpc::context;
use tenantry_harness::{Env, Folder};
use tenantry_protocol::audit::{AuditEvent, AuditRequest};

/// All events, oldest first.
async fn events(env: &Env) -> Vec<AuditEvent> {
    let request = AuditRequest { limit: Some(500), ..AuditRequest::default() };
    let mut events = env.rpc().await.audit(context(), request).await.unwrap().unwrap().events;
    events.reverse();
    events
}

fn actions(events: &[AuditEvent]) -> Vec<(&str, Option<&str>)> {
    events.iter().map(|event| (event.action.as_str(), event.outcome.as_deref())).collect()
}

#[tokio::test]
async fn each_mutation_has_its_intent_and_its_outcome() {
    let env = Env::new().await;
    let broken = Folder::new(&env.dir, "broken", "1.0").migration("bad", "create tabel bad ();");
    env.add_blueprint(broken.path()).await;
    env.provision("acme").await;
    env.tenantry(&["tenant", "create", "globex", "--blueprint", "broken"]).await.assert_status(1);
    env.rollback("acme").await;

    let all = events(&env).await;
    let of = |slug: &str| -> Vec<AuditEvent> {
        all.iter().filter(|event| event.slug.as_deref() == Some(slug)).cloned().collect()
    };
    let acme = of("acme");
    assert_eq!(
        actions(&acme),
        [
            ("provision.intent", None),
            ("provision", Some("ok")),
            ("credentials.issue.intent", None),
            ("credentials.issue", Some("ok")),
            ("rollback.intent", None),
            ("rollback", Some("ok"))
        ]
    );
    let globex = of("globex");
    assert_eq!(actions(&globex).first(), Some(&("provision.intent", None)));
    assert_eq!(actions(&globex).last(), Some(&("provision", Some("failed"))));
    assert!(all.iter().any(|event| event.action == "blueprint.add"), "{:?}", actions(&all));
    for event in &all {
        assert!(event.actor.contains("uid") || event.actor == "tenantryd", "who: {event:?}");
    }
    for pair in [(&acme[0], &acme[1]), (&acme[4], &acme[5])] {
        assert_eq!(pair.0.operation_id, pair.1.operation_id, "intent and outcome are of one operation");
        assert!(pair.1.duration_ms.is_some_and(|ms| ms > 0.0));
    }
}

#[tokio::test]
async fn every_event_is_linked_to_the_one_before_without_gaps() {
    let env = Env::new().await;
    env.provision("acme").await;
    env.rollback("acme").await;
    let all = events(&env).await;
    assert!(all.len() >= 5);
    assert_eq!((all[0].seq, all[0].prev_hash.as_str()), (1, "0".repeat(64).as_str()));
    for pair in all.windows(2) {
        assert_eq!(pair[1].seq, pair[0].seq + 1);
        assert_eq!(pair[1].prev_hash, pair[0].hash);
        assert_eq!(pair[1].hash.len(), 64);
    }
    // A second way: PostgreSQL itself computes each row's hash from the stored bytes.
    let recomputed: Vec<(i64, bool)> = sqlx::query_as(
        "select seq, hash = sha256(convert_to('tenantry.audit.v1', 'UTF8') || '\\x00'::bytea || int8send(seq) || prev_hash
             || int8send(octet_length(payload)) || payload)
         from control.audit_event order by seq",
    )
    .fetch_all(&mut env.control().await)
    .await
    .unwrap();
    let wrong: Vec<i64> = recomputed.iter().filter(|(_, same)| !same).map(|(seq, _)| *seq).collect();
    assert!(wrong.is_empty(), "hashes that do not follow from their rows: {wrong:?}");
    let head: i64 = sqlx::query_scalar("select seq from control.audit_head")
        .fetch_one(&mut env.control().await)
        .await
        .unwrap();
    assert_eq!(head, i64::try_from(recomputed.len()).unwrap());
}

#[tokio::test]
async fn the_daemons_roles_can_neither_change_nor_remove_an_event() {
    use sqlx::{ConnectOptions, Executor};

    let env = Env::new().await;
    env.provision("acme").await;
    let before = events(&env).await;
    for role in [&env.control_role, &env.control_owner] {
        let options = env.cluster.options(&env.control_db).username(role);
        let mut session = options.password(tenantry_harness::environment::PASSWORD).connect().await.unwrap();
        for sql in [
            "update control.audit_event set payload = payload",
            "update control.audit_event set prev_hash = hash where seq = 2",
            "delete from control.audit_event",
            "delete from control.audit_event where seq = 1",
            "truncate control.audit_event",
            "update control.audit_event_p0 set payload = payload",
            "delete from control.audit_event_p0",
            "truncate control.audit_event_p0",
        ] {
            let error = session.execute(sql).await.expect_err(sql);
            let code =
                error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
            assert_eq!(code, "42501", "{role}: {sql}: {error}");
        }
    }
    assert_eq!(events(&env).await, before);
}

#[tokio::test]
async fn the_stored_payload_holds_no_name_and_no_secret() {
    let env = Env::new().await;
    let made = env.provision("customer-name").await;
    let payloads: Vec<String> =
        sqlx::query_scalar("select convert_from(payload, 'UTF8') from control.audit_event")
            .fetch_all(&mut env.control().await)
            .await
            .unwrap();
    let password = made.credentials.password.unwrap();
    for payload in payloads {
        assert!(!payload.contains("customer-name") && !payload.contains(&password), "{payload}");
    }
}

#[tokio::test]
async fn a_secret_is_nowhere_but_in_its_answer() {
    let env = Env::new().await;
    let made = env.provision("acme").await;
    let password = made.credentials.password.unwrap();
    assert!(password.len() >= 20, "a secret is long: {} characters", password.len());
    assert!(!env.daemon().log().contains(&password), "in the daemon's log");
    assert!(!env.cluster.server_log().contains(&password), "in the server's log");
    assert!(!env.cluster.server_log().contains("SCRAM-SHA-256$"), "a verifier in the server's log");
    let found: Vec<String> = sqlx::query_scalar(
        "select table_name from information_schema.tables t
         where table_schema = 'control' and position($1 in query_to_xml('select * from control.' || quote_ident(table_name), true, true, '')::text) > 0",
    )
    .bind(&password)
    .fetch_all(&mut env.control().await)
    .await
    .unwrap();
    assert!(found.is_empty(), "in the control database: {found:?}");
}
