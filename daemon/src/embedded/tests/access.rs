//! Who can connect to the private cluster, and what each of its roles may do there.

use super::*;

#[tokio::test]
async fn the_superuser_is_reached_by_peer_only() {
    let place = Place::new();
    let options = ClusterOptions { listen: Some(free_address()), ..place.options() };
    let address = options.listen.unwrap();
    let cluster = Cluster::start(options).await.unwrap();
    execute(superuser(&cluster, "postgres"), "alter role tenantry_bootstrap password 'known'").await.unwrap();
    let tcp = |user: &str, password: &str, database: &str| {
        let url = format!("postgres://{user}:{password}@{address}/{database}?sslmode=disable");
        crate::config::Connection::parse(&url).unwrap().options()
    };
    let error = text(tcp("tenantry_bootstrap", "known", "postgres"), "select 'in'").await.unwrap_err();
    assert_eq!(sqlstate(&error), "28000", "{error}");
    let password = cluster.passwords.daemon.expose();
    let error = text(tcp("tenantry_daemon", password, "tenantry_control"), "select 'in'").await.unwrap_err();
    assert_eq!(sqlstate(&error), "28000", "the registry is not on TCP: {error}");
    let password = cluster.passwords.provisioner.expose();
    let inside = text(tcp("tenantry_provisioner", password, "tenantry_local"), "select 'in'").await;
    assert_eq!(inside.unwrap(), "in");
    let error =
        text(tcp("tenantry_provisioner", "wrong", "tenantry_local"), "select 'in'").await.unwrap_err();
    assert_eq!(sqlstate(&error), "28P01");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn the_roles_have_exactly_their_rights() {
    let place = Place::new();
    let cluster = place.start().await;
    let alter = "alter role tenantry_provisioner superuser; alter role tenantry_daemon createdb replication";
    execute(superuser(&cluster, "postgres"), alter).await.unwrap();
    execute(superuser(&cluster, "postgres"), "grant connect on database tenantry_local to public")
        .await
        .unwrap();
    drop(cluster);
    let cluster = place.start().await;
    let attributes = "select string_agg(concat_ws(' ', rolname, rolsuper, rolcreaterole, rolcreatedb, rolcanlogin, \
                      rolreplication, rolbypassrls), ', ' order by rolname) from pg_roles \
                      where rolname like 'tenantry%' and rolname <> 'tenantry_bootstrap'";
    let found = text(cluster.provisioner_options(), attributes).await.unwrap();
    let wanted = "tenantry_daemon f f f t f f, tenantry_owner f f f t f f, tenantry_provisioner f t t t f f";
    assert_eq!(found, wanted);

    let make = "create role stranger login password 'x'; create role tenant";
    execute(cluster.provisioner_options(), make).await.unwrap();
    for database in ["postgres", "template1", "tenantry_local", "tenantry_control"] {
        let options = socket_options(cluster.socket_dir(), cluster.port(), "stranger", "x", database);
        let state = sqlstate(&text(options, "select 'in'").await.unwrap_err());
        assert!(matches!(state.as_str(), "42501" | "28000"), "{database}: {state}");
    }
    let registry = cluster.provisioner_options().database(bootstrap::CONTROL_DATABASE);
    assert_eq!(sqlstate(&text(registry, "select 'in'").await.unwrap_err()), "28000");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn what_one_tenant_could_use_against_all_is_closed() {
    let place = Place::new();
    let cluster = place.start().await;
    let open = "select count(*)::text from pg_proc where has_function_privilege('public', oid, 'execute') and \
                (proname ~ '^pg_(try_)?advisory' or proname in ('pg_logical_emit_message', 'lo_creat', 'lo_create', \
                 'lo_from_bytea'))";
    assert_eq!(text(cluster.provisioner_options(), open).await.unwrap(), "0");
    // A tenant's own database is made from template1.
    execute(cluster.provisioner_options(), "create database own").await.unwrap();
    assert_eq!(text(cluster.provisioner_options().database("own"), open).await.unwrap(), "0");
    let lock = "select pg_advisory_xact_lock(1)::text || pg_try_advisory_lock(2)::text";
    assert_eq!(text(cluster.provisioner_options(), lock).await.unwrap(), "true");
    let message = "select pg_logical_emit_message(false, 'a', 'b')::text";
    let error = text(cluster.provisioner_options(), message).await.unwrap_err();
    assert_eq!(sqlstate(&error), "42501");
    let object = "select lo_create(0)::text";
    let error = text(cluster.provisioner_options(), object).await.unwrap_err();
    assert_eq!(sqlstate(&error), "42501");
    let limit = "create role small; alter role small set temp_file_limit = '1GB'; drop role small";
    execute(cluster.provisioner_options(), limit).await.unwrap();
    cluster.stop().await.unwrap();
}

/// The cluster of an earlier build has tenants' databases that were made before.
#[tokio::test]
async fn what_is_open_in_a_tenants_own_database_is_closed_at_the_next_start() {
    let place = Place::new();
    let cluster = place.start().await;
    execute(cluster.provisioner_options(), "create database own").await.unwrap();
    let open = "grant execute on function pg_catalog.lo_create(oid) to public";
    execute(superuser(&cluster, "own"), open).await.unwrap();
    let is_open = "select has_function_privilege('public', 'lo_create(oid)', 'execute')::text";
    assert_eq!(text(superuser(&cluster, "own"), is_open).await.unwrap(), "true");
    drop(cluster);
    let cluster = place.start().await;
    assert_eq!(text(superuser(&cluster, "own"), is_open).await.unwrap(), "false");
    let noted = "select shobj_description(oid, 'pg_database') from pg_database where datname = 'own'";
    assert_eq!(text(superuser(&cluster, "own"), noted).await.unwrap(), "tenantry: functions closed, 1");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_failing_statement_is_not_written_to_the_log() {
    let place = Place::new();
    let cluster = place.start().await;
    let failing = "create role tenantry_owner password 'hunter2'";
    assert!(execute(cluster.provisioner_options(), failing).await.is_err());
    assert!(text(cluster.provisioner_options(), "select 'hunter2'::int::text").await.is_err());
    let log = fs::read_to_string(&cluster.layout.log).unwrap();
    cluster.stop().await.unwrap();
    assert!(log.contains("already exists"), "{log}");
    assert!(!log.contains("create role"), "{log}");
}

/// A loopback address that nobody listens on at present.
fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
