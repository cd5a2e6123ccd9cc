//! A folder from outside of the repository: `make folders FOLDERS="--folder PATH"`. It is copied, goes in with nothing but what
//! `blueprint init` writes, and its tenants have what psql makes of the same files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use sqlx::{ConnectOptions as _, Connection as _};
use tenantry_harness::Env;

use crate::psql;
use crate::shape::shape;

/// Lines below which a file of some tool goes back. Found here by themselves, and not as the product finds them.
const DOWN: [&str; 8] = [
    "-- +goose down",
    "-- migrate:down",
    "-- +migrate down",
    "-- +micrate down",
    "-- rambler down",
    "-- down migration",
    "---- create above / drop below ----",
    "-- //@undo",
];

/// Tries the folder and says in a line how it fares.
pub(crate) async fn judge(env: &Env, folder: &Path, number: usize) -> String {
    let name = format!("real-{number}");
    let copy = env.dir.join(&name);
    copy_all(folder, &copy);
    _ = std::fs::remove_file(copy.join("blueprint.toml"));
    let path = copy.to_str().unwrap();
    for step in [["init", path, "--name", name.as_str()], ["check", path, "--on", "local"]] {
        let done = env.tenantry(&["blueprint"].into_iter().chain(step).collect::<Vec<_>>()).await;
        if done.status != 0 {
            let told = [done.stdout, done.stderr].concat();
            let error = told.lines().find(|line| line.contains("error[")).or_else(|| told.lines().last());
            return format!("refused by {}: {}", step[0], error.unwrap_or_default());
        }
    }
    env.add_blueprint(path).await;
    match beside_psql(env, &name, number).await {
        Ok(told) | Err(told) => told,
    }
}

/// Two tenants of the blueprint, the shape of each compared with what psql makes; an error says what differs.
async fn beside_psql(env: &Env, name: &str, number: usize) -> Result<String, String> {
    let mut tenants = Vec::new();
    let begin = Instant::now();
    let mut took = None;
    for slug in ["one", "two"].map(|which| format!("{name}-{which}")) {
        let made = env.provision_of(&slug, name).await;
        took.get_or_insert(begin.elapsed());
        let own = made.tenant.placement.to_string();
        let database =
            if made.credentials.database == env.target_db { env.target_db.clone() } else { own.clone() };
        let mut connection = env.cluster.options(&database).connect().await.unwrap();
        tenants.push((slug, shape(&mut connection, &own, &[]).await));
        connection.close().await.unwrap();
    }
    let shown =
        env.tenantry(&["blueprint", "show", name, "--sql", "--json"]).await.json()["blueprint"].take();
    let files = shown["migrations"].as_array().unwrap().len();
    let begin = Instant::now();
    let alone = by_psql(env, &shown, &format!("alone_{number}")).await?;
    let by_psql = begin.elapsed();
    for (slug, shape) in &tenants {
        let differences = difference(shape, &alone);
        if !differences.is_empty() {
            return Err(format!("{slug} differs from psql: {}", differences.join("; ")));
        }
        let verified = env.tenantry(&["tenant", "verify", slug, "--json"]).await;
        let grade = verified.json()["grade"].as_str().unwrap_or_default().to_owned();
        let drift = env.tenantry(&["tenant", "drift", slug]).await.status;
        // The test's server is not closed as one for customers would be, which costs a grade.
        if !["A", "B"].contains(&grade.as_str()) || drift != 0 {
            return Err(format!("{slug}: grade {grade}, drift ended with {drift}"));
        }
        let placement = env.tenant(slug).await.tenant.placement;
        env.rollback(slug).await;
        env.assert_clean_slate(&placement).await;
    }
    Ok(format!(
        "the same as psql's, {files} files, {} lines, verified, nothing left; {:.0?}, psql {by_psql:.0?}",
        alone.len(),
        took.unwrap_or_default()
    ))
}

/// What psql makes of the files of a blueprint, called once for each, in a database of its own.
async fn by_psql(env: &Env, shown: &serde_json::Value, database: &str) -> Result<BTreeSet<String>, String> {
    env.cluster.execute("postgres", format!("create database {database}")).await;
    let extensions = shown["extensions"].as_array().cloned().unwrap_or_default();
    for extension in extensions.iter().filter_map(|name| name.as_str()) {
        // The files of some create it themselves, and say nothing of one that is there.
        _ = psql(env, database, &format!("create extension if not exists \"{extension}\""));
    }
    for file in shown["migrations"].as_array().unwrap() {
        let sql = up(file["sql"].as_str().unwrap());
        // A file may end the transaction of its tool and begin the one that the tool ends.
        psql(env, database, &format!("{sql}\n;\ncommit;"))
            .map_err(|problem| format!("goes in, and psql fails: {problem}"))?;
    }
    let mut connection = env.cluster.options(database).connect().await.unwrap();
    let others: Vec<String> = sqlx::query_scalar(
        "select nspname::text from pg_namespace where nspname !~ '^pg_' and nspname not in ('information_schema', 'public')",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    let alone = shape(&mut connection, "public", &others).await;
    connection.close().await.unwrap();
    Ok(alone)
}

fn difference(shape: &BTreeSet<String>, alone: &BTreeSet<String>) -> Vec<String> {
    let more = shape.difference(alone).map(|line| format!("+ {line}"));
    more.chain(alone.difference(shape).map(|line| format!("- {line}"))).take(4).collect()
}

/// What runs of the file.
fn up(content: &str) -> String {
    let is_down = |line: &str| {
        let plain = line.trim_end().to_lowercase();
        DOWN.iter().any(|down| plain.starts_with(down))
    };
    content.lines().take_while(|line| !is_down(line)).map(|line| format!("{line}\n")).collect()
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let mut open: Vec<(PathBuf, PathBuf)> = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = open.pop() {
        for entry in std::fs::read_dir(&from).unwrap() {
            let entry = entry.unwrap();
            let to = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                std::fs::create_dir_all(&to).unwrap();
                open.push((entry.path(), to));
            } else {
                std::fs::copy(entry.path(), to).unwrap();
            }
        }
    }
}
