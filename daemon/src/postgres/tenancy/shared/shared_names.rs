//! What somebody made in the name of a role that tenants only share: the target's group, or the role that all tenants of a
//! pool are members of. Any of them could have made it. Nobody can tell who did, and none of the others is responsible for it.
//!
//! Invariant: no code of any role runs here, and no content is lost. Default privileges return to the server's own. A large
//! object, which every member could write to, belongs to the daemon until somebody looks at it.

use std::collections::BTreeSet;

use sqlx::{Connection as _, PgConnection};
use tenantry_protocol::name::PlacementName;
use tenantry_protocol::plan::Finding;

use crate::postgres::connections::execute::execute;
use crate::postgres::error::{Result, doing};
use crate::postgres::quote::identifier;
use crate::postgres::target::{Ready, Target};

/// Statements in one transaction, and the number of such transactions at a time. The next time continues with what is left.
const A_BATCH: usize = 500;
const BATCHES: usize = 20;
/// How many large objects a finding names.
const TOLD: i64 = 5;

/// Removes it, before the isolation of any tenant is judged by it. Returns how much there was. What the server refuses is
/// left.
pub async fn take_away(target: &Target, ready: &Ready, pool: Option<&PlacementName>) -> Result<usize> {
    let roles = roles(ready, pool);
    let mut connection = target.acquire().await?;
    let mut taken = 0;
    for _ in 0..BATCHES {
        let listed = listed(&mut connection, ready, &roles).await?;
        if listed.is_empty() {
            break;
        }
        match run(&mut connection, ready, &listed).await {
            Ok(()) => taken += listed.len(),
            Err(error) if error.is_unreachable() => return Err(error),
            Err(_) => {
                // One of them was refused, and the others need not wait for it.
                taken += one_by_one(&mut connection, ready, &listed).await?;
                break;
            }
        }
    }
    if taken > 0 {
        let roles = roles.join(", ");
        tracing::warn!(taken, %roles, "took away what somebody made in the name of a role that tenants share");
    }
    Ok(taken)
}

async fn one_by_one(connection: &mut PgConnection, ready: &Ready, takings: &[SharedRepair]) -> Result<usize> {
    let mut taken = 0;
    for taking in takings {
        match run(connection, ready, std::slice::from_ref(taking)).await {
            Ok(()) => taken += 1,
            Err(error) if error.is_unreachable() => return Err(error),
            Err(error) => {
                tracing::warn!(error = %error.explain(), "what was made in the name of a shared role is left");
                if error.is_passing() {
                    break;
                }
            }
        }
    }
    Ok(taken)
}

/// The roles that tenants share.
pub(in crate::postgres) fn roles(ready: &Ready, pool: Option<&PlacementName>) -> Vec<String> {
    pool.map(|pool| format!("{pool}_app")).into_iter().chain([ready.group.clone()]).collect()
}

/// The role in whose name something was made, and the statements that correct it.
type SharedRepair = (String, String);

