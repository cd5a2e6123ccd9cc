//! Tries blueprints of shared tables on an installation: those that must be refused, and those that must not.

use serde_json::Value;
use sqlx::Connection as _;

use super::cases::{CASES, Case, FINE, GROUND, OF_EXTENSIONS};
use crate::{Env, Folder};

/// Makes the first tenant of the target, with all that this brings, and the extension that the cases build on.
pub async fn prepare(env: &Env) {
    env.provision("first").await;
    env.cluster.execute(&env.target_db, "create extension btree_gist schema tenantry_ext".to_owned()).await;
}

/// Installs the extension where blueprints find it; returns false if the server does not have it.
async fn has_extension(env: &Env, name: &str, version: &str) -> bool {
    let there = "select exists (select from pg_available_extension_versions
                                where name = $1 and ($2 = '' or version = $2))";
    let mut target = env.target().await;
    let there: bool =
        sqlx::query_scalar(there).bind(name).bind(version).fetch_one(&mut target).await.unwrap();
    target.close().await.unwrap();
    if !there {
        eprintln!("skipped: the server has no extension {name} {version}");
        return false;
    }
    let version = if version.is_empty() { String::new() } else { format!("version '{version}'") };
    let create = format!("create extension {name} schema tenantry_ext {version} cascade");
    env.cluster.execute(&env.target_db, create).await;
    true
}

/// The cases that were judged wrongly, one line each, and how many had to be refused.
pub async fn judge_all(env: &Env) -> (Vec<String>, usize) {
    let mut wrong = refuse_all(env, "hostile", CASES).await;
    let mut hostile = CASES.len();
    for (extension, version, cases) in OF_EXTENSIONS {
        if has_extension(env, extension, version).await {
            wrong.extend(refuse_all(env, extension, cases).await);
            hostile += cases.len();
        }
    }
    wrong.extend(build_all(env, FINE).await);
    (wrong, hostile)
}

/// The cases that were not refused as they should be, one line each.
async fn refuse_all(env: &Env, prefix: &str, cases: &[Case]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, (what, sql, says)) in cases.iter().enumerate() {
        let name = format!("{prefix}-{number}");
        let failed = create(env, &name, sql).await;
        let failure = &failed["operation"]["state"]["failure"];
        let message = failure["message"].as_str().unwrap_or_default();
        if failure["step"] != "pool" || !message.contains(says) {
            wrong.push(format!("{what}: {failed}"));
            continue;
        }
        env.assert_clean_slate(&env.tenant(&name).await.tenant.placement).await;
    }
    wrong
}

/// The valid blueprints that were refused nevertheless, one line each.
async fn build_all(env: &Env, fine: &[(&str, &str)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, (what, sql)) in fine.iter().enumerate() {
        let made = create(env, &format!("fine-{number}"), sql).await;
        if made["operation"]["state"]["name"] != "succeeded" {
            wrong.push(format!("{what}: {made}"));
        }
    }
    wrong
}

/// Adds a blueprint whose statements are hidden in a `do` block, and makes a tenant of it; returns the answer.
async fn create(env: &Env, name: &str, sql: &str) -> Value {
    let code: String = sql.split(';').filter(|part| !part.trim().is_empty()).map(statement).collect();
    // A dollar-quoted body has semicolons of its own.
    let code = if sql.contains('$') { statement(sql) } else { code };
    let folder = Folder::shared(&env.dir, name, "1.0")
        .extension("btree_gist")
        .migration("ground", GROUND)
        .migration("hidden", &format!("do $do$ begin {code} end $do$;"));
    env.add_blueprint(folder.path()).await;
    env.tenantry(&["tenant", "create", name, "--blueprint", name, "--json"]).await.json()
}

/// A statement that belongs to plpgsql stays; any other is run from a text.
fn statement(sql: &str) -> String {
    let sql = sql.trim();
    if sql.starts_with("execute ") || sql.starts_with("perform ") {
        format!("{sql};")
    } else {
        format!("execute $x${sql}$x$;")
    }
}
