//! What is kept of the trail: holds, pruning of whole segments, redaction. The chain still verifies after each of them.

use tenantry_harness::rpc::context;
use tenantry_harness::trail::generate;
use tenantry_harness::trail::verdict;
use tenantry_harness::{Cluster, Env, Version, eventually};
use tenantry_protocol::audit::{
    AuditEvent, AuditFilter, AuditHold, AuditHoldRequest, AuditPruneRequest, AuditPruned, AuditRedactRequest,
    AuditRedacted, AuditReleaseRequest, AuditRequest, AuditSegments, AuditSegmentsRequest, ExportFormat,
};
use tenantry_protocol::error::{ApiError, ErrorCode};

use crate::trail::export::{export, public_key, verified};

const SEGMENT: i64 = 100_000;

async fn segments(env: &Env) -> AuditSegments {
    env.rpc().await.audit_segments(context(), AuditSegmentsRequest {}).await.unwrap().unwrap()
}

async fn hold(env: &Env, name: &str, slug: Option<&str>, reason: &str) -> Result<AuditHold, ApiError> {
    let request =
        AuditHoldRequest { name: name.into(), slug: slug.map(str::to_owned), reason: reason.into() };
    env.rpc().await.audit_hold(context(), request).await.unwrap()
}

async fn release(env: &Env, name: &str) -> Result<AuditHold, ApiError> {
    env.rpc().await.audit_release(context(), AuditReleaseRequest { name: name.into() }).await.unwrap()
}

async fn prune(env: &Env, days: i64, dry_run: bool) -> Result<AuditPruned, ApiError> {
    let before = time::OffsetDateTime::now_utc() - time::Duration::days(days);
    env.rpc().await.audit_prune(context(), AuditPruneRequest { before, dry_run }).await.unwrap()
}

async fn redact(env: &Env, slug: Option<&str>, actor: Option<&str>) -> Result<AuditRedacted, ApiError> {
    let confirm = slug.or(actor).unwrap_or_default().to_owned();
    let request =
        AuditRedactRequest { slug: slug.map(str::to_owned), actor: actor.map(str::to_owned), confirm };
    env.rpc().await.audit_redact(context(), request).await.unwrap()
}

async fn events(env: &Env, filter: AuditFilter) -> Vec<AuditEvent> {
    let request = AuditRequest { filter, before: None, limit: Some(500) };
    env.rpc().await.audit(context(), request).await.unwrap().unwrap().events
}

async fn newest(env: &Env) -> AuditEvent {
    events(env, AuditFilter::default()).await.remove(0)
}

/// The tables of the control schema that contain the text.
async fn tables_with(env: &Env, text: &str) -> Vec<String> {
    sqlx::query_scalar(
        "select table_name::text from information_schema.tables t
         where table_schema = 'control' and table_type = 'BASE TABLE'
           and position($1 in query_to_xml('select * from control.' || quote_ident(table_name), true, true, '')::text) > 0
         order by 1",
    )
    .bind(text)
    .fetch_all(&mut env.control().await)
    .await
    .unwrap()
}

/// The runtime role drops nothing: neither directly, nor by calling the functions that run as the owner against their rules.
async fn assert_the_runtime_role_drops_nothing(env: &Env) {
    use sqlx::{ConnectOptions, Executor};

    let options = env.cluster.options(&env.control_db).username(&env.control_role);
    let mut session = options.password(tenantry_harness::environment::PASSWORD).connect().await.unwrap();
    for (sql, code) in [
        ("drop table control.audit_event_p0", "42501"),
        ("alter table control.audit_event detach partition control.audit_event_p0", "42501"),
        ("truncate control.audit_event_p0", "42501"),
        ("delete from control.audit_segment", "42501"),
        ("update control.audit_segment set to_seq = 5", "42501"),
        ("delete from control.audit_hold", "42501"),
        ("delete from control.audit_checkpoint", "42501"),
        ("select control.prune_audit_segment(0, now())", "55000"),
        ("select control.prune_audit_segment(0, now() - interval '300 days')", "55000"),
        ("select control.prune_audit_segment(1, now() - interval '31 days')", "55000"),
        ("select control.prune_audit_segment(null, now() - interval '31 days')", "55000"),
        ("select control.prune_audit_segment(0, null)", "55000"),
        ("select control.ensure_audit_partition(5000000)", "55000"),
        ("select control.ensure_audit_partition(null)", "55000"),
    ] {
        let error = session.execute(sql).await.expect_err(sql);
        let got = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
        assert_eq!(got, code, "{sql}: {error}");
    }
}

