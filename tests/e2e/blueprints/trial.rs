//! `blueprint check --on`: what a provision would meet, without a tenant, a version, or anything that is left.

use tenantry_harness::catalog::Snapshot;
use tenantry_harness::cli::Output;
use tenantry_harness::{Cluster, Env, Folder, Version};

async fn check(env: &Env, folder: &Folder) -> Output {
    env.tenantry(&["blueprint", "check", folder.path(), "--on", "local"]).await
}

fn folder(env: &Env, name: &str) -> Folder {
    let words = "create extension citext;\ncreate table words (id int primary key, word citext not null);";
    Folder::new(&env.dir, name, "1.0").migration("words", words)
}

#[tokio::test]
async fn a_folder_is_built_and_nothing_of_it_is_left() {
    let env = Env::on(Cluster::private(Version::Packaged)).await;
    // Prepared, and with the canary database.
    env.tenantry(&["target", "check", "local"]).await.assert_status(0);
    let own = folder(&env, "own").in_databases();
    check(&env, &own).await.assert_status(0);
    let before = Snapshot::take(&env).await;
    for folder in [folder(&env, "words"), own] {
        let whole = folder
            .outside("index", "create index concurrently words_word on words (word);")
            .seed("insert into words values (1, 'Ada');");
        let output = check(&env, &whole).await.assert_status(0);
        assert!(output.stdout.contains("citext is installed into tenantry_ext"), "{output}");
        assert!(output.stdout.contains("and rolled back"), "{output}");
        assert!(output.stdout.contains("can be built"), "{output}");
    }
    let shared = Folder::shared(&env.dir, "shared", "1.0")
        .migration(
            "items",
            "create table item (tenant_id uuid not null, id int, primary key (tenant_id, id));",
        )
        .seed("insert into item (id) values (1);");
    check(&env, &shared).await.assert_status(0);
    assert_eq!(before.difference(&Snapshot::take(&env).await), Vec::<String>::new());
    let stored = env.tenantry(&["blueprint", "list", "--json"]).await.json();
    assert!(!stored.to_string().contains("\"words\""), "{stored}");
}

#[tokio::test]
async fn what_the_server_refuses_is_a_finding_with_its_line_as_often_as_it_takes() {
    let env = Env::new().await;
    let broken = "create table more (id int primary key);\n\ninsert into more\nvalues (1), (1);";
    let whole = folder(&env, "words").migration("broken", broken);
    for _ in 0..2 {
        let output = check(&env, &whole).await.assert_status(1);
        for says in ["V2__broken.sql:3: error[not_built]", "more_pkey", "23505"] {
            assert!(output.stdout.contains(says), "'{says}' is not in its answer\n{output}");
        }
    }
    let seed = folder(&env, "seeded").seed("insert into words values (1, null);");
    let output = check(&env, &seed).await.assert_status(1);
    assert!(output.stdout.contains("seed") && output.stdout.contains("not_built"), "{output}");
    // What reading tells is told first, and nothing is built then.
    let unread = Folder::new(&env.dir, "unread", "1.0").migration("role", "create role r;");
    let output = check(&env, &unread).await.assert_status(1);
    assert!(output.stdout.contains("role_statements") && !output.stdout.contains("built"), "{output}");
    let lacking = Folder::new(&env.dir, "lacking", "1.0").migration("lo", "create extension lo;");
    let output = check(&env, &lacking).await.assert_status(1);
    assert!(output.stdout.contains("error[missing_extension]"), "{output}");
    let nowhere = env.tenantry(&["blueprint", "check", lacking.path(), "--on", "nowhere"]).await;
    nowhere.assert_status(7).assert_says(&["nowhere"]);
}
