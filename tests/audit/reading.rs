//! Reading a long trail: a filtered first page in milliseconds, whatever the filter, and an export in constant memory.

use std::time::Instant;

use tenantry_harness::Env;
use tenantry_harness::bars::Bar;
use tenantry_harness::rpc::context;
use tenantry_harness::trail::generate::{
    self, Generated, RARE_ACTION, RARE_ACTOR, RARE_UID, SEARCHED_TEXT, STEP_US,
};
use tenantry_protocol::TenantryClient;
use tenantry_protocol::audit::{
    AuditExportReadRequest, AuditExportRequest, AuditFilter, AuditRequest, AuditResponse, ExportFormat,
};

use crate::verifying::peak_mib;

/// The longest time for a filtered first page, in ms.
const PAGE_MS: f64 = 50.0;
/// Each filter is requested this often after the first time; the median counts, since other work disturbs some requests.
const ROUNDS: usize = 7;
const PAGE: u32 = 50;
/// The most that the daemon's memory may grow while it exports a trail of any length, in MiB.
const EXPORT_GROWTH_MIB: f64 = 16.0;

/// How many events some of the filters find.
const RARE: [(&str, f64); 5] =
    [("actor_rare", 5.0), ("uid_rare", 5.0), ("action_rare", 3.0), ("operation", 2.0), ("slug", PAGE as f64)];

pub(crate) async fn bars(events: i64) -> Vec<Bar> {
    let mut env = Env::new().await;
    let begin = Instant::now();
    let made = generate::append_signed(&mut env, events, 0).await;
    println!("{} events made in {:.0} s", made.to - made.from + 1, begin.elapsed().as_secs_f64());
    let mut bars = first_pages(&env, made).await;
    bars.push(exports(&env, made.to as u64).await);
    bars
}

/// Exports the whole trail in each format, and discards it.
async fn exports(env: &Env, least: u64) -> Bar {
    let pid = env.daemon().pid().as_raw();
    let before = peak_mib(pid);
    for format in [ExportFormat::Jsonl, ExportFormat::Csv, ExportFormat::Ocsf] {
        let begin = Instant::now();
        let (events, bytes) = export(env, format).await;
        assert!(events >= least, "{format:?}: {events} of {least} events");
        let (seconds, mib) = (begin.elapsed().as_secs_f64(), bytes as f64 / 1_048_576.0);
        println!("  {format:?}: {events} events, {mib:.0} MiB, {:.0} events/s", events as f64 / seconds);
    }
    Bar::at_most("export_rss_growth_mib", peak_mib(pid) - before, EXPORT_GROWTH_MIB)
}

/// The number of events and bytes of an export.
async fn export(env: &Env, format: ExportFormat) -> (u64, usize) {
    let client = env.rpc().await;
    let request = AuditExportRequest { format, ..AuditExportRequest::default() };
    let opened = client.audit_export(context(), request).await.unwrap().unwrap();
    let mut bytes = 0;
    loop {
        let request = AuditExportReadRequest { id: opened.id.clone() };
        let part = client.audit_export_read(context(), request).await.unwrap().unwrap();
        bytes += part.text.len();
        if part.is_last {
            return (part.events, bytes);
        }
    }
}

async fn first_pages(env: &Env, made: Generated) -> Vec<Bar> {
    let client = env.rpc().await;
    let mut bars = Vec::new();
    for (name, filter) in filters(env, made).await {
        let mut times = Vec::new();
        let begin = Instant::now();
        let answer = page(&client, &filter).await;
        let first = begin.elapsed().as_secs_f64() * 1_000.0;
        for _ in 0..ROUNDS {
            let begin = Instant::now();
            page(&client, &filter).await;
            times.push(begin.elapsed().as_secs_f64() * 1_000.0);
        }
        times.sort_by(f64::total_cmp);
        let (median, slowest) = (times[ROUNDS / 2], times[ROUNDS - 1]);
        bars.push(Bar::at_most(format!("first_page_{name}"), median, PAGE_MS));
        // Rare events were counted when they were generated. They are at the beginning, which a search reaches last.
        if let Some((_, count)) = RARE.iter().find(|(rare, _)| *rare == name) {
            bars.push(Bar::at_least(format!("first_page_{name}_events"), answer.events.len() as f64, *count));
        }
        let paused = answer.searched_to.map_or("whole".to_owned(), |seq| format!("paused at {seq}"));
        println!(
            "  {name}: {} events, {paused}; the first time {first:.1} ms, the slowest {slowest:.1} ms",
            answer.events.len()
        );
        assert!(answer.events.iter().all(|event| event.intact), "{name}: an event is not intact");
    }
    bars
}