#[tokio::test]
async fn old_segments_are_pruned_whole_and_what_stays_still_verifies() {
    let mut env = Env::on(Cluster::private(Version::V18)).await;
    let made = generate::replace_signed(&mut env, SEGMENT + 700, 40).await;
    let listed = segments(&env).await.segments;
    let shown: Vec<_> = listed.iter().map(|s| (s.from_seq, s.to_seq, s.is_sealed, s.is_pruned)).collect();
    assert_eq!(shown, [(1, SEGMENT, true, false), (SEGMENT + 1, 2 * SEGMENT, false, false)]);

    // The trail is read in several ranges.
    let whole = verdict(&env, Vec::new()).await;
    assert_eq!((whole.broken, whole.from_seq), (None, 1));
    assert!(whole.to_seq >= SEGMENT + 700);

    assert_the_runtime_role_drops_nothing(&env).await;

    // A hold on a tenant with events in a segment keeps all of it; a dry run changes nothing.
    hold(&env, "case-7", Some("generated-7"), "letter of the court").await.unwrap();
    let kept = prune(&env, 31, false).await.unwrap();
    assert!(kept.segments.is_empty() && kept.kept[0].contains("case-7"), "{kept:?}");
    release(&env, "case-7").await.unwrap();
    let dry = prune(&env, 31, true).await.unwrap();
    assert_eq!((dry.segments.len(), dry.events), (1, 100_000), "{dry:?}");
    assert!(!segments(&env).await.segments[0].is_pruned);

    // The daemon verifies the trail that it finds at its start, and a segment that is being read is not dropped.
    let pruned = eventually("the oldest segment is pruned", async || {
        let pruned = prune(&env, 31, false).await.unwrap();
        let is_read = pruned.kept.first().is_some_and(|why| why.contains("being read"));
        (!is_read).then_some(pruned)
    })
    .await;
    assert_eq!((pruned.segments.len(), pruned.events), (1, 100_000), "{pruned:?}");
    assert!(pruned.kept[0].contains("still added"), "{:?}", pruned.kept);
    let event = newest(&env).await;
    assert_eq!((event.action.as_str(), event.outcome.as_deref()), ("audit.prune", Some("ok")));
    assert_eq!((event.facts["from"].as_str(), event.facts["to"].as_str()), ("1", "100000"));
    assert!(segments(&env).await.segments[0].is_pruned);
    let error = sqlx::raw_sql(
        "insert into control.audit_event (seq, prev_hash, payload, hash)
         select 7, prev_hash, payload, hash from control.audit_event limit 1",
    )
    .execute(&mut env.control().await)
    .await
    .expect_err("what was pruned has no place any more");
    assert!(error.to_string().contains("no partition"), "{error}");
    let left: (i64, i64) = sqlx::query_as(
        "select (select min(seq) from control.audit_event), (select min(seq) from control.audit_detail)",
    )
    .fetch_one(&mut env.control().await)
    .await
    .unwrap();
    assert_eq!(left, (SEGMENT + 1, SEGMENT + 1));

    let whole = verdict(&env, Vec::new()).await;
    assert_eq!((whole.broken, whole.from_seq), (None, SEGMENT + 1));
    let (text, _) = export(&env, AuditFilter::default(), ExportFormat::Jsonl).await;
    let exported = verified(&text, &public_key(&env).await);
    assert_eq!((exported.header.from.seq, exported.header.from.hash), (SEGMENT, event.facts["hash"].clone()));
    assert_eq!(exported.checkpoints[0].seq, SEGMENT);
    // Pruned events are neither found nor missed.
    let gone = AuditFilter { action: Some(generate::RARE_ACTION.into()), ..AuditFilter::default() };
    assert!(events(&env, gone).await.is_empty() && made.from < SEGMENT);
    // The trail continues.
    env.provision("acme").await;
    env.take_daemon().stop().await;
    env.start_daemon().await;
    env.rollback("acme").await;
}

#[tokio::test]
async fn neither_the_young_nor_the_open_is_pruned_whoever_asks() {
    let env = Env::new().await;
    let error = prune(&env, 29, false).await.unwrap_err();
    assert_eq!(error.field.as_deref(), Some("before"), "{error}");
    let pruned = prune(&env, 31, false).await.unwrap();
    assert!(pruned.segments.is_empty() && pruned.kept.len() == 1, "{pruned:?}");
}

