//! What `target check` finds open on a server: each finding has the statement that closes it, which is run here verbatim.

use std::collections::BTreeSet;

use tenantry_harness::{Cluster, Env, Folder, Version};
use tenantry_protocol::isolation::{Grade, IsolationReport};
use tenantry_protocol::plan::{Finding, Severity};

const STATEMENT: &str = "an administrator runs";

async fn check(env: &Env) -> Vec<Finding> {
    let checked = env.tenantry(&["target", "check", "local", "--json"]).await.assert_status(0).json();
    serde_json::from_value(checked["targets"][0]["findings"].clone()).unwrap()
}

/// The codes of the findings that are not in order.
fn open(findings: &[Finding]) -> BTreeSet<&str> {
    let open = findings.iter().filter(|finding| finding.severity != Severity::Ok);
    open.map(|finding| finding.code.as_str()).collect()
}

/// The database to connect to, and the statement that the finding names.
fn remedy<'a>(env: &'a Env, finding: &'a Finding) -> (&'a str, &'a str) {
    let (_, told) =
        finding.message.split_once(STATEMENT).unwrap_or_else(|| panic!("no statement: {finding:?}"));
    let (place, statement) = told.split_once(": ").unwrap();
    let database =
        place.split_once("connected to database ").map(|(_, name)| name.split(' ').next().unwrap());
    (database.unwrap_or(&env.target_db), statement)
}

async fn grade(env: &Env, slug: &str) -> Grade {
    let verified = env.tenantry(&["tenant", "verify", slug, "--json"]).await.json();
    serde_json::from_value::<IsolationReport>(verified["report"].clone()).unwrap().grade()
}

async fn what_stands_open_is_told_with_the_statement_that_closes_it(version: Version) {
    let env = Env::on(Cluster::private(version)).await;
    let bound = format!("grant set on parameter temp_file_limit to {}", env.provisioner);
    env.cluster.execute("postgres", bound).await;
    let databases = Folder::new(&env.dir, "databases", "1.0")
        .migration("one", "create table one (id int primary key);")
        .in_databases();
    env.add_blueprint(databases.path()).await;
    let acme = env.provision("acme").await.tenant.placement;
    // As the server's package sets it up; there is no template yet.
    let newer = (version == Version::V18).then_some("reserved_connections");
    let expected = ["public_database", "public_functions"].into_iter().chain(newer);
    assert_eq!(open(&check(&env).await), expected.collect());
    env.provision_of("globex", "databases").await;
    let mut target = env.target().await;
    let template = "select datname::text from pg_database where datname like 'tenantry\\_template\\_%'";
    let template: String = sqlx::query_scalar(template).fetch_one(&mut target).await.unwrap();
    // As administrators leave it later.
    let owned = format!(
        "grant create on schema public to public; alter role {acme}_b connection limit -1;
         alter default privileges for role {acme} grant execute on functions to public"
    );
    env.cluster.execute(&env.target_db, owned).await;
    env.cluster.execute(&template, "grant create on schema public to public".to_owned()).await;

    let found = check(&env).await;
    let expected = [
        "future_functions",
        "public_database",
        "public_functions",
        "public_schemas",
        "template_functions",
        "template_schemas",
        "unlimited_login",
    ];
    assert_eq!(open(&found), expected.into_iter().chain(newer).collect(), "{found:#?}");
    for (database, risk) in [
        ("template1", "the server makes no database from it"),
        ("postgres", "whatever administrators left there"),
    ] {
        let says = |finding: &&Finding| finding.message.contains(&format!("on database {database}: "));
        let message = &found.iter().find(says).expect(database).message;
        assert!(message.contains(risk), "{message}");
    }
    assert_eq!(grade(&env, "globex").await, Grade::B);
    for finding in found.iter().filter(|finding| finding.severity != Severity::Ok) {
        let (database, statement) = remedy(&env, finding);
        env.cluster.execute(database, statement.to_owned()).await;
    }
    let closed = check(&env).await;
    assert_eq!(open(&closed), BTreeSet::new(), "{closed:#?}");
    // A database that is made from now on is closed, and the report of an earlier one says what it lacks.
    env.provision_of("initech", "databases").await;
    assert_eq!(grade(&env, "initech").await, Grade::A);
    assert_eq!(grade(&env, "acme").await, Grade::A);
    assert_eq!(grade(&env, "globex").await, Grade::B);
}

#[tokio::test]
async fn what_stands_open_is_told_with_the_statement_that_closes_it_on_the_packaged_postgresql() {
    what_stands_open_is_told_with_the_statement_that_closes_it(Version::Packaged).await;
}

#[tokio::test]
async fn what_stands_open_is_told_with_the_statement_that_closes_it_on_postgresql_18() {
    what_stands_open_is_told_with_the_statement_that_closes_it(Version::V18).await;
}

/// For a single schema, the server accepts the statement and does nothing.
#[tokio::test]
async fn default_privileges_that_hold_for_one_schema_alone_are_no_closed_door() {
    let env = Env::on(Cluster::private(Version::Packaged)).await;
    let acme = env.provision("acme").await.tenant.placement;
    let only_there = format!(
        "alter default privileges for role {acme} grant execute on functions to public;
         alter default privileges for role {acme} in schema {acme} revoke execute on functions from public"
    );
    env.cluster.execute(&env.target_db, only_there).await;
    let found = check(&env).await;
    let finding = found.iter().find(|finding| finding.code == "future_functions").unwrap();
    assert!(finding.message.contains(acme.as_str()), "{finding:?}");
}
