//! `blueprint init`: a folder of migrations becomes a blueprint without an editor.

use std::fs;
use std::path::{Path, PathBuf};

use tenantry_harness::Env;

/// A project whose migrations are in a folder with a name that says nothing.
fn project(env: &Env, files: &[(&str, &str)]) -> PathBuf {
    let folder = Path::new(&env.dir).join("My_Shop/db/migrations");
    for (path, content) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

const TABLES: &str = "begin;
    create extension if not exists citext with schema public;
    create type public.mood as enum ('sad');
    create table public.item (id serial primary key, code public.citext, mood public.mood);
    select setval('public.item_id_seq', 100);
    commit;";
const INDEX: &str = "create index concurrently item_code on public.item (code);";
const VALUE: &str = "alter type public.mood add value 'ok';\nupdate public.item set mood = 'ok';";

#[tokio::test]
async fn a_folder_goes_in_with_nothing_but_what_init_writes() {
    let env = Env::new().await;
    let folder = project(
        &env,
        &[
            ("000001_tables.up.sql", TABLES),
            ("000001_tables.down.sql", "drop table public.item; drop type public.mood;"),
            ("000002_index.up.sql", INDEX),
            ("000003_value.up.sql", VALUE),
        ],
    );
    let path = folder.to_str().unwrap();
    let output = env.tenantry(&["blueprint", "init", path]).await.assert_status(0);
    for says in [
        "name = \"my-shop\"",
        "convention = \"golang-migrate\"",
        "schema = \"public\"",
        "blueprint.toml: written",
        "citext",
    ] {
        assert!(output.stdout.contains(says), "'{says}' is not in its answer\n{output}");
    }
    env.tenantry(&["blueprint", "check", path, "--on", "local"]).await.assert_status(0);
    env.add_blueprint(path).await;
    let made = env.provision_of("acme", "my-shop").await;
    let next = "insert into item (code, mood) values ('A', 'ok') returning id, code = 'a'";
    assert_eq!(env.psql(&made.credentials, next).await.assert_status(0).stdout.trim(), "101|t");
}

#[tokio::test]
async fn a_manifest_that_stands_is_not_touched_and_a_folder_without_one_is_told_how() {
    let env = Env::new().await;
    let folder = project(&env, &[("1_a.sql", "create table a (id int primary key);")]);
    let path = folder.to_str().unwrap();
    env.tenantry(&["blueprint", "check", path])
        .await
        .assert_status(2)
        .assert_says(&["tenantry blueprint init"]);
    let document = env.tenantry(&["blueprint", "init", path, "--name", "shop", "--json"]).await;
    let document = document.assert_status(0).json();
    let manifest = fs::read_to_string(folder.join("blueprint.toml")).unwrap();
    assert_eq!(document["manifest"], manifest);
    assert!(manifest.contains("name = \"shop\""), "{manifest}");
    fs::write(folder.join("blueprint.toml"), "mine").unwrap();
    env.tenantry(&["blueprint", "init", path]).await.assert_status(2).assert_says(&["it is there already"]);
    assert_eq!(fs::read_to_string(folder.join("blueprint.toml")).unwrap(), "mine");
    let odd = env
        .tenantry(&["blueprint", "init", &env.dir.join("My_Shop").display().to_string(), "--name", "N o"])
        .await;
    odd.assert_status(2);
}
