//! `tenant show`: one tenant's facts, its operations, and what the attack on its isolation found.
//! Reads only; the slug of a tenant that was removed still finds its history.

use tenantry_protocol::tenant::{TenantDetail, TenantState};

use crate::cli::Context;
use crate::cli::error::CliError;
use crate::format;

pub(in crate::cli) async fn run(context: &Context, slug: String) -> Result<(), CliError> {
    let detail = context.client().await?.tenant(slug).await?;
    if context.output.is_json() {
        return context.output.document(&detail);
    }
    context.output.lines(&facts(&detail))?;
    if let Some(report) = &detail.isolation {
        context.output.lines("")?;
        let rows = report.verdicts.iter().map(|verdict| {
            let held = if verdict.held { "✓ held" } else { "✗ BROKEN" };
            let got = verdict.got.clone().unwrap_or_else(|| "no error".to_owned());
            vec![verdict.probe.clone(), held.to_owned(), got, verdict.evidence.clone()]
        });
        context.output.table(&["probe", "verdict", "got", "evidence"], rows.collect())?;
    }
    context.output.lines("")?;
    let rows = detail.operations.iter().map(crate::cli::operation::row).collect();
    context.output.table(&crate::cli::operation::HEADER, rows)
}

fn facts(detail: &TenantDetail) -> String {
    let tenant = &detail.tenant;
    let mut lines = vec![
        format!("{} \"{}\"", tenant.slug, tenant.display_name),
        format!("  state      {}", format::tenant_state(&tenant.state)),
        format!("  blueprint  {} {}", tenant.blueprint, tenant.version),
        format!("  target     {}, as {}", tenant.target, tenant.placement),
        format!("  id         {}", tenant.id),
        format!("  created    {} UTC", format::timestamp(tenant.created_at)),
    ];
    lines.extend(tenant.settings.iter().map(|(name, value)| format!("  setting    {name} = {value}")));
    lines.extend(tenant.labels.iter().map(|(name, value)| format!("  label      {name} = {value}")));
    lines.push(match &tenant.credentials {
        Some(issued) => {
            let before = issued.previous_role.as_ref();
            let beside = before.map(|role| format!(", and {role} until the rotation is finished"));
            format!(
                "  login      {}, issued {} UTC{}",
                issued.role,
                format::timestamp(issued.issued_at),
                beside.unwrap_or_default()
            )
        }
        None => "  login      none issued".to_owned(),
    });
    lines.push(format!("  isolation  {}", format::isolation(detail.isolation.as_ref())));
    match &tenant.state {
        TenantState::RolledBack { reason } => lines.push(format!("  reason     {reason}")),
        TenantState::NeedsAttention { reason, next_command } => {
            lines.push(format!("  reason     {reason}"));
            lines.push(format!("  next       {next_command}"));
        }
        TenantState::Suspended => {
            lines.push(format!("  next       open it again with `tenantry tenant resume {}`", tenant.slug));
        }
        TenantState::Retiring { purge_after: Some(at) } => {
            lines.push(format!("  removed    on {} UTC", format::timestamp(*at)));
            lines.push(format!(
                "  next       until then `tenantry tenant resume {}` takes it back",
                tenant.slug
            ));
        }
        _ => {}
    }
    lines.extend(detail.archives.iter().map(|archive| {
        format!(
            "  archive    {}: {}, {}, {}",
            archive.path,
            format::counted(archive.tables, "table"),
            format::counted(archive.rows, "row"),
            format::bytes(archive.size_bytes)
        )
    }));
    lines.join("\n")
}
