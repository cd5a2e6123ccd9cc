//! `tenant list`: every page of the registry's tenants, as one table or one document.
//! The pages are joined here: a script sees all tenants or an error, never a part.

use tenantry_protocol::blueprint::BlueprintsRequest;
use tenantry_protocol::tenant::{Tenant, TenantsRequest};
use time::OffsetDateTime;

use crate::behind::NewestVersions;
use crate::cli::Context;
use crate::cli::args::TenantListArguments;
use crate::cli::error::CliError;
use crate::cli::output::document::{self, BehindTenant};
use crate::format;

const PAGE: u32 = 1_000;

pub(in crate::cli) async fn run(context: &Context, list: TenantListArguments) -> Result<(), CliError> {
    let client = context.client().await?;
    let mut tenants: Vec<Tenant> = Vec::new();
    let mut after = None;
    loop {
        let request = TenantsRequest { states: list.states.clone(), all: list.all, limit: Some(PAGE), after };
        let page = client.tenants(request).await?;
        tenants.extend(page.tenants);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let stored = client.blueprints(BlueprintsRequest::default()).await?;
    let newest = NewestVersions::of(&stored.blueprints);
    if list.behind {
        tenants.retain(|tenant| newest.ahead_of(tenant).is_some());
    }
    if context.output.is_json() {
        let behind = tenants.iter().filter_map(|tenant| behind(&newest, tenant)).collect();
        return context.output.document(&document::TenantList { total: tenants.len(), tenants, behind });
    }
    if tenants.is_empty() && list.behind {
        return context.output.lines("no tenant is behind the newest version of its blueprint");
    }
    if tenants.is_empty() && !list.states.is_empty() {
        return context
            .output
            .lines("no tenants in that state; `tenantry tenant list --all` shows all of them");
    }
    if tenants.is_empty() {
        return context
            .output
            .lines("no tenants; make one with `tenantry tenant create NAME --blueprint projects`");
    }
    let now = OffsetDateTime::now_utc();
    let header = ["tenant", "name", "state", "blueprint", "target", "isolation", "last operation", "age"];
    context.output.table(&header, tenants.iter().map(|tenant| row(tenant, &newest, now)).collect())
}

fn behind(newest: &NewestVersions, tenant: &Tenant) -> Option<BehindTenant> {
    let newest = newest.ahead_of(tenant)?;
    Some(BehindTenant { slug: tenant.slug.clone(), version: tenant.version, newest })
}

fn row(tenant: &Tenant, newest: &NewestVersions, now: OffsetDateTime) -> Vec<String> {
    let last = tenant.last_operation.as_ref();
    let newer = newest.ahead_of(tenant).map(|newest| format!(", behind {newest}")).unwrap_or_default();
    vec![
        tenant.slug.to_string(),
        tenant.display_name.clone(),
        format::tenant_state(&tenant.state),
        format!("{} {}{newer}", tenant.blueprint, tenant.version),
        tenant.target.to_string(),
        tenant.isolation.as_ref().map_or_else(|| "–".to_owned(), |badge| badge.grade.to_string()),
        last.map_or_else(|| "–".to_owned(), |last| format!("{} {}", last.kind, last.state).replace('_', " ")),
        format::age(tenant.created_at, now),
    ]
}
