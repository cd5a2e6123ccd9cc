//! What is open to everybody on a target's server, read back: databases, functions, schemas, and what tenants will make later.
//!
//! Each finding contains the exact statement that closes it, for an administrator to run. Nothing is changed here.

use sqlx::PgConnection;
use tenantry_protocol::plan::{Finding, Severity};

use crate::postgres::error::{Result, doing};
use crate::postgres::quote::identifier;
use crate::postgres::target::Ready;

/// At most this many statements are reported. The next check reports the next ones.
pub(super) const MOST: usize = 20;

/// For a function of `pg_catalog` that the server lets everybody call and that one tenant can use against all others, this is
/// the door of [`RISKS`] that it opens, else null.
pub const DOOR: &str = "\
(case when proname like 'pg\\_advisory\\_%' or proname like 'pg\\_try\\_advisory\\_%' then 'locks'
      when proname = 'pg_logical_emit_message' then 'messages'
      when proname in ('lo_creat', 'lo_create', 'lo_from_bytea') then 'large_objects' end)";

/// What tenants can do while a door is open.
const RISKS: [(&str, &str); 3] = [
    ("locks", "take advisory locks until the server's lock table is full"),
    ("messages", "write messages into its write-ahead log"),
    ("large_objects", "make large objects without end and give them to others' roles"),
];

/// The findings in the target's own database.
pub(in crate::postgres) async fn look(connection: &mut PgConnection, ready: &Ready) -> Result<Vec<Finding>> {
    let mut findings = databases(connection).await?;
    findings.extend(group_connects(connection, ready).await?);
    findings.push(functions(connection, &ready.database, "public_functions").await?);
    findings.extend(schemas(connection, &ready.database, "public_schemas").await?);
    findings.extend(future_functions(connection, &ready.database).await?);
    findings.extend(unlimited_logins(connection).await?);
    Ok(findings)
}

/// The findings in the template of tenants' own databases.
pub(super) async fn look_into_template(
    connection: &mut PgConnection,
    template: &str,
) -> Result<Vec<Finding>> {
    let mut findings = vec![functions(connection, template, "template_functions").await?];
    findings.extend(schemas(connection, template, "template_schemas").await?);
    Ok(findings)
}

async fn databases(connection: &mut PgConnection) -> Result<Vec<Finding>> {
    // A database whose ACL is null has the built-in default: CONNECT and TEMPORARY for PUBLIC.
    let open: Vec<(String, String)> = sqlx::query_as(
        "select d.datname::text, string_agg(a.privilege_type, ', ' order by a.privilege_type)
         from pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
         where d.datallowconn and a.grantee = 0 and a.privilege_type in ('CONNECT', 'TEMPORARY')
         group by d.datname order by d.datname",
    )
    .fetch_all(connection)
    .await
    .map_err(doing("read the privileges on databases"))?;
    if open.is_empty() {
        return Ok(vec![Finding::ok(
            "public_database",
            "nobody connects to a database by default".to_owned(),
        )]);
    }
    let finding = |(database, privileges): &(String, String)| {
        let statement =
            format!("revoke {} on database {} from public", privileges.to_lowercase(), identifier(database));
        let message = format!(
            "everybody has {privileges} on database {database}{}; an administrator runs: {statement}",
            risk(database, privileges)
        );
        Finding::warning("public_database", message)
    };
    Ok(open.iter().map(finding).collect())
}

/// What a tenant could do with these privileges.
fn risk(database: &str, privileges: &str) -> &'static str {
    match database {
        "template1" if privileges.contains("CONNECT") => {
            ": as long as a tenant has a session there, the server makes no database from it"
        }
        "postgres" if privileges.contains("CONNECT") => {
            ": tenants reach whatever administrators left there for everybody, and fill its temporary tables"
        }
        _ if privileges.contains("TEMPORARY") => {
            ": who connects there makes temporary tables, which temp_file_limit does not count"
        }
        _ => "",
    }
}

async fn group_connects(connection: &mut PgConnection, ready: &Ready) -> Result<Option<Finding>> {
    let connects: bool = sqlx::query_scalar("select has_database_privilege($1, $2, 'CONNECT')")
        .bind(&ready.group)
        .bind(&ready.database)
        .fetch_one(connection)
        .await
        .map_err(doing("read the group's privileges"))?;
    if connects {
        return Ok(None);
    }
    let message = format!(
        "the tenants' group cannot connect; an administrator runs: grant connect on database {} to {}",
        identifier(&ready.database),
        identifier(&ready.group)
    );
    Ok(Some(Finding { severity: Severity::Error, ..Finding::warning("group_connect", message) }))
}

