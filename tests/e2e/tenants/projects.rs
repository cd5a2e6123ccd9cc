//! The blueprint `projects` as its application uses it: queries, triggers, reports on the seed data, and its own rules.
//!
//! Everything runs with the issued credentials, as the application's role and not as the owner. Each test has a tenant of
//! its own.

use serde_json::Value;
use tenantry_harness::{Cluster, Env, Output, Provisioned, Version, eventually};

/// A tenant with the sample data.
async fn seeded(env: &Env) -> Provisioned {
    let create = ["tenant", "create", "acme", "--blueprint", "projects@1.0", "--seed", "--json"];
    Provisioned::from(&env.tenantry(&create).await.assert_status(0).json())
}

/// The rows of a query, as the application gets them.
async fn rows(env: &Env, made: &Provisioned, sql: &str) -> Vec<Value> {
    let sql = format!("select coalesce(jsonb_agg(to_jsonb(r)), '[]') from ({sql}) r");
    let output = env.psql(&made.credentials, &sql).await.assert_status(0);
    serde_json::from_str(output.stdout.trim()).unwrap_or_else(|error| panic!("{error}: {output}"))
}

/// The one row of a query.
async fn row(env: &Env, made: &Provisioned, sql: &str) -> Value {
    let mut rows = rows(env, made, sql).await;
    assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
    rows.remove(0)
}

async fn change(env: &Env, made: &Provisioned, sql: &str) -> Output {
    env.psql(&made.credentials, sql).await.assert_status(0)
}

async fn refused(env: &Env, made: &Provisioned, sql: &str, says: &[&str]) {
    env.psql(&made.credentials, sql).await.assert_status(1).assert_says(says);
}

#[tokio::test]
async fn the_board_a_week_and_the_feed_can_be_read_with_issued_credentials() {
    let env = Env::new().await;
    let made = seeded(&env).await;
    let board = rows(
        &env,
        &made,
        "select t.status, p.key || '-' || t.number as reference, t.title, u.display_name as assignee,
                (select array_agg(l.name order by l.name) from task_labels tl join labels l on l.id = tl.label_id
                  where tl.task_id = t.id) as labels,
                (select count(*) from comments c where c.task_id = t.id) as comments
           from tasks t join projects p on p.id = t.project_id left join users u on u.id = t.assignee_id
          where p.key = 'SHOP' and t.status <> 'cancelled' order by t.status, t.priority desc, t.number",
    )
    .await;
    assert_eq!(board.len(), 13);
    let import = board.iter().find(|task| task["title"].as_str().unwrap().starts_with("Import")).unwrap();
    assert_eq!(import["assignee"], "Tomás Herrera", "{import}");
    assert_eq!((&import["labels"][0], &import["comments"]), (&"backend".into(), &2.into()), "{import}");

    let week = rows(
        &env,
        &made,
        "select day::date as day, coalesce(sum(e.minutes), 0) as minutes, array_agg(distinct t.title) as tasks
           from generate_series(current_date - 6, current_date, interval '1 day') as day
           left join (time_entries e join users u on u.id = e.user_id and u.email = 'tomas.herrera@example.com'
                      join tasks t on t.id = e.task_id) on e.worked_on = day::date
          group by day order by day",
    )
    .await;
    assert_eq!(week.len(), 7);
    let minutes: i64 = week.iter().map(|day| day["minutes"].as_i64().unwrap()).sum();
    assert_eq!(minutes, 360 + 275 + 95 + 450, "{week:?}");

    let feed = rows(
        &env,
        &made,
        "select a.action, u.display_name as actor, t.title, a.old_values, a.new_values
           from activity a join projects p on p.id = a.project_id left join tasks t on t.id = a.task_id
           left join users u on u.id = a.actor_id
          where p.key = 'SHOP' order by a.happened_at desc, a.id desc limit 20",
    )
    .await;
    assert_eq!(feed.len(), 20);
    let moved = feed.iter().find(|entry| entry["new_values"]["status"] == "in_review").unwrap();
    assert_eq!(
        (&moved["action"], &moved["actor"]),
        (&"task.changed".into(), &"Tomás Herrera".into()),
        "{moved}"
    );
    assert_eq!(moved["old_values"]["status"], "in_progress", "{moved}");
}

