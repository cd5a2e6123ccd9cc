//! The canary: a tenant of nobody's on every target, so that even the first customer's probes have a victim.

use sqlx::Row as _;
use tenantry_protocol::id::OperationId;
use tenantry_protocol::name::PlacementName;

use super::bookkeeping::{self, Mark, Owner};
use super::error::{Error, Result, doing};
use super::runner::{Build, File, FileError};
use super::secret::Password;
use super::target::{Ready, Target};
use super::{quote, tenant_ddl};

const STATEMENTS: [&str; 2] = [
    "create table record (id bigint constraint record_pk primary key, note text not null)",
    "insert into record (id, note) values (1, 'nobody but the canary reads this'), (2, 'and nobody changes it')",
];

/// The canary's placement, made if it is missing.
pub async fn ensure(target: &Target, ready: &Ready) -> Result<PlacementName> {
    let found: Option<String> = {
        let mut connection = target.acquire().await?;
        sqlx::query_scalar(
            "select placement from tenantry.placement where kind = 'canary' and state <> 'removed'",
        )
        .fetch_optional(&mut *connection)
        .await
        .map_err(doing("look for the canary"))?
    };
    match found {
        Some(name) => PlacementName::parse(&name)
            .map_err(|error| Error::Corrupt { what: "the canary's name", why: error.to_string() }),
        None => make(target, ready).await,
    }
}

/// Everything that an attack on the canary could change, as one text: rows, columns, owners, privileges.
pub async fn fingerprint(target: &Target, canary: &PlacementName) -> Result<String> {
    let sql = quote::render(FINGERPRINT, &[("canary", quote::Value::Placement(canary))]);
    let mut connection = target.acquire().await?;
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(canary.as_str())
        .fetch_one(&mut *connection)
        .await
        .and_then(|row| row.try_get(0))
        .map_err(doing("take the canary's fingerprint"))
}

/// What is in the schema is read from the dependencies on it, which are indexed: a scan of the catalog would make each
/// verification slower with every tenant that is there.
const FINGERPRINT: &str = "
    with inside as materialized (
        select d.classid, d.objid from pg_depend d
        where d.refclassid = 'pg_namespace'::regclass and d.refobjid = (select oid from pg_namespace where nspname = $1)),
    relations as materialized (
        select c.* from inside i join pg_class c on c.oid = i.objid where i.classid = 'pg_class'::regclass)
    select concat_ws('|',
        (select string_agg(id || ':' || note, ',' order by id) from {canary}.record),
        (select string_agg(concat_ws(':', classid, objid), ',' order by classid, objid) from inside),
        (select string_agg(concat_ws(':', oid, relname, relkind, relowner, relfilenode, relacl), ',' order by oid)
         from relations),
        (select string_agg(concat_ws(':', a.attrelid, a.attname, a.atttypid), ',' order by a.attrelid, a.attnum)
         from relations r join pg_attribute a on a.attrelid = r.oid),
        (select count(*) from relations r join pg_trigger t on t.tgrelid = r.oid),
        n.nspowner, n.nspacl)
    from pg_namespace n where n.nspname = $1";

async fn make(target: &Target, ready: &Ready) -> Result<PlacementName> {
    // Made once for a target, by whichever daemon comes first: no epoch fences it.
    let mark = Mark { build: OperationId::generate(), fence: 0 };
    let mut build = Build::begin(target.site(), ready, mark, &ready.canary, Owner::Canary).await?;
    build.create_roles(0, &Password::generate().brief_verifier()).await?;
    build.create_schema().await?;
    let statements = STATEMENTS.map(str::to_owned);
    let file = File { path: "canary.sql", checksum: "built in", statements: &statements };
    build.apply(file).await.map_err(|error| match error {
        FileError::Database(error) => error,
        other => Error::Refused(format!("the canary cannot be made: {other}")),
    })?;
    build.open_canary().await?;
    build.commit(target.site()).await?;
    let mut connection = target.acquire().await?;
    let close =
        quote::render(tenant_ddl::CLOSE_PROBE, &[("placement", quote::Value::Placement(&ready.canary))]);
    sqlx::raw_sql(sqlx::AssertSqlSafe(close))
        .execute(&mut *connection)
        .await
        .map_err(doing("close the canary's login"))?;
    bookkeeping::set_state(&mut connection, mark.build, "active").await?;
    Ok(ready.canary.clone())
}
