//! Tenants take all connections of a server, and the daemon still answers, suspends them, and reads the trail.

use std::time::Duration;

use sqlx::PgConnection;
use tenantry_harness::isolation::slots::{self, Flood};
use tenantry_harness::{Cluster, Env, Folder, Version, eventually};

#[tokio::test]
async fn tenants_who_take_all_connections_do_not_lock_the_daemon_out() {
    slots::withstand(Version::Packaged, Duration::ZERO).await;
}

#[tokio::test]
async fn tenants_who_take_all_connections_do_not_lock_the_daemon_out_on_postgresql_18() {
    slots::withstand(Version::V18, Duration::ZERO).await;
}

#[tokio::test]
async fn a_builds_locks_are_counted_though_tenants_have_taken_all_connections() {
    let env = slots::on_a_small_server(Version::Packaged).await;
    let tables = "do $$ begin for i in 1..20000 loop execute format('create table t%s (id int primary key)', i); end loop; end $$;";
    env.add_blueprint(Folder::new(&env.dir, "hungry", "1.0").migration("all", tables).path()).await;
    let mut flood = Flood::prepare(&env).await;
    slots::kept(&env).await;
    assert_eq!(flood.rise().await, "53300");
    let create = ["tenant", "create", "globex", "--blueprint", "hungry", "--json"];
    env.tenantry(&create).await.assert_status(1).assert_says(&["that operations may take together"]);
    let log = env.cluster.server_log();
    let lacking: Vec<&str> =
        log.lines().skip_while(|line| !line.contains("out of shared memory")).take(6).collect();
    assert!(lacking.is_empty(), "others have the locks that they need: {lacking:#?}");
}

#[tokio::test]
async fn what_tenants_may_take_together_is_told_with_the_numbers_where_it_is_more_than_there_is() {
    let env = slots::on_a_small_server(Version::Packaged).await;
    let plan = async |env: &Env| {
        let arguments = ["tenant", "create", "globex", "--blueprint", "greedy", "--plan", "--json"];
        env.tenantry(&arguments).await.assert_status(0).json()
    };
    let before = plan(&env).await;
    assert!(!before.to_string().contains("overcommitted"), "{before}");
    let flood = Flood::prepare(&env).await;
    let after = plan(&env).await;
    let told = "may open 60 connections together, and the server has 27 for them (max_connections 30 less 3 reserved)";
    assert!(after.to_string().contains(told), "{after}");
    assert_eq!(before["hash"], after["hash"], "what others may take is not what was approved");
    let checked = env.tenantry(&["target", "check"]).await.assert_status(0);
    let told = "may open 40 connections together, and the server has 27 for them";
    assert!(checked.stdout.contains("warning[overcommitted]") && checked.stdout.contains(told), "{checked}");
    drop(flood);
}

#[tokio::test]
async fn a_login_that_somebody_took_the_limit_from_counts_as_all_connections_and_is_named() {
    let env = Env::on(Cluster::private(Version::Packaged)).await;
    let acme = env.provision("acme").await.tenant.placement;
    let checked = env.tenantry(&["target", "check"]).await.assert_status(0);
    assert!(!checked.stdout.contains("overcommitted"), "{checked}");
    env.cluster.execute("postgres", format!("alter role {acme}_a connection limit -1")).await;
    let told = format!("nothing limits {acme}_a, counted as all of max_connections each");
    let checked = env.tenantry(&["target", "check"]).await.assert_status(0);
    assert!(checked.stdout.contains("warning[overcommitted]") && checked.stdout.contains(&told), "{checked}");
    let planned = env
        .tenantry(&["tenant", "create", "globex", "--blueprint", "projects@1.0", "--plan"])
        .await
        .assert_status(0);
    assert!(planned.stdout.contains(&told), "{planned}");
}

#[tokio::test]
async fn the_connections_of_tenants_and_others_count_where_the_room_of_a_target_is_told() {
    let env = Env::on(Cluster::private(Version::Packaged)).await;
    let acme = env.provision("acme").await;
    let told = async || {
        let checked = env.tenantry(&["target", "check", "local", "--json"]).await.assert_status(0).json();
        let findings = checked["targets"][0]["findings"].as_array().unwrap().clone();
        let room = findings.iter().find(|finding| finding["code"] == "room").unwrap();
        let told = room["message"].as_str().unwrap().strip_prefix("connections ").unwrap().to_owned();
        told.split(' ').next().unwrap().parse::<i64>().unwrap()
    };
    // The daemon's sessions in its registry count as well, and come and go.
    let mut watcher = env.cluster.superuser("postgres").await;
    let mut used = async || {
        eventually("the registry's sessions stay as many", async || {
            let before = sessions_of(&mut watcher, &env.control_role).await;
            let told = told().await;
            (sessions_of(&mut watcher, &env.control_role).await == before).then_some(told - before)
        })
        .await
    };
    let before = used().await;
    let theirs = &acme.credentials;
    let _sessions = (env.log_in(theirs).await, env.log_in(theirs).await, env.target().await);
    assert_eq!(used().await, before + 3);
}

async fn sessions_of(watcher: &mut PgConnection, role: &str) -> i64 {
    let count = sqlx::query_scalar("select count(*) from pg_stat_activity where usename = $1").bind(role);
    count.fetch_one(watcher).await.unwrap()
}