#[tokio::test]
async fn a_change_moves_updated_at_and_is_recorded_with_its_author_and_both_values() {
    let env = Env::new().await;
    let made = seeded(&env).await;
    let find = "select id, updated_at, created_at from tasks where title = 'Confirmations by mail'";
    let before = row(&env, &made, find).await;
    let sql = "select set_config('app.user_id', (select id::text from users where display_name = 'Lena Fischer'), true);
               update tasks set priority = 4, assignee_id = (select id from users where display_name = 'Samuel Okoro')
                where title = 'Confirmations by mail'";
    change(&env, &made, sql).await;
    let after = row(&env, &made, find).await;
    assert!(after["updated_at"].as_str() > before["updated_at"].as_str(), "{before} {after}");
    assert_eq!(after["created_at"], before["created_at"]);

    let entry = row(
        &env,
        &made,
        "select a.*, u.display_name as actor,
                (select count(*) from notifications n join users w on w.id = n.user_id
                  where n.activity_id = a.id and w.display_name = 'Samuel Okoro') as told,
                (select count(*) from webhook_deliveries d where d.activity_id = a.id and d.status = 'pending') as queued
           from activity a join tasks t on t.id = a.task_id left join users u on u.id = a.actor_id
          where t.title = 'Confirmations by mail' and a.action = 'task.changed'",
    )
    .await;
    assert_eq!(entry["actor"], "Lena Fischer", "{entry}");
    let samuel = row(&env, &made, "select id from users where display_name = 'Samuel Okoro'").await;
    assert_eq!(
        entry["old_values"],
        serde_json::json!({"priority": 1, "assignee_id": null}),
        "only what changed"
    );
    assert_eq!(entry["new_values"], serde_json::json!({"priority": 4, "assignee_id": samuel["id"]}));
    assert_eq!(
        (&entry["told"], &entry["queued"]),
        (&1.into(), &1.into()),
        "the new assignee watches: {entry}"
    );

    // An update that changes nothing is not recorded.
    change(&env, &made, "update tasks set priority = 4 where title = 'Confirmations by mail'").await;
    let count = "select count(*) from activity a join tasks t on t.id = a.task_id
                  where t.title = 'Confirmations by mail' and a.action = 'task.changed'";
    assert_eq!(row(&env, &made, count).await["count"], 1);
}

#[tokio::test]
async fn what_is_deleted_leaves_its_trace_and_a_whole_project_can_go() {
    let env = Env::new().await;
    let made = seeded(&env).await;
    change(&env, &made, "delete from tasks where title = 'Find fifty testers'").await;
    let trace = "select old_values ->> 'title' as title, new_values, task_id from activity where action = 'task.deleted'";
    let trace = row(&env, &made, trace).await;
    assert_eq!(trace["title"], "Find fifty testers", "{trace}");
    assert!(trace["new_values"].is_null() && trace["task_id"].is_null(), "{trace}");

    let delete = "delete from projects where key = 'RIDE'";
    refused(&env, &made, delete, &["time_entries_task_fkey"]).await;
    let all = format!(
        "delete from time_entries e using tasks t, projects p where t.id = e.task_id and p.id = t.project_id
         and p.key = 'RIDE'; {delete}"
    );
    change(&env, &made, &all).await;
    let left = "select count(*) from tasks t where not exists (select from projects p where p.id = t.project_id)
                union all select count(*) from activity a where not exists (select from projects p where p.id = a.project_id)
                union all select count(*) from projects where key = 'RIDE'";
    for left in rows(&env, &made, left).await {
        assert_eq!(left["count"], 0);
    }
}