async fn listed(connection: &mut PgConnection, ready: &Ready, roles: &[String]) -> Result<Vec<SharedRepair>> {
    sqlx::query_as(TAKINGS)
        .bind(roles)
        .bind(&ready.provisioner)
        .bind(i64::try_from(A_BATCH).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await
        .map_err(doing("list what was made in the name of shared roles"))
}

async fn run(connection: &mut PgConnection, ready: &Ready, takings: &[SharedRepair]) -> Result<()> {
    let roles: BTreeSet<&str> = takings.iter().map(|(role, _)| role.as_str()).collect();
    // Any tenant could keep such a row locked, so the wait is short. Two transactions at a time would grant the same
    // membership.
    let mut sql = vec![
        "set local lock_timeout = '250ms'".to_owned(),
        "select from tenantry.target_identity for no key update".to_owned(),
    ];
    sql.extend(roles.iter().map(|role| ready.join(role)));
    sql.extend(takings.iter().map(|(_, statements)| statements.clone()));
    sql.extend(roles.iter().map(|role| ready.leave(role)));
    let mut tx = connection.begin().await.map_err(doing("begin to take away what shared roles have"))?;
    execute(&mut tx, sql.join(";\n"), "take away what shared roles have").await?;
    tx.commit().await.map_err(doing("commit what was taken from shared roles"))
}

/// What remains of it on the target. This is advice, and not a verdict about a tenant.
pub(in crate::postgres) async fn look(connection: &mut PgConnection, ready: &Ready) -> Result<Vec<Finding>> {
    let changed: Vec<String> = sqlx::query_scalar(
        "select distinct pg_get_userbyid(defaclrole)::text from pg_default_acl
         where defaclrole = to_regrole(quote_ident($1)) or exists (
             select from tenantry.pool where to_regrole(quote_ident(placement || '_app')) = defaclrole)
         order by 1 limit $2",
    )
    .bind(&ready.group)
    .bind(TOLD)
    .fetch_all(&mut *connection)
    .await
    .map_err(doing("look for default privileges of shared roles"))?;
    let (kept, some): (i64, Option<String>) = sqlx::query_as(
        "select count(*), string_agg(objid::text, ', ' order by objid) filter (where number <= $2)
         from (select objid, row_number() over (order by objid) as number from pg_shdepend
               where refclassid = 'pg_authid'::regclass and refobjid = to_regrole(quote_ident($1)) and deptype = 'o'
                 and classid = 'pg_largeobject'::regclass
                 and dbid = (select oid from pg_database where datname = current_database())) kept",
    )
    .bind(&ready.provisioner)
    .bind(TOLD)
    .fetch_one(connection)
    .await
    .map_err(doing("look for large objects of shared roles"))?;
    let defaults = |role: &String| {
        let message = format!(
            "a tenant changed the default privileges of {}, which tenants only share: nobody has anything from it, and the next \
             verification takes it away",
            identifier(role)
        );
        Finding::warning("shared_names", message)
    };
    let mut findings: Vec<Finding> = changed.iter().map(defaults).collect();
    if let Some(some) = some {
        let message = format!(
            "{kept} large objects were made in the name of a role that tenants share, and belong to the daemon's since: {some}{}; \
             look at them, and remove each with: select lo_unlink(OID)",
            if kept > TOLD { " and others" } else { "" }
        );
        findings.push(Finding::warning("shared_names", message));
    }
    Ok(findings)
}

/// For all schemas, granted privileges are revoked, and then the server's own are restored, so that the entry disappears.
const TAKINGS: &str = "
    with shared as materialized (select oid, rolname from pg_roles where rolname = any($1)),
    changed as (
        select rolname, d.*, case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions'
                when 'T' then 'types' when 'n' then 'schemas' else 'large objects' end as kind, (
            select string_agg(distinct case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end, ', ')
            from aclexplode(d.defaclacl)) as grantees
        from shared join pg_default_acl d on d.defaclrole = shared.oid)
    select rolname::text, concat_ws('; ',
        format('alter default privileges for role %I%s revoke all on %s from ', rolname,
               ' in schema ' || quote_ident(n.nspname), kind) || grantees,
        case when defaclnamespace = 0 then format('alter default privileges for role %1$I grant all on %2$s to %1$I', rolname, kind) end,
        case when defaclnamespace = 0 and defaclobjtype in ('f', 'T')
             then format('alter default privileges for role %I grant all on %s to public', rolname, kind) end)
    from changed left join pg_namespace n on n.oid = defaclnamespace
    where grantees is not null or defaclnamespace = 0
    union all
    select rolname::text, concat_ws('; ', format('alter large object %s owner to %I', d.objid, $2),
        format('revoke all on large object %s from ', d.objid) || (
            select string_agg(distinct case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end, ', ')
            from pg_largeobject_metadata m, aclexplode(m.lomacl) where m.oid = d.objid and grantee <> m.lomowner) || ' cascade')
    from shared join pg_shdepend d on d.refclassid = 'pg_authid'::regclass and d.refobjid = shared.oid and d.deptype = 'o'
     and d.classid = 'pg_largeobject'::regclass
     and d.dbid = (select oid from pg_database where datname = current_database())
    limit $3";
