//! Who a target trusts in addition to its tenants, read back: members of the daemon's role, pools that break the current
//! rules, and what was made in the name of roles that tenants share.

use sqlx::PgConnection;
use tenantry_protocol::name::PlacementName;
use tenantry_protocol::plan::Finding;

use crate::postgres::error::{Error, Result, doing};
use crate::postgres::quote::identifier;
use crate::postgres::target::Ready;
use crate::postgres::tenancy::shared::pool_rules::{self, Stage};
use crate::postgres::tenancy::shared::shared_names;

/// How many members are named, how many pools are checked, and how many broken rules are reported for each pool.
const MOST: usize = 20;
const SENTENCES: usize = 3;

/// All findings about trust.
pub(in crate::postgres) async fn look(connection: &mut PgConnection, ready: &Ready) -> Result<Vec<Finding>> {
    let mut findings = members(connection, ready).await?;
    findings.extend(pools(connection).await?);
    findings.extend(shared_names::look(connection, ready).await?);
    Ok(findings)
}

/// Any role that can become the daemon's role has all of its rights.
async fn members(connection: &mut PgConnection, ready: &Ready) -> Result<Vec<Finding>> {
    let members: Vec<String> = sqlx::query_scalar(
        "select r.rolname::text from pg_auth_members m join pg_roles r on r.oid = m.member
         where m.roleid = to_regrole(quote_ident($1)) and not r.rolsuper order by 1 limit $2",
    )
    .bind(&ready.provisioner)
    .bind(i64::try_from(MOST).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await
    .map_err(doing("look for members of the daemon's role"))?;
    let finding = |member: &String| {
        let (daemon, member) = (identifier(&ready.provisioner), identifier(member));
        let message = format!(
            "{member} can become the daemon's role, and with it every tenant; an administrator runs: revoke {daemon} from {member}"
        );
        Finding::warning("provisioner_members", message)
    };
    Ok(members.iter().map(finding).collect())
}

async fn pools(connection: &mut PgConnection) -> Result<Vec<Finding>> {
    let pools: Vec<(String, String)> = sqlx::query_as(
        "select placement, blueprint || ' ' || version from tenantry.pool order by built_at desc limit $1",
    )
    .bind(i64::try_from(MOST).unwrap_or(i64::MAX))
    .fetch_all(&mut *connection)
    .await
    .map_err(doing("list the pools"))?;
    let mut findings = Vec::new();
    for (name, blueprint) in &pools {
        let pool = PlacementName::parse(name)
            .map_err(|error| Error::Corrupt { what: "the pool's name", why: error.to_string() })?;
        let broken = pool_rules::broken(connection, &pool, Stage::Finished).await?;
        if broken.is_empty() {
            continue;
        }
        let told = broken.iter().take(SENTENCES).map(String::as_str).collect::<Vec<_>>().join("; ");
        let message = format!(
            "the shared tables of {blueprint} ({pool}) do not keep their tenants apart, and nobody joins them any more: {told}{}. \
             Make a new version of the blueprint without this, and move the tenants",
            if broken.len() > SENTENCES {
                format!(" and {} more", broken.len() - SENTENCES)
            } else {
                String::new()
            }
        );
        findings.push(Finding::warning("pool_rules", message));
    }
    if findings.is_empty() && !pools.is_empty() {
        findings.push(Finding::ok(
            "pool_rules",
            format!("{} pools of shared tables keep their tenants apart", pools.len()),
        ));
    }
    Ok(findings)
}
