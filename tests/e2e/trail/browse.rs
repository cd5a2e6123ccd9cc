//! Searching the trail: each filter finds its events and no others, page by page, and events that were changed are marked.

use tenantry_harness::rpc::context;
use tenantry_harness::trail::generate::{
    self, Generated, RARE_ACTION, RARE_ACTOR, RARE_UID, SEARCHED_TEXT, STEP_US,
};
use tenantry_harness::{Cluster, Env, Version};
use tenantry_protocol::audit::{AuditEvent, AuditFilter, AuditRequest, AuditResponse};
use tenantry_protocol::error::{ApiError, ErrorCode};

async fn ask(env: &Env, request: AuditRequest) -> Result<AuditResponse, ApiError> {
    env.rpc().await.audit(context(), request).await.unwrap()
}

/// Everything that a filter finds, newest first, in pages of `limit` events.
async fn all(env: &Env, filter: &AuditFilter, limit: u32) -> Vec<AuditEvent> {
    let (mut events, mut before) = (Vec::<AuditEvent>::new(), None);
    loop {
        let request = AuditRequest { filter: filter.clone(), before, limit: Some(limit) };
        let page = ask(env, request).await.unwrap();
        let is_full = page.events.len() == limit as usize;
        before = page.searched_to.or_else(|| page.events.last().map(|event| event.seq).filter(|_| is_full));
        events.extend(page.events);
        if before.is_none() {
            return events;
        }
    }
}

fn at(us: i64) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(us) * 1_000).unwrap()
}

/// Filters, each with the events that it should find.
type Case = (AuditFilter, Box<dyn Fn(&AuditEvent) -> bool>);

fn cases(some: &AuditEvent, made: Generated) -> Vec<Case> {
    fn case(filter: AuditFilter, expected: impl Fn(&AuditEvent) -> bool + 'static) -> Case {
        (filter, Box::new(expected))
    }
    let none = AuditFilter::default;
    let text = |text: &str| Some(text.to_owned());
    let (slug, tenant, operation) = (some.slug.clone(), some.tenant_id.clone(), some.operation_id.clone());
    let is_slug = slug.clone();
    let is_other_slug = slug.clone();
    let (since, until) = (at(made.begin_us + 3_000 * STEP_US), at(made.begin_us + 5_100 * STEP_US));
    let is_uid = format!("(uid {RARE_UID})");
    vec![
        case(none(), |_| true),
        case(AuditFilter { slug: slug.clone(), ..none() }, move |e| e.slug == is_slug),
        case(AuditFilter { slug: text("nobody"), ..none() }, |_| false),
        case(AuditFilter { tenant_id: tenant.clone(), ..none() }, move |e| e.tenant_id == tenant),
        case(AuditFilter { operation_id: operation.clone(), ..none() }, move |e| e.operation_id == operation),
        case(AuditFilter { actor: text("ops3"), ..none() }, |e| e.actor == "ops3 (uid 1003)"),
        case(AuditFilter { actor: text("ops3 (uid 1003)"), ..none() }, |e| e.actor == "ops3 (uid 1003)"),
        case(AuditFilter { actor: text("ops"), ..none() }, |_| false),
        case(AuditFilter { actor: text("tenantryd"), ..none() }, |e| e.actor == "tenantryd"),
        case(AuditFilter { actor: text(RARE_ACTOR), ..none() }, move |e| e.actor.ends_with(&is_uid)),
        case(AuditFilter { actor: text("1003"), ..none() }, |e| e.actor_uid == Some(1003)),
        case(AuditFilter { action: text("verify"), ..none() }, |e| e.action == "verify"),
        case(AuditFilter { action: text(RARE_ACTION), ..none() }, |e| e.action == RARE_ACTION),
        case(AuditFilter { action: text("credentials.*"), ..none() }, |e| {
            e.action.starts_with("credentials.")
        }),
        case(AuditFilter { action: text("nothing.*"), ..none() }, |_| false),
        case(AuditFilter { outcome: text("failed"), ..none() }, |e| e.outcome.as_deref() == Some("failed")),
        case(AuditFilter { outcome: text("denied"), ..none() }, |e| e.outcome.as_deref() == Some("denied")),
        case(AuditFilter { outcome: text("intent"), ..none() }, |e| e.outcome.is_none()),
        // The events before the generated ones were recorded now, later than those, which claim to be years old.
        case(AuditFilter { since: Some(since), ..none() }, move |e| e.at >= since && e.seq >= made.from),
        case(AuditFilter { until: Some(until), ..none() }, move |e| e.at < until),
        case(AuditFilter { since: Some(since), until: Some(until), ..none() }, move |e| {
            e.at >= since && e.at < until
        }),
        case(AuditFilter { text: text(&SEARCHED_TEXT.to_uppercase()), ..none() }, |e| {
            e.detail.as_deref().is_some_and(|detail| detail.contains(SEARCHED_TEXT))
        }),
        case(AuditFilter { text: text("ROTATE"), ..none() }, |e| e.action.contains("rotate")),
        case(AuditFilter { text: text("%"), ..none() }, |_| false),
        case(
            AuditFilter {
                slug,
                action: text("*"),
                outcome: text("ok"),
                until: Some(until),
                text: text("generated"),
                ..none()
            },
            move |e| e.slug == is_other_slug && e.outcome.as_deref() == Some("ok") && e.at < until,
        ),
        case(AuditFilter { action: text("update*"), actor: text("ops3"), ..none() }, |e| {
            e.action.starts_with("update") && e.actor == "ops3 (uid 1003)"
        }),
        case(AuditFilter { action: text("verify"), actor: text("ops3"), ..none() }, |_| false),
    ]
}

