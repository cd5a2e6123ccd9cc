//! The bound on a tenant's temporary files: set if an administrator lets the daemon set it, reported if not, and no tenant
//! can lift it.

use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use tenantry_harness::{Cluster, Env, Folder, Output, Provisioned, Version};
use tenantry_protocol::tenant::Credentials;

const GRANT: &str = "grant set on parameter temp_file_limit to ";
/// Some 30 MB, whatever `work_mem` a tenant gives itself.
const SPILLS: &str = "set work_mem = '64kB'; select count(*) from generate_series(1, 2000000)";

async fn create(env: &Env, slug: &str, blueprint: &str, setting: &str) -> Provisioned {
    let create = ["tenant", "create", slug, "--blueprint", blueprint, "--set", setting, "--json"];
    Provisioned::from(&env.tenantry(&create).await.assert_status(0).json())
}

async fn let_provisioner_set_it(env: &Env) {
    env.cluster.execute("postgres", format!("{GRANT}{}", env.provisioner)).await;
}

async fn limit(env: &Env, login: &Credentials) -> String {
    env.psql(login, "show temp_file_limit").await.assert_status(0).stdout.trim().to_owned()
}

async fn check(env: &Env) -> Output {
    env.tenantry(&["target", "check", "local"]).await.assert_status(0)
}

fn assert_tells(output: &Output, texts: &[&str]) {
    for text in texts {
        assert!(output.stdout.contains(text), "'{text}' is not told\n{output}");
    }
}

async fn no_tenant_lifts_the_bound_of_its_temporary_files(version: Version) {
    let env = Env::on(Cluster::private(version)).await;
    let_provisioner_set_it(&env).await;
    let databases = Folder::new(&env.dir, "databases", "1.0")
        .migration("one", "create table one (id int primary key);")
        .in_databases();
    env.add_blueprint(databases.path()).await;
    for (slug, blueprint) in [("own-schema", "projects"), ("shared", "ledger"), ("own-database", "databases")]
    {
        let made = create(&env, slug, blueprint, "temp_file_limit_mb=16").await;
        let login = &made.credentials;
        assert_eq!(limit(&env, login).await, "16MB", "{slug}");
        env.psql(login, SPILLS).await.assert_status(1).assert_says(&["53400", "temp_file_limit"]);
        for lift in [
            "set temp_file_limit = -1",
            "set local temp_file_limit = '1GB'",
            "reset temp_file_limit",
            "select set_config('temp_file_limit', '-1', false)",
            "alter role current_user set temp_file_limit = -1",
            "alter role current_user reset temp_file_limit",
        ] {
            env.psql(login, lift).await.assert_status(1).assert_says(&["42501"]);
        }
        // The tenant may reset its own settings, and no more.
        env.psql(login, "alter role current_user reset all; discard all; reset all").await;
        assert_eq!(limit(&env, login).await, "16MB", "{slug}");
        let start = PgConnectOptions::new()
            .socket(&login.host)
            .port(login.port)
            .username(&login.role)
            .password(login.password.as_deref().unwrap())
            .database(&login.database)
            .options([("temp_file_limit", "-1")]);
        let refused = start.connect().await.unwrap_err();
        assert_eq!(refused.as_database_error().unwrap().code().as_deref(), Some("42501"), "{refused}");
        // The other login has the same bound, and an update changes both.
        env.tenantry(&["tenant", "update", slug, "--set", "temp_file_limit_mb=200"]).await.assert_status(0);
        env.psql(login, SPILLS).await.assert_status(0);
        let rotated =
            env.tenantry(&["tenant", "credentials", slug, "rotate", "--json"]).await.assert_status(0).json();
        let other: Credentials = serde_json::from_value(rotated["credentials"].clone()).unwrap();
        assert_eq!((limit(&env, login).await, limit(&env, &other).await), ("200MB".into(), "200MB".into()));
        env.rollback(slug).await;
        env.assert_clean_slate(&made.tenant.placement).await;
    }
}

#[tokio::test]
async fn no_tenant_lifts_the_bound_of_its_temporary_files_on_the_packaged_postgresql() {
    no_tenant_lifts_the_bound_of_its_temporary_files(Version::Packaged).await;
}

#[tokio::test]
async fn no_tenant_lifts_the_bound_of_its_temporary_files_on_postgresql_18() {
    no_tenant_lifts_the_bound_of_its_temporary_files(Version::V18).await;
}

#[tokio::test]
async fn where_the_bound_cannot_be_set_plan_and_check_give_the_statement_that_an_administrator_runs() {
    let env = Env::on(Cluster::private(Version::Packaged)).await;
    let plan = ["tenant", "create", "acme", "--blueprint", "projects@1.0", "--plan", "--json"];
    let open = env.tenantry(&plan).await.assert_status(0);
    assert_tells(&open, &["unbounded_temp_files", GRANT, "set temp_file_limit = '{temp_file_limit_mb}MB'"]);
    let acme = env.provision("acme").await;
    assert_eq!(limit(&env, &acme.credentials).await, "-1", "a tenant is made all the same");
    let told = check(&env).await;
    let mend = told.stdout.lines().find_map(|line| Some(&line[line.find(GRANT)?..])).expect("a statement");
    env.cluster.execute("postgres", mend.to_owned()).await;

    // The bound applies from now on; existing tenants without it are named.
    let globex = env.provision("globex").await;
    assert_eq!(limit(&env, &globex.credentials).await, "1GB");
    let told = check(&env).await;
    assert_tells(&told, &["of 1 tenants", acme.tenant.placement.as_str(), "--set temp_file_limit_mb="]);
    assert!(!told.stdout.contains(globex.tenant.placement.as_str()), "{told}");
    env.tenantry(&["tenant", "update", "acme", "--set", "temp_file_limit_mb=1024"]).await.assert_status(0);
    assert_eq!(limit(&env, &acme.credentials).await, "1GB");
    assert_tells(&check(&env).await, &["tenants' logins are bounded"]);
    let plan = ["tenant", "create", "initech", "--blueprint", "projects@1.0", "--plan", "--json"];
    let closed = env.tenantry(&plan).await.assert_status(0);
    assert!(!closed.stdout.contains("unbounded_temp_files"), "{closed}");
}
