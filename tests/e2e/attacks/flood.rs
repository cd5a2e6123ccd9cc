//! However many objects one tenant makes, they stay its own problem. The tenant that it gives them to is verified, shown,
//! changed and removed as before, and no report, event or page grows with them. `make isolation` does the same with 200,000
//! objects.

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _};
use tenantry_harness::{Cluster, Env, Provisioned, Version, rpc};
use tenantry_protocol::audit::{AuditFilter, AuditRequest};
use tenantry_protocol::isolation::Grade;
use tenantry_protocol::operation::OperationsRequest;

const OBJECTS: u32 = 1_500;

/// Large objects, and everything that is made later in each existing schema, given to all roles of the victim.
fn flood(victim: &Provisioned, objects: u32) -> String {
    let all = ["", "_app", "_a", "_b", "_probe"]
        .map(|role| format!("{}{role}", victim.tenant.placement))
        .join(", ");
    format!(
        "do $$ declare nsp text; kind text; begin
             for i in 1..{objects} loop
                 execute format('grant select, update on large object %s to {all}', lo_create(0));
                 if i % 1000 = 0 then commit; end if;
             end loop;
             for nsp in select nspname from pg_namespace loop
                 foreach kind in array array['tables', 'sequences', 'functions', 'types'] loop
                     execute format('alter default privileges in schema %I grant all on %s to {all}', nsp, kind);
                 end loop;
             end loop;
         end $$;"
    )
}

async fn what_a_tenant_gives_away_is_its_own_finding(version: Version) {
    let env = Env::on(Cluster::private(version)).await;
    let victim = env.provision("victim").await;
    let giver = env.provision("giver").await;
    env.psql(&giver.credentials, &flood(&victim, OBJECTS)).await.assert_status(0);

    env.tenantry(&["tenant", "verify", "victim"]).await.assert_status(0);
    let report = env.tenant("victim").await.isolation.unwrap();
    assert_eq!((report.grade(), report.found()), (Grade::B, 0), "{:?}", report.problems());
    assert_eq!(report.gifts.len(), 1, "{:?}", report.gifts);
    assert!(
        report.gifts[0].starts_with(&format!("{}_a gave rights on ", giver.tenant.placement)),
        "{:?}",
        report.gifts
    );
    for change in ["suspend", "resume"] {
        env.tenantry(&["tenant", change, "victim"]).await.assert_status(0);
    }

    let output = env.tenantry(&["tenant", "verify", "giver"]).await.assert_status(6);
    assert!(output.stdout.len() < 20_000, "{} bytes", output.stdout.len());
    for found in
        ["lint foreign_grants: SELECT to", "lint default_privileges", "more findings, which are not kept"]
    {
        assert!(output.stdout.contains(found), "{found} is not in:\n{}", output.stdout);
    }
    let report = env.tenant("giver").await.isolation.unwrap();
    assert!(
        report.findings.len() <= 60 && report.left_out >= 900,
        "{} {}",
        report.findings.len(),
        report.left_out
    );
    let request = AuditRequest {
        filter: AuditFilter { action: Some("isolation.broken".into()), ..AuditFilter::default() },
        ..AuditRequest::default()
    };
    let page = env.rpc().await.audit(rpc::context(), request).await.unwrap().unwrap();
    let [broken] = page.events.as_slice() else { panic!("{:?}", page.events) };
    assert_eq!(broken.slug.as_deref(), Some("giver"));
    assert!(broken.detail.as_ref().unwrap().len() < 5_000, "{broken:?}");

    env.rollback("victim").await;
    env.assert_clean_slate(&victim.tenant.placement).await;
    env.rollback("giver").await;
    env.assert_clean_slate(&giver.tenant.placement).await;
}

#[tokio::test]
async fn what_a_tenant_gives_away_is_its_own_finding_on_the_packaged_postgresql() {
    what_a_tenant_gives_away_is_its_own_finding(Version::Packaged).await;
}

#[tokio::test]
async fn what_a_tenant_gives_away_is_its_own_finding_on_postgresql_18() {
    what_a_tenant_gives_away_is_its_own_finding(Version::V18).await;
}

#[tokio::test]
async fn what_the_tenants_group_was_given_does_not_fill_the_check_of_a_target() {
    let env = Env::on(Cluster::private(Version::Packaged)).await;
    let giver = env.provision("giver").await;
    let group: String = sqlx::query_scalar("select group_role from tenantry.target_identity")
        .fetch_one(&mut env.target().await)
        .await
        .unwrap();
    let give = format!(
        "do $$ begin for i in 1..500 loop execute format('grant select on large object %s to {group}', lo_create(0)); end loop; end $$"
    );
    env.psql(&giver.credentials, &give).await.assert_status(0);
    let checked = env.tenantry(&["target", "check", "local", "--json"]).await.assert_status(0).json();
    let findings = checked["targets"][0]["findings"].as_array().unwrap();
    let rights = findings.iter().filter(|finding| finding["code"] == "group_rights").count();
    assert_eq!(rights, 20, "{findings:?}");
    let verified = env.tenantry(&["tenant", "verify", "giver"]).await.assert_status(6);
    assert!(
        verified.stdout.contains(&format!("lint foreign_grants: SELECT to {group}")),
        "{}",
        verified.stdout
    );
}