/// Makes one task wait for another.
fn dependency(later: &str, earlier: &str) -> String {
    format!(
        "insert into task_dependencies (project_id, task_id, depends_on_id) select a.project_id, a.id, b.id
         from tasks a, tasks b where a.title = '{later}' and b.title = '{earlier}'"
    )
}

#[tokio::test]
async fn dependencies_are_never_doubled_circular_or_across_projects() {
    let env = Env::new().await;
    let made = seeded(&env).await;
    let (mail, pay, ship) =
        ("Confirmations by mail", "Payment by card and by invoice", "Shipping costs by weight and country");
    // In the seed data, mail waits for pay, and pay waits for ship.
    refused(&env, &made, &dependency(ship, mail), &["23514", "directly or through others"]).await;
    refused(&env, &made, &dependency(ship, pay), &["23514", "task_dependencies_no_cycle"]).await;
    refused(&env, &made, &dependency(ship, ship), &["23514", "task_dependencies_not_itself"]).await;
    refused(&env, &made, &dependency(mail, pay), &["23505", "task_dependencies_pkey"]).await;
    refused(
        &env,
        &made,
        &dependency(mail, "Interview eight riders"),
        &["23503", "task_dependencies_depends_on_fkey"],
    )
    .await;
    let turn = "update task_dependencies d set depends_on_id = m.id from tasks m, tasks p
                 where m.title = 'Confirmations by mail' and p.title = 'Payment by card and by invoice' and d.task_id = p.id";
    refused(&env, &made, turn, &["23514", "task_dependencies_no_cycle"]).await;
    change(&env, &made, &dependency(mail, ship)).await;
}

#[tokio::test]
async fn two_halves_of_a_circle_at_once_do_not_close_it() {
    let env = Env::new().await;
    let made = seeded(&env).await;
    let (weights, addresses) = ("Ask for the missing weights", "Redirect the old addresses");
    let mut first = env.log_in(&made.credentials).await;
    let sql = format!("begin; {}", dependency(weights, addresses));
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut first).await.unwrap();
    let second = dependency(addresses, weights);
    let (second, ()) = tokio::join!(env.psql(&made.credentials, &second), async {
        let mut admin = env.target().await;
        eventually("the second half waits for the first", async || {
            let waiting = "select true from pg_stat_activity where usename = $1 and wait_event_type = 'Lock'";
            let waiting = sqlx::query_scalar::<_, bool>(waiting).bind(&made.credentials.role);
            waiting.fetch_optional(&mut admin).await.unwrap()
        })
        .await;
        sqlx::raw_sql("commit").execute(&mut first).await.unwrap();
    });
    second.assert_status(1).assert_says(&["23514", "task_dependencies_no_cycle"]);
}