async fn functions(connection: &mut PgConnection, database: &str, code: &str) -> Result<Finding> {
    let sql = format!(
        "select oid::regprocedure::text, {DOOR} from pg_proc
         where pronamespace = 'pg_catalog'::regnamespace and {DOOR} is not null
           and has_function_privilege('public', oid, 'EXECUTE') order by 1"
    );
    let (open, doors): (Vec<String>, Vec<String>) =
        sqlx::query_as::<_, (String, String)>(sqlx::AssertSqlSafe(sql))
            .fetch_all(connection)
            .await
            .map_err(doing("read the privileges on functions"))?
            .into_iter()
            .unzip();
    Ok(if open.is_empty() {
        let message = format!(
            "advisory locks, logical messages and large objects are closed to tenants in database {database}"
        );
        Finding::ok(code, message)
    } else {
        let risks = RISKS.iter().filter(|(door, _)| doors.iter().any(|open| open == door));
        let risks = risks.map(|(_, risk)| *risk).collect::<Vec<_>>().join(", and ");
        // A database that was already made does not follow its template any more.
        let before = match code {
            "template_functions" => {
                " (and so in every database that was made from it: what follows goes for each of them, too)"
            }
            _ => "",
        };
        Finding::warning(
            code,
            format!(
                "tenants can {risks}{before}; an administrator runs, connected to database {database}: revoke execute on function {} from public",
                open.join(", ")
            ),
        )
    })
}

/// If everybody may create objects in a schema, everybody's search path may find them.
async fn schemas(connection: &mut PgConnection, database: &str, code: &str) -> Result<Vec<Finding>> {
    let open: Vec<String> = sqlx::query_scalar(
        "select nspname::text from pg_namespace n
         where nspname !~ '^pg_' and has_schema_privilege('public', n.oid, 'CREATE') order by 1",
    )
    .fetch_all(connection)
    .await
    .map_err(doing("read the privileges on schemas"))?;
    if open.is_empty() {
        let message = format!("nobody creates objects in a schema by default in database {database}");
        return Ok(vec![Finding::ok(code, message)]);
    }
    let finding = |schema: &String| {
        let schema = identifier(schema);
        let message = format!(
            "everybody creates objects in schema {schema}; an administrator runs, connected to database {database}: revoke \
             create on schema {schema} from public"
        );
        Finding::warning(code, message)
    };
    Ok(open.iter().map(finding).collect())
}

/// Everybody can call a function from the moment it is made, unless its owner's default privileges say otherwise for all
/// schemas. If they do so for one schema, the server accepts the statement, and it has no effect.
async fn future_functions(connection: &mut PgConnection, database: &str) -> Result<Vec<Finding>> {
    let open: Vec<String> = sqlx::query_scalar(
        "select p.placement from tenantry.placement p
         where p.kind in ('tenant', 'pool') and p.state in ('active', 'suspended')
           and to_regnamespace(p.placement) is not null and to_regrole(p.placement) is not null
           and not exists (
             select from pg_default_acl d
             where d.defaclrole = to_regrole(p.placement) and d.defaclnamespace = 0 and d.defaclobjtype = 'f'
               and not exists (select from aclexplode(d.defaclacl) where grantee = 0))
         order by 1",
    )
    .fetch_all(connection)
    .await
    .map_err(doing("read the default privileges on functions"))?;
    if open.is_empty() {
        let message = "functions that tenants get later are closed to the others".to_owned();
        return Ok(vec![Finding::ok("future_functions", message)]);
    }
    let finding = |owner: &String| {
        let message = format!(
            "functions that {owner} gets later are everybody's to call; an administrator runs, connected to database \
             {database}: alter default privileges for role {0} revoke execute on functions from public",
            identifier(owner)
        );
        Finding::warning("future_functions", message)
    };
    Ok(open.iter().take(MOST).map(finding).collect())
}

/// Without a limit, one tenant could take all connections of the server.
async fn unlimited_logins(connection: &mut PgConnection) -> Result<Vec<Finding>> {
    let open: Vec<String> = sqlx::query_scalar(
        "select r.rolname::text from tenantry.placement p
         join pg_roles r on r.rolname in (p.placement || '_a', p.placement || '_b')
         where p.kind = 'tenant' and p.state in ('active', 'suspended') and r.rolconnlimit < 0 order by 1",
    )
    .fetch_all(connection)
    .await
    .map_err(doing("read the connection limits"))?;
    let finding = |role: &String| {
        let message = format!(
            "the login {role} has no connection limit; an administrator runs: alter role {} connection limit 20",
            identifier(role)
        );
        Finding::warning("unlimited_login", message)
    };
    Ok(open.iter().take(MOST).map(finding).collect())
}
