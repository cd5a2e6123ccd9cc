//! The work that needs a superuser, done once per start over a peer connection: the roles, the databases, and the rights that
//! a provisioner cannot grant or revoke itself.
//!
//! Invariant: afterwards the roles have exactly these attributes, whatever was done to them before, and their passwords exist
//! only in this process. Nothing here runs on objects of tenants, because their code would run as the superuser.

use rand::RngExt;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::EmbeddedError;
use crate::config::Secret;
use crate::postgres::preparation::exposure::DOOR;

pub(super) const SUPERUSER: &str = "tenantry_bootstrap";
pub(super) const OWNER_ROLE: &str = "tenantry_owner";
pub(super) const DAEMON_ROLE: &str = "tenantry_daemon";
pub(super) const PROVISIONER_ROLE: &str = "tenantry_provisioner";
pub(super) const CONTROL_DATABASE: &str = "tenantry_control";
pub(super) const TARGET_DATABASE: &str = "tenantry_local";
/// The database for superuser connections that need no other database.
pub(super) const MAINTENANCE_DATABASE: &str = "postgres";

/// The source of the template for tenants' own databases.
const SOURCE_DATABASE: &str = "template1";

/// Marks a database of a tenant as one whose functions are closed. Looking into each database takes a connection, and there
/// can be thousands of them. The number changes whenever more functions are closed.
const CLOSED: &str = "tenantry: functions closed, 1";

/// Every attribute that is not named here is taken away.
const PLAIN: &str = "login inherit nosuperuser nocreaterole nocreatedb noreplication nobypassrls";
const PROVISIONING: &str = "login inherit nosuperuser createrole createdb noreplication nobypassrls";

/// The passwords of this start.
#[derive(Debug, Clone)]
pub(super) struct Passwords {
    pub(super) owner: Secret,
    pub(super) daemon: Secret,
    pub(super) provisioner: Secret,
}

impl Passwords {
    pub(super) fn generate() -> Self {
        let fresh = || Secret::new(data_encoding::HEXLOWER.encode(&rand::rng().random::<[u8; 32]>()));
        Self { owner: fresh(), daemon: fresh(), provisioner: fresh() }
    }
}

/// Brings the roles and databases into their intended state. This is quick if they are in that state already.
pub(super) async fn run(
    superuser: impl Fn(&str) -> PgConnectOptions,
    passwords: &Passwords,
) -> Result<(), EmbeddedError> {
    let at = |step| move |source| EmbeddedError::Prepare { step, source };
    let options = superuser(MAINTENANCE_DATABASE);
    let mut connection =
        PgConnection::connect_with(&options).await.map_err(at("connecting as the superuser"))?;
    roles(&mut connection, passwords).await.map_err(at("making the roles"))?;
    databases(&mut connection).await.map_err(at("making the databases"))?;
    rights(&mut connection).await.map_err(at("setting the databases' rights"))?;
    for database in [TARGET_DATABASE, SOURCE_DATABASE] {
        close_functions(superuser(database)).await.map_err(at("closing functions to tenants"))?;
    }
    for database in unclosed(&mut connection).await.map_err(at("looking for databases of tenants"))? {
        // A database that cannot be entered does not prevent the start. The next start tries again, and
        // the tenant's report says so.
        let closed = async {
            close_functions(superuser(&database)).await?;
            note_closed(&mut connection, &database).await
        };
        if let Err(error) = closed.await {
            tracing::warn!(database, %error, "the functions of a tenant's database could not be closed");
        }
    }
    connection.close().await.map_err(at("closing the superuser's connection"))
}

/// Closes the functions in one database.
async fn close_functions(superuser: PgConnectOptions) -> Result<(), sqlx::Error> {
    // Unqualified names find only the server's own objects, whatever a tenant has made there.
    let options = superuser.options([("search_path", "pg_catalog")]);
    let mut connection = PgConnection::connect_with(&options).await?;
    functions(&mut connection).await?;
    connection.close().await
}

/// Tenants' own databases and their templates that are not known to be closed. An earlier build made them, or they
/// were made since the last start.
async fn unclosed(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select d.datname::text from pg_database d join pg_roles r on r.oid = d.datdba \
         where r.rolname = $1 and d.datname <> $2 and d.datallowconn and d.datconnlimit <> -2 \
           and shobj_description(d.oid, 'pg_database') is distinct from $3 order by d.oid",
    )
    .bind(PROVISIONER_ROLE)
    .bind(TARGET_DATABASE)
    .bind(CLOSED)
    .fetch_all(connection)
    .await
}

async fn note_closed(connection: &mut PgConnection, database: &str) -> Result<(), sqlx::Error> {
    let statement: String = sqlx::query_scalar("select format('comment on database %I is %L', $1, $2)")
        .bind(database)
        .bind(CLOSED)
        .fetch_one(&mut *connection)
        .await?;
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.map(drop)
}