#[tokio::test]
async fn a_hold_stands_until_it_is_released_and_both_are_on_record() {
    let env = Env::new().await;
    env.provision("acme").await;
    let placed = hold(&env, "case-1", Some("acme"), "letter of 2 May").await.unwrap();
    assert_eq!((placed.slug.as_deref(), placed.reason.as_str()), (Some("acme"), "letter of 2 May"));
    let event = newest(&env).await;
    assert_eq!((event.action.as_str(), event.detail.as_deref()), ("audit.hold", Some("letter of 2 May")));
    assert_eq!(event.facts["hold"], "case-1");
    let error = hold(&env, "case-1", None, "again").await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Conflict, "{error}");
    let listed = segments(&env).await;
    assert_eq!((listed.holds.len(), listed.segments[0].held_by.as_slice()), (1, &["case-1".to_owned()][..]));
    release(&env, "case-1").await.unwrap();
    assert_eq!(newest(&env).await.action, "audit.release");
    assert!(segments(&env).await.holds.is_empty());
    assert_eq!(release(&env, "case-1").await.unwrap_err().code, ErrorCode::NotFound);
    // The name is free again.
    hold(&env, "case-1", None, "another matter").await.unwrap();
    for (name, slug, reason, field) in [
        ("Case 1", None, "x", "name"),
        ("case-2", Some("no slug!"), "x", "slug"),
        ("case-2", Some("nobody"), "x", "slug"),
        ("case-2", None, " ", "reason"),
    ] {
        assert_eq!(hold(&env, name, slug, reason).await.unwrap_err().field.as_deref(), Some(field));
    }
}

#[tokio::test]
async fn a_removed_tenants_name_goes_everywhere_and_the_chain_still_verifies() {
    const NAME: &str = "customer-of-ours";
    let env = Env::new().await;
    let made = env.provision(NAME).await;
    let error = redact(&env, Some(NAME), None).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Precondition, "a living tenant keeps its name: {error}");
    env.rollback(NAME).await;
    hold(&env, "case-1", Some(NAME), "letter").await.unwrap();
    let error = redact(&env, Some(NAME), None).await.unwrap_err();
    assert!(error.code == ErrorCode::Precondition && error.message.contains("case-1"), "{error}");
    release(&env, "case-1").await.unwrap();

    let before = events(&env, AuditFilter { slug: Some(NAME.into()), ..AuditFilter::default() }).await;
    let redacted = redact(&env, Some(NAME), None).await.unwrap();
    assert!(redacted.events >= before.len() as u64 && redacted.values >= redacted.events, "{redacted:?}");
    assert_eq!(tables_with(&env, NAME).await, Vec::<String>::new());
    let tenant_id = Some(made.tenant.id.to_string());
    let after = events(&env, AuditFilter { tenant_id, ..AuditFilter::default() }).await;
    let event = newest(&env).await;
    assert_eq!((event.action.as_str(), event.outcome.as_deref()), ("audit.redact", Some("ok")));
    assert_eq!(event.facts["values"], redacted.values.to_string());
    assert_eq!(after.len(), before.len() + 1, "the events stay, and the redaction is one of the tenant's");
    for event in after.iter().filter(|event| event.action != "audit.redact") {
        assert!(
            event.intact && event.slug.is_none() && event.redacted.contains(&"slug".to_owned()),
            "{event:?}"
        );
    }
    let whole = verdict(&env, Vec::new()).await;
    assert_eq!(whole.broken, None);
    assert!(whole.redacted >= redacted.values);
    assert_eq!(redact(&env, Some(NAME), None).await.unwrap_err().code, ErrorCode::NotFound);
    // The name is free for another customer, and the daemon still lists and reads what is left.
    env.provision(NAME).await;
    env.tenantry(&["tenant", "list", "--all"]).await.assert_status(0);
    env.tenantry(&["operation", "list"]).await.assert_status(0);
}

#[tokio::test]
async fn an_accounts_name_goes_from_all_its_events_and_its_number_stays() {
    let env = Env::new().await;
    env.provision("acme").await;
    let me = events(&env, AuditFilter::default()).await.into_iter().find(|event| event.actor != "tenantryd");
    let me = me.unwrap();
    let name = me.actor.split(" (uid ").next().unwrap().to_owned();
    let redacted = redact(&env, None, Some(&name)).await.unwrap();
    assert!(redacted.events >= 4, "{redacted:?}");
    let uid = AuditFilter { actor: me.actor_uid.map(|uid| uid.to_string()), ..AuditFilter::default() };
    let left = events(&env, uid).await;
    let old: Vec<_> =
        left.iter().filter(|event| event.action != "audit.redact" && event.actor != "tenantryd").collect();
    assert_eq!(old.len() as u64, redacted.events);
    assert!(old.iter().all(|event| event.actor == "(redacted)" && event.intact), "{old:?}");
    assert_eq!(verdict(&env, Vec::new()).await.broken, None);
    for (slug, actor, field) in [
        (None, Some("nobody-of-that-name"), "actor"),
        (None, Some("tenantryd"), "actor"),
        (Some("nobody"), None, "slug"),
        (None, None, "slug"),
    ] {
        let error = redact(&env, slug, actor).await.unwrap_err();
        assert_eq!(error.field.as_deref(), Some(field), "{error}");
    }
}
