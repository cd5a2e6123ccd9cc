//! `tenant list`: every page of the registry's tenants, as one table or one document.
//! The pages are joined here: a script sees all tenants or an error, never a part.

use tenantry_protocol::tenant::{Tenant, TenantsRequest};
use time::OffsetDateTime;

use crate::cli::Context;
use crate::cli::args::TenantListArguments;
use crate::cli::error::CliError;
use crate::cli::output::document;
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
    if context.output.is_json() {
        return context.output.document(&document::TenantList { total: tenants.len(), tenants });
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
    context.output.table(&header, tenants.iter().map(|tenant| row(tenant, now)).collect())
}

fn row(tenant: &Tenant, now: OffsetDateTime) -> Vec<String> {
    let last = tenant.last_operation.as_ref();
    vec![
        tenant.slug.to_string(),
        tenant.display_name.clone(),
        format::tenant_state(&tenant.state),
        format!("{} {}", tenant.blueprint, tenant.version),
        tenant.target.to_string(),
        tenant.isolation.as_ref().map_or_else(|| "–".to_owned(), |badge| badge.grade.to_string()),
        last.map_or_else(|| "–".to_owned(), |last| format!("{} {}", last.kind, last.state).replace('_', " ")),
        format::age(tenant.created_at, now),
    ]
}
