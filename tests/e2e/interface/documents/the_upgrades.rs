//! Documents and calls about upgrades of many tenants.

use serde_json::json;
use tenantry_harness::{Env, Folder};

use super::{Checks, words};

/// Two tenants of a version, and a later one.
async fn behind(env: &Env) {
    let first =
        Folder::new(&env.dir, "pair", "1.0").migration("one", "create table one (id int primary key);");
    env.add_blueprint(first.path()).await;
    for slug in ["left", "right"] {
        env.provision_of(slug, "pair").await;
    }
    let second = Folder::new(&env.dir, "pair", "1.1")
        .migration("one", "create table one (id int primary key);")
        .migration("two", "create table two (id int primary key);")
        .undo("two", "drop table two;");
    env.add_blueprint(second.path()).await;
}

/// Each tenant has a table that the next version makes.
async fn stand_in_the_way(env: &Env) {
    for slug in ["left", "right"] {
        let placement = env.tenant(slug).await.tenant.placement;
        env.cluster.execute(&env.target_db, format!("create table {placement}.three (id int)")).await;
    }
}

pub(super) async fn commands(checks: &mut Checks, env: &Env) {
    behind(env).await;
    for (name, line, status) in [
        ("blueprint upgrade --plan", "blueprint upgrade pair --plan", 0),
        ("blueprint upgrade --plan --rehearse", "blueprint upgrade pair --plan --rehearse", 0),
        ("blueprint upgrade", "blueprint upgrade pair --manual", 6),
        ("upgrade list", "upgrade list", 0),
        ("upgrade show", "upgrade show", 0),
        ("upgrade tenants", "upgrade tenants --state done", 0),
        ("upgrade failures", "upgrade failures", 0),
        ("upgrade pause", "upgrade pause", 0),
        ("upgrade resume", "upgrade resume", 0),
        ("upgrade watch", "upgrade watch", 0),
        ("blueprint downgrade --plan", "blueprint downgrade pair@1.0 --plan", 0),
        ("blueprint downgrade --plan --rehearse", "blueprint downgrade pair@1.0 --plan --rehearse", 0),
        ("blueprint downgrade", "blueprint downgrade pair@1.0 --confirm pair", 0),
    ] {
        checks.command(env, name, &words(line), status).await;
    }
    let third = Folder::new(&env.dir, "pair", "1.2")
        .migration("one", "create table one (id int primary key);")
        .migration("two", "create table two (id int primary key);")
        .migration("three", "create table three (id int primary key);");
    env.add_blueprint(third.path()).await;
    stand_in_the_way(env).await;
    for (name, line, status) in [
        ("blueprint upgrade", "blueprint upgrade pair", 6),
        ("upgrade failures", "upgrade failures", 0),
        ("upgrade retry", "upgrade retry", 0),
        ("upgrade cancel", "upgrade cancel", 0),
    ] {
        checks.command(env, name, &words(line), status).await;
    }
}

pub(super) async fn methods(checks: &mut Checks, env: &Env) {
    behind(env).await;
    for (method, request) in [
        ("upgrade_plan", json!({ "blueprint": "pair" })),
        ("upgrade_rehearse", json!({ "blueprint": "pair" })),
        ("upgrade", json!({ "blueprint": "pair", "manual": true, "wave_percent": 50, "stop_after": "2%" })),
        ("upgrades", json!({ "limit": 1 })),
        ("upgrade_status", json!({})),
        ("upgrade_units", json!({ "limit": 1 })),
        ("upgrade_pause", json!({})),
        ("upgrade_resume", json!({})),
    ] {
        checks.method(env, method, request).await;
        if method == "upgrade" {
            // The calls that follow find it paused behind its pilot.
            env.tenantry(&["upgrade", "watch"]).await.assert_status(6);
        }
    }
    env.tenantry(&["upgrade", "watch"]).await.assert_status(0);
    let back = json!({ "upgrade": { "blueprint": "pair", "version": "1.0" }, "confirm": "pair" });
    checks.method(env, "downgrade", back).await;
    env.tenantry(&["upgrade", "watch"]).await.assert_status(0);
    let third = Folder::new(&env.dir, "pair", "1.2")
        .migration("one", "create table one (id int primary key);")
        .migration("two", "create table two (id int primary key);")
        .migration("three", "create table three (id int primary key);");
    env.add_blueprint(third.path()).await;
    stand_in_the_way(env).await;
    env.tenantry(&["blueprint", "upgrade", "pair"]).await.assert_status(6);
    for method in ["upgrade_status", "upgrade_units", "upgrade_retry", "upgrade_cancel"] {
        checks.method(env, method, json!({})).await;
    }
}