/// Records that were stored before there were bounds.
#[tokio::test]
async fn records_larger_than_an_answer_are_shown_cut_and_no_page_is_lost() {
    let env = Env::new().await;
    env.provision("acme").await;
    for _ in 0..6 {
        env.tenantry(&["tenant", "update", "acme", "--label", "a=b"]).await.assert_status(0);
    }
    let inflate = "
        alter table control.audit_detail disable trigger all;
        update control.audit_detail set value = repeat('lint foreign_rights; ', 150000)
        where field = 'slug' and seq in (select seq from control.audit_event order by seq desc offset 1 limit 8);
        update control.isolation_report set report = jsonb_set(report, '{findings}', (
            select jsonb_agg(jsonb_build_object('lint', 'foreign_rights', 'evidence', 'large object ' || i))
            from generate_series(1, 200000) i));
        update control.operation set state = 'rolled_back', state_detail = jsonb_build_object('failure',
            jsonb_build_object('step', 'verify', 'message', repeat(chr(1), 100000)))";
    env.cluster.execute(&env.control_db, inflate.to_owned()).await;

    let shown = env.tenantry(&["tenant", "show", "acme", "--json"]).await.assert_status(0).json();
    assert_eq!(shown["isolation"]["findings"].as_array().unwrap().len(), 200);
    assert_eq!(shown["isolation"]["left_out"], 199_800);
    assert!(shown["operations"].as_array().unwrap().len() >= 7);
    let multiply = "
        insert into control.operation select another.* from control.operation one, generate_series(1, 190) number,
            jsonb_populate_record(one, jsonb_build_object('id', md5(one.id::text || number)::uuid)) another limit 190";
    env.cluster.execute(&env.control_db, multiply.to_owned()).await;
    let request = OperationsRequest { limit: Some(190), ..OperationsRequest::default() };
    let page = env.rpc().await.operations(rpc::context(), request).await.unwrap().unwrap();
    assert!(page.next.is_some() && page.operations.len() < 190, "{}", page.operations.len());
    let listed =
        env.tenantry(&["operation", "list", "--limit", "190", "--json"]).await.assert_status(0).json();
    assert_eq!(listed["operations"].as_array().unwrap().len(), 190);
    assert!(listed["operations"][0]["state"]["failure"]["message"].as_str().unwrap().ends_with('…'));

    // One page holds fewer events than were requested, and says where it ended.
    let request = AuditRequest { limit: Some(500), ..AuditRequest::default() };
    let page = env.rpc().await.audit(rpc::context(), request).await.unwrap().unwrap();
    assert_eq!(page.searched_to, page.events.last().map(|event| event.seq));
    assert!(page.events.len() < 8, "{}", page.events.len());
    // The command continues, and loses none.
    let listed = env.tenantry(&["audit", "list", "--limit", "500", "--json"]).await.assert_status(0);
    let events = listed.json()["events"].as_array().unwrap().clone();
    let count: i64 = sqlx::query_scalar(AssertSqlSafe("select count(*) from control.audit_event"))
        .fetch_one(&mut env.control().await)
        .await
        .unwrap();
    assert_eq!(i64::try_from(events.len()).unwrap(), count);
    assert!(listed.stdout.len() < 1_000_000, "{}", listed.stdout.len());

    let file = env.dir.join("trail.csv");
    let export = ["audit", "export", "--format", "csv", "--output", file.to_str().unwrap()];
    env.tenantry(&export).await.assert_status(0);
    assert!(std::fs::metadata(&file).unwrap().len() > 8 * 3_000_000);
}

#[tokio::test]
async fn whoever_gives_a_tenant_something_and_waits_does_not_keep_it_from_being_removed() {
    for version in [Version::Packaged, Version::V18] {
        let env = Env::with_config(Cluster::private(version), "[limits]\nlock_timeout_ms = 500\n").await;
        let victim = env.provision("victim").await;
        let giver = env.provision("giver").await.credentials;
        let mut waits = PgConnectOptions::new_without_pgpass()
            .socket(&giver.host)
            .port(giver.port)
            .username(&giver.role)
            .password(giver.password.as_deref().unwrap())
            .database(&giver.database)
            .connect()
            .await
            .unwrap();
        let give = format!(
            "begin; alter default privileges grant select on tables to {}_a",
            victim.tenant.placement
        );
        waits.execute(AssertSqlSafe(give)).await.unwrap();
        env.rollback("victim").await;
        env.assert_clean_slate(&victim.tenant.placement).await;
        assert!(waits.execute("commit").await.is_err(), "its session was ended");
        assert!(env.daemon().log().contains(&format!("logins=\"{}\"", giver.role)), "{}", env.daemon().log());
    }
}