/// What must hold between the views and the tables: each query returns one row with `holds`.
const AGREEMENTS: &[(&str, &str)] = &[
    (
        "the open tasks of all people, and those of nobody, are all that are open",
        "select (select sum(open_tasks) from user_workload)
              + (select count(*) from open_tasks where assignee_id is null)
              = (select count(*) from tasks where status not in ('done', 'cancelled')) as holds",
    ),
    (
        "what is estimated for each of them is the sum of their tasks",
        "select bool_and(w.minutes_estimated = coalesce(t.minutes, 0)) and bool_and(w.minutes_left <= w.minutes_estimated)
             as holds from user_workload w left join (select assignee_id, sum(estimate_minutes) as minutes from tasks
             where status not in ('done', 'cancelled') group by assignee_id) t on t.assignee_id = w.user_id",
    ),
    (
        "something is overdue, and nothing that is done",
        "select count(*) >= 2 and bool_and(o.days_late >= 1 and t.due_on < current_date and t.completed_at is null)
             and count(*) = (select sum(overdue_tasks) from user_workload) as holds
             from overdue_tasks o join tasks t on t.id = o.id",
    ),
    (
        "the weeks of all projects have every minute once",
        "select sum(minutes) = (select sum(minutes) from time_entries)
             and sum(minutes_billable) = (select sum(minutes) from time_entries where is_billable)
             and sum(minutes_approved) = (select sum(minutes) from time_entries where approved_at is not null)
             and bool_and(extract(isodow from week) = 1) and count(distinct week) >= 4 as holds
             from time_by_project_and_week",
    ),
    (
        "a burn-down has each day once and ends with what is open",
        "select bool_and(days = last_day - first_day + 1 and tasks_left = coalesce(open, 0)) and count(*) = 5 as holds
             from (select milestone_id, count(*) as days, min(on_day) as first_day, max(on_day) as last_day,
                          (array_agg(tasks_left order by on_day desc))[1] as tasks_left
                     from milestone_burndown group by milestone_id) b
             left join (select milestone_id, count(*) as open from tasks
                         where status not in ('done', 'cancelled') group by milestone_id) t using (milestone_id)",
    ),
    (
        "a burn-down went down somewhere",
        "select exists (select from milestone_burndown a join milestone_burndown b using (milestone_id)
             where a.on_day < b.on_day and a.tasks_left > b.tasks_left) as holds",
    ),
    (
        "the progress of the projects counts each task once",
        "select sum(tasks) = (select count(*) from tasks where status <> 'cancelled')
             and sum(tasks_done) = (select count(*) from tasks where status = 'done')
             and sum(minutes_logged) = (select sum(minutes) from time_entries) as holds from project_progress",
    ),
    (
        "a task is blocked exactly while it waits for an open one",
        "select bool_and(o.is_blocked = exists (select from task_dependencies d join open_tasks e on e.id = d.depends_on_id
             where d.task_id = o.id)) and bool_or(o.is_blocked) as holds from open_tasks o",
    ),
];

#[tokio::test]
async fn every_report_agrees_with_the_tables_below_it() {
    reports_agree(&Env::new().await).await;
}

#[tokio::test]
async fn every_report_agrees_with_the_tables_below_it_on_postgresql_18() {
    reports_agree(&Env::on(Cluster::private(Version::V18)).await).await;
}

async fn reports_agree(env: &Env) {
    let made = seeded(env).await;
    for (what, sql) in AGREEMENTS {
        assert_eq!(row(env, &made, sql).await["holds"], true, "{what}");
    }
}

#[tokio::test]
async fn the_blueprint_keeps_its_own_rules() {
    let env = Env::new().await;
    let made = env.provision("acme").await;
    for (what, sql) in [
        (
            "a foreign key without an index",
            "select conname as name from pg_constraint c where contype = 'f' and connamespace = $1::regnamespace
             and not exists (select from pg_index i where i.indrelid = c.conrelid and i.indpred is null
                 and (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey)",
        ),
        (
            "a table without a primary key",
            "select relname::text as name from pg_class c where relnamespace = $1::regnamespace and relkind = 'r'
             and not exists (select from pg_constraint where conrelid = c.oid and contype = 'p')",
        ),
        (
            "updated_at that nobody moves",
            "select attrelid::regclass::text as name from pg_attribute a join pg_class c on c.oid = attrelid
             where relnamespace = $1::regnamespace and relkind = 'r' and attname = 'updated_at'
             and not exists (select from pg_trigger t join pg_proc f on f.oid = t.tgfoid
                 where t.tgrelid = a.attrelid and f.proname = 'set_updated_at')",
        ),
        (
            "a view with the rights of its owner",
            "select relname::text as name from pg_class where relnamespace = $1::regnamespace and relkind = 'v'
             and not coalesce('security_invoker=true' = any (reloptions), false)",
        ),
        (
            "a constraint that nobody named",
            "select conname as name from pg_constraint c join pg_class r on r.oid = conrelid
             where connamespace = $1::regnamespace and not starts_with(conname, relname)",
        ),
    ] {
        let found = sqlx::query_scalar::<_, String>(sql)
            .bind(made.tenant.placement.as_str())
            .fetch_all(&mut env.target().await)
            .await
            .unwrap();
        assert_eq!(found, [""; 0], "{what}");
    }
}