/// The server's version as it reports it, and the hash of the settings that it runs with. There is no hash if the
/// settings are not from this daemon.
pub(super) async fn identify(superuser: PgConnectOptions) -> Result<(String, Option<String>), sqlx::Error> {
    let mut connection = PgConnection::connect_with(&superuser).await?;
    let row = sqlx::query_as(
        "select split_part(current_setting('server_version'), ' ', 1), \
                current_setting('tenantry.configuration', true)",
    )
    .fetch_one(&mut connection)
    .await?;
    connection.close().await?;
    Ok(row)
}

async fn roles(connection: &mut PgConnection, passwords: &Passwords) -> Result<(), sqlx::Error> {
    let roles = [
        (OWNER_ROLE, PLAIN, &passwords.owner),
        (DAEMON_ROLE, PLAIN, &passwords.daemon),
        (PROVISIONER_ROLE, PROVISIONING, &passwords.provisioner),
    ];
    let mut transaction = connection.begin().await?;
    for (role, attributes, password) in roles {
        let verifier = postgres_protocol::password::scram_sha_256(password.expose().as_bytes());
        // The server does the quoting. An existing role is corrected with the same attributes.
        let statement: String = sqlx::query_scalar(
            "select format('%s role %I %s connection limit -1 valid until ''infinity'' password %L', \
                           case when exists (select from pg_roles where rolname = $1) then 'alter' else 'create' end, \
                           $1, $2, $3)",
        )
        .bind(role)
        .bind(attributes)
        .bind(verifier)
        .fetch_one(&mut *transaction)
        .await?;
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

async fn databases(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    for (database, owner) in [(CONTROL_DATABASE, OWNER_ROLE), (TARGET_DATABASE, PROVISIONER_ROLE)] {
        let statement: Option<String> = sqlx::query_scalar(
            "select case \
                 when d.oid is null then format('create database %I owner %I template template0', $1, $2) \
                 when r.rolname is distinct from $2 then format('alter database %I owner to %I', $1, $2) \
             end \
             from (values (1)) as one \
             left join pg_database d on d.datname = $1 \
             left join pg_roles r on r.oid = d.datdba",
        )
        .bind(database)
        .bind(owner)
        .fetch_one(&mut *connection)
        .await?;
        if let Some(statement) = statement {
            // Not in a transaction, because the server refuses CREATE DATABASE in one.
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

/// Nobody may connect to a database by default; the registry's role may connect to the registry. The temporary files of
/// tenants can be limited (`temp_file_limit` needs a superuser's permission). The daemon can connect when tenants have taken
/// all connections, if the server can reserve some (from version 16 on).
async fn rights(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let statements: Vec<String> = sqlx::query_scalar(
        "select format('revoke connect, temporary on database %I from public', datname) from pg_database \
         where datname in ('postgres', 'template1', $1, $2) \
           and (has_database_privilege('public', oid, 'connect') or has_database_privilege('public', oid, 'temporary')) \
         union all \
         select format('grant connect on database %I to %I', $1, $3) \
         where not has_database_privilege($3, $1, 'connect') or has_database_privilege('public', $1, 'connect') \
         union all \
         select format('grant set on parameter temp_file_limit to %I', $4) \
         where not has_parameter_privilege($4, 'temp_file_limit', 'set') \
         union all \
         select format('grant pg_use_reserved_connections to %I', daemon) \
         from pg_roles r, unnest(array[$3, $4]) as daemon \
         where r.rolname = 'pg_use_reserved_connections' and not pg_has_role(daemon, r.oid, 'member')",
    )
    .bind(CONTROL_DATABASE)
    .bind(TARGET_DATABASE)
    .bind(DAEMON_ROLE)
    .bind(PROVISIONER_ROLE)
    .fetch_all(&mut *connection)
    .await?;
    for statement in statements {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Closes the functions that one tenant could use against all others. Advisory locks can fill the server's lock table,
/// logical messages can fill its log, and large objects can flood the roles of others with privileges. The provisioner
/// keeps the functions for locks.
async fn functions(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let sql = format!(
        "with dangerous as (\
             select oid, oid::regprocedure as signature, {DOOR} = 'locks' as locks from pg_proc \
             where pronamespace = 'pg_catalog'::regnamespace and {DOOR} is not null) \
         select format('revoke execute on function %s from public', signature) from dangerous \
         where has_function_privilege('public', oid, 'execute') \
         union all \
         select format('grant execute on function %s to %I', signature, $1) from dangerous \
         where locks and (not has_function_privilege($1, oid, 'execute') \
                          or has_function_privilege('public', oid, 'execute'))"
    );
    let statements: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(sql)).bind(PROVISIONER_ROLE).fetch_all(&mut *connection).await?;
    if statements.is_empty() {
        return Ok(());
    }
    sqlx::raw_sql(AssertSqlSafe(statements.join(";\n"))).execute(connection).await?;
    Ok(())
}