#[tokio::test]
async fn each_filter_finds_its_events_and_no_others() {
    let env = Env::on(Cluster::private(Version::Packaged)).await;
    let made = generate::append(&mut env.control().await, 7_000).await;
    let everything = all(&env, &AuditFilter::default(), 500).await;
    assert_eq!(everything.first().map(|event| event.seq), Some(made.to));
    assert_eq!(everything.last().map(|event| event.seq), Some(1));
    assert!(everything.iter().all(|event| event.intact && event.redacted.is_empty()));
    let some = everything.iter().find(|event| event.seq == made.from + 2_001).unwrap().clone();
    for (filter, expected) in cases(&some, made) {
        let found: Vec<i64> = all(&env, &filter, 97).await.iter().map(|event| event.seq).collect();
        let expected: Vec<i64> =
            everything.iter().filter(|event| expected(event)).map(|event| event.seq).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
}

#[tokio::test]
async fn the_history_of_a_name_is_that_of_all_tenants_that_had_it() {
    let env = Env::new().await;
    for _ in 0..2 {
        env.provision("acme").await;
        env.rollback("acme").await;
    }
    let filter = AuditFilter { slug: Some("acme".into()), ..AuditFilter::default() };
    let found = all(&env, &filter, 500).await;
    assert_eq!(found.iter().filter(|event| event.action == "provision").count(), 2);
    let mut tenants: Vec<_> = found.iter().map(|event| event.tenant_id.clone().unwrap()).collect();
    tenants.dedup();
    assert_eq!(tenants.len(), 2);
    let one = AuditFilter { tenant_id: Some(tenants[1].clone()), ..filter };
    assert_eq!(all(&env, &one, 500).await.len(), found.len() / 2);
}

#[tokio::test]
async fn an_event_that_is_not_what_it_was_is_marked_as_such_and_a_redacted_one_is_not() {
    let env = Env::new().await;
    let made = generate::append(&mut env.control().await, 100).await;
    let [changed, gone, edited] = [made.from + 60, made.from + 70, made.from + 80];
    env.cluster
        .execute(
            &env.control_db,
            format!(
                "alter table control.audit_detail disable trigger all;
                 update control.audit_detail set value = 'somebody (uid 7)' where seq = {changed} and field = 'actor';
                 delete from control.audit_detail where seq = {gone};
                 alter table control.audit_event disable trigger all;
                 update control.audit_event set payload = convert_to(replace(convert_from(payload, 'UTF8'), '\"at_us\":', '\"at_us\":9'), 'UTF8')
                 where seq = {edited}"
            ),
        )
        .await;
    let events = all(&env, &AuditFilter::default(), 500).await;
    let broken: Vec<i64> = events.iter().filter(|event| !event.intact).map(|event| event.seq).collect();
    assert_eq!(broken, [edited, changed]);
    let redacted = events.iter().find(|event| event.seq == gone).unwrap();
    assert_eq!(redacted.redacted, ["actor", "slug"]);
    assert_eq!((redacted.actor.as_str(), redacted.slug.as_deref()), ("(redacted)", None));
    assert!(redacted.actor_uid.is_some(), "the account's number stays");
    assert!(events.iter().all(|event| event.seq == gone || event.redacted.is_empty()));
}

#[tokio::test]
async fn a_filter_that_cannot_match_is_refused_with_its_field() {
    let env = Env::new().await;
    let none = AuditFilter::default;
    let text = |text: &str| Some(text.to_owned());
    let cases = [
        (AuditFilter { slug: text("No Slug"), ..none() }, "slug"),
        (AuditFilter { tenant_id: text("acme"), ..none() }, "tenant_id"),
        (AuditFilter { actor: text(" "), ..none() }, "actor"),
        (AuditFilter { actor: text("99999999999"), ..none() }, "actor"),
        (AuditFilter { action: text("pro*vision"), ..none() }, "action"),
        (AuditFilter { outcome: text("bad"), ..none() }, "outcome"),
        (AuditFilter { since: Some(at(7)), until: Some(at(7)), ..none() }, "until"),
        (AuditFilter { operation_id: text("7"), ..none() }, "operation_id"),
        (AuditFilter { text: text("two\nlines"), ..none() }, "text"),
    ];
    for (filter, field) in cases {
        let error = ask(&env, AuditRequest { filter, before: None, limit: None }).await.unwrap_err();
        assert_eq!((error.code, error.field.as_deref()), (ErrorCode::InvalidArgument, Some(field)));
        assert!(error.message.len() > 20, "{}", error.message);
    }
    for (before, limit, field) in
        [(Some(0), None, "before"), (None, Some(0), "limit"), (None, Some(501), "limit")]
    {
        let error = ask(&env, AuditRequest { filter: none(), before, limit }).await.unwrap_err();
        assert_eq!(error.field.as_deref(), Some(field));
    }
}
