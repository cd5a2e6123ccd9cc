//! Builds that take more of the server's locks than their text shows: they are watched and bounded, and cost others nothing.

use std::sync::Arc;

use sqlx::Connection as _;
use tenantry_harness::{Cluster, Env, Folder, Version, eventually};

/// A server with 3,000 locks, of which operations may take 2,250 together.
async fn small_server() -> Arc<Cluster> {
    let cluster = Cluster::private(Version::Packaged);
    cluster.execute("postgres", "alter system set max_locks_per_transaction = 10".to_owned()).await;
    cluster.crash();
    cluster.restart();
    cluster
}

/// Tables that cannot be counted from the text, at three locks each.
fn tables(count: u32, columns: &str) -> String {
    format!("for i in 1..{count} loop execute format('create table t%s ({columns})', i); end loop;")
}

fn block(statements: &str) -> String {
    format!("do $$ begin {statements} end $$;")
}

/// Holds its locks until the role `gate` exists.
const AT_THE_GATE: &str =
    "while not exists (select from pg_roles where rolname = 'gate') loop perform pg_sleep(0.02); end loop;";

/// No session ran out of locks.
fn assert_had_enough(cluster: &Cluster) {
    let log = cluster.server_log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("out of shared memory")).collect();
    assert!(lines.is_empty(), "{lines:#?}");
}

#[tokio::test]
async fn a_build_that_takes_more_locks_than_there_are_is_ended_and_others_go_through_beside_it() {
    let env = Env::on(small_server().await).await;
    let hungry = block(&tables(20_000, "id int primary key"));
    env.add_blueprint(Folder::new(&env.dir, "hungry", "1.0").migration("all", &hungry).path()).await;
    let columns = "tenant_id uuid, id int, primary key (tenant_id, id)";
    let pool = Folder::shared(&env.dir, "pool", "1.0").migration("all", &block(&tables(20_000, columns)));
    env.add_blueprint(pool.path()).await;
    for blueprint in ["hungry", "pool"] {
        let (slug, beside) = (format!("greedy-{blueprint}"), format!("beside-{blueprint}"));
        let create = ["tenant", "create", &slug, "--blueprint", blueprint, "--json"];
        let (refused, made) = tokio::join!(env.tenantry(&create), env.provision(&beside));
        refused.assert_status(1).assert_says(&[
            "V1__all.sql",
            "more than the 2250 of the server's 3000 that operations may take together",
            "max_locks_per_transaction",
        ]);
        assert_eq!(made.tenant.state.name(), "active");
        assert_eq!(env.tenant(&slug).await.tenant.state.name(), "rolled_back");
    }
    assert_had_enough(&env.cluster);
}

#[tokio::test]
async fn builds_that_have_no_room_beside_each_other_are_made_one_after_the_other() {
    let env = Env::on(small_server().await).await;
    // Each takes 1,500 locks, and releases none until the other build has been cancelled.
    let held = format!("{} {AT_THE_GATE}", tables(500, "id int primary key"));
    let many = Folder::new(&env.dir, "many", "1.0").migration("all", &block(&held));
    env.add_blueprint(many.path()).await;
    let opens = async {
        let ended = "terminating connection due to administrator command";
        eventually("one build is given up", async || env.cluster.server_log().contains(ended).then_some(()))
            .await;
        env.cluster.execute("postgres", "create role gate".to_owned()).await;
    };
    let (first, second, ()) =
        tokio::join!(env.provision_of("first", "many"), env.provision_of("second", "many"), opens);
    for made in [first, second] {
        assert_eq!(made.tenant.state.name(), "active");
    }
    let mut control = env.control().await;
    let rebuilt = "select count(*) from control.operation_event where event ->> 'event' = 'rebuilt'";
    let rebuilt: i64 = sqlx::query_scalar(rebuilt).fetch_one(&mut control).await.unwrap();
    control.close().await.unwrap();
    assert!(rebuilt > 0, "one of them was given up, and built when the other was done");
    assert_had_enough(&env.cluster);
}
