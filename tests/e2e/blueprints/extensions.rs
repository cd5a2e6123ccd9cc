//! Extensions that files create: the daemon installs those that PostgreSQL trusts it with, once for each database.

use futures::future::join_all;
use tenantry_harness::{Env, Folder};
use tenantry_protocol::isolation::Grade;

const WORDS: &str = "create extension if not exists \"uuid-ossp\" with schema public;
                     create extension citext;
                     create table words (id uuid primary key default uuid_generate_v4(), word citext not null);";
const FUZZY: &str =
    "create extension pg_trgm; create index words_fuzzy on words using gin ((word::text) gin_trgm_ops);";

async fn installed(env: &Env) -> Vec<String> {
    let mut target = env.target().await;
    let names = "select extname::text from pg_extension where extname <> 'plpgsql' order by 1";
    sqlx::query_scalar(names).fetch_all(&mut target).await.unwrap()
}

#[tokio::test]
async fn trusted_extensions_are_installed_with_the_first_tenants_that_need_them() {
    let env = Env::new().await;
    env.add_blueprint(Folder::new(&env.dir, "words", "1.0").migration("words", WORDS).path()).await;
    let plan = ["tenant", "create", "acme", "--blueprint", "words", "--plan"];
    let planned = env.tenantry(&plan).await.assert_status(0);
    assert!(planned.stdout.contains("citext is installed into tenantry_ext"), "{planned}");
    assert!(installed(&env).await.is_empty(), "a plan changes nothing");
    let made = join_all((0..4).map(|number| {
        let env = &env;
        async move { env.provision_of(&format!("crowd-{number}"), "words").await }
    }))
    .await;
    assert_eq!(installed(&env).await, ["citext", "uuid-ossp"]);
    let word = "insert into words (word) values ('Ada') returning word = 'ADA'";
    for tenant in &made {
        assert!(env.psql(&tenant.credentials, word).await.assert_status(0).stdout.starts_with('t'));
    }
    let planned = env.tenantry(&plan).await.assert_status(0);
    assert!(!planned.stdout.contains("is installed into"), "{planned}");
}

#[tokio::test]
async fn an_upgrade_and_its_rehearsal_install_what_the_version_adds() {
    let env = Env::new().await;
    let first = || Folder::new(&env.dir, "words", "1.0").migration("words", WORDS);
    env.add_blueprint(first().path()).await;
    env.provision_of("acme", "words").await;
    let second = Folder::new(&env.dir, "words", "1.1").migration("words", WORDS).migration("fuzzy", FUZZY);
    env.add_blueprint(second.path()).await;
    env.tenantry(&["blueprint", "upgrade", "words@1.1", "--plan", "--rehearse"]).await.assert_status(0);
    env.tenantry(&["tenant", "upgrade", "acme"]).await.assert_status(0);
    assert_eq!(installed(&env).await, ["citext", "pg_trgm", "uuid-ossp"]);
    env.tenantry(&["tenant", "drift", "acme"]).await.assert_status(0);
}

#[tokio::test]
async fn a_tenant_with_a_database_of_its_own_has_them_there_and_keeps_them_to_itself() {
    let env = Env::new().await;
    env.add_blueprint(Folder::new(&env.dir, "words", "1.0").in_databases().migration("words", WORDS).path())
        .await;
    let made = env.provision_of("acme", "words").await;
    let has = "select count(*) from pg_extension where extname in ('citext', 'uuid-ossp')";
    assert!(env.psql(&made.credentials, has).await.assert_status(0).stdout.starts_with('2'));
    assert!(installed(&env).await.is_empty(), "the target's own database needs none");
    let refused = env.psql(&made.credentials, "drop extension citext").await;
    refused.assert_says(&["must be owner of extension citext"]);
    let verified = env.tenantry(&["tenant", "verify", "acme", "--json"]).await.assert_status(0).json();
    // What is open to everybody on the server keeps it from an A.
    assert_eq!(verified["grade"], serde_json::json!(Grade::B), "{verified}");
    env.tenantry(&["tenant", "drift", "acme"]).await.assert_status(0);
}