async fn page(client: &TenantryClient, filter: &AuditFilter) -> AuditResponse {
    let request = AuditRequest { filter: filter.clone(), before: None, limit: Some(PAGE) };
    client.audit(context(), request).await.unwrap().unwrap()
}

fn none() -> AuditFilter {
    AuditFilter::default()
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn at(us: i64) -> Option<time::OffsetDateTime> {
    time::OffsetDateTime::from_unix_timestamp(us / 1_000_000).ok()
}

/// Frequent, rare and absent values of each field.
async fn filters(env: &Env, made: Generated) -> Vec<(&'static str, AuditFilter)> {
    let old = made.begin_us + 1_000 * STEP_US;
    let (tenant, operation): (uuid::Uuid, uuid::Uuid) =
        sqlx::query_as("select tenant_id, operation_id from control.audit_event where seq = $1")
            .bind(made.from + 500)
            .fetch_one(&mut env.control().await)
            .await
            .unwrap();
    let nobody = "00000000-0000-4000-8000-000000000000";
    let mut filters = vec![
        ("none", none()),
        ("slug", AuditFilter { slug: text("generated-7"), ..none() }),
        ("slug_absent", AuditFilter { slug: text("nobody"), ..none() }),
        ("tenant", AuditFilter { tenant_id: text(&tenant.to_string()), ..none() }),
        ("tenant_absent", AuditFilter { tenant_id: text(nobody), ..none() }),
        ("operation", AuditFilter { operation_id: text(&operation.to_string()), ..none() }),
        ("operation_absent", AuditFilter { operation_id: text(nobody), ..none() }),
        ("actor", AuditFilter { actor: text("ops3"), ..none() }),
        ("actor_daemon", AuditFilter { actor: text("tenantryd"), ..none() }),
        ("actor_rare", AuditFilter { actor: text(RARE_ACTOR), ..none() }),
        ("actor_absent", AuditFilter { actor: text("nobody"), ..none() }),
        ("uid", AuditFilter { actor: text("1003"), ..none() }),
        ("uid_rare", AuditFilter { actor: text(&RARE_UID.to_string()), ..none() }),
        ("uid_absent", AuditFilter { actor: text("77"), ..none() }),
        ("action", AuditFilter { action: text("provision"), ..none() }),
        ("action_rare", AuditFilter { action: text(RARE_ACTION), ..none() }),
        ("action_absent", AuditFilter { action: text("nothing"), ..none() }),
        ("actions", AuditFilter { action: text("credentials.*"), ..none() }),
        ("actions_absent", AuditFilter { action: text("nothing.*"), ..none() }),
        ("outcome_ok", AuditFilter { outcome: text("ok"), ..none() }),
        ("outcome_failed", AuditFilter { outcome: text("failed"), ..none() }),
        ("outcome_denied", AuditFilter { outcome: text("denied"), ..none() }),
        ("intents", AuditFilter { outcome: text("intent"), ..none() }),
        ("since", AuditFilter { since: at(old), ..none() }),
        ("until", AuditFilter { until: at(old), ..none() }),
        ("until_absent", AuditFilter { until: at(made.begin_us - STEP_US), ..none() }),
        ("between", AuditFilter { since: at(old), until: at(old + 1_000 * STEP_US), ..none() }),
        ("text", AuditFilter { text: text(SEARCHED_TEXT), ..none() }),
        ("text_absent", AuditFilter { text: text("no such words"), ..none() }),
    ];
    filters.extend(together(old));
    filters
}

/// Several fields at once.
fn together(old: i64) -> Vec<(&'static str, AuditFilter)> {
    vec![
        (
            "failed_since",
            AuditFilter {
                outcome: text("failed"),
                since: at(old),
                until: at(old + 9_000 * STEP_US),
                ..none()
            },
        ),
        ("action_and_actor", AuditFilter { action: text("rollback"), actor: text("ops3"), ..none() }),
        // Each is everywhere, but the two never occur together.
        ("never_together", AuditFilter { action: text("verify"), actor: text("ops3"), ..none() }),
        ("never_in_one_event", AuditFilter { action: text("verify"), outcome: text("intent"), ..none() }),
        (
            "rare_and_frequent",
            AuditFilter { action: text("provision.intent"), actor: text(RARE_ACTOR), ..none() },
        ),
        ("tenant_and_text", AuditFilter { slug: text("generated-7"), text: text("exists"), ..none() }),
        (
            "everything",
            AuditFilter {
                slug: text("generated-7"),
                actor: text("ops3"),
                action: text("update*"),
                outcome: text("ok"),
                since: at(old),
                text: text("generated"),
                ..none()
            },
        ),
    ]
}
