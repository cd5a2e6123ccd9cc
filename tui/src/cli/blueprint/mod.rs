//! `blueprint list | show | check | add`. The client reads the folder; the daemon opens no path that a client names.
//! Findings are printed as compilers print them, so that editors can jump to the line.

pub(super) mod folder;
mod init;

use std::path::Path;

use tenantry_protocol::blueprint::{
    Blueprint as Stored, BlueprintReport, BlueprintTrial, BlueprintUpload, BlueprintsRequest,
};
use tenantry_protocol::plan::Severity;
use tenantry_protocol::{ApiError, ErrorCode};

use super::args::{Blueprint, name_and_version};
use super::error::CliError;
use super::output::document::BlueprintShown;
use super::{Context, upgrade};
use crate::client::ClientError;
use crate::format;

pub(in crate::cli) async fn run(context: &Context, command: Blueprint) -> Result<(), CliError> {
    match command {
        Blueprint::List => list(context).await,
        Blueprint::Show { name, sql } => show(context, &name, sql).await,
        Blueprint::Upgrade(arguments) => Box::pin(upgrade::begin(context, *arguments)).await,
        Blueprint::Downgrade(arguments) => Box::pin(upgrade::go_back(context, *arguments)).await,
        Blueprint::Init { path, name } => init::run(context, &path, name).await,
        Blueprint::Check { path, on: None } => {
            let upload = upload(context, &path)?;
            let report = context.client().await?.blueprint_check(upload).await?;
            print_report(context, &report, "usable")
        }
        Blueprint::Check { path, on } => {
            let files = upload(context, &path)?.files;
            let trial = BlueprintTrial { files, target: on };
            let report = context.client().await?.blueprint_try(trial).await?;
            print_report(context, &report, "can be built")
        }
        Blueprint::Add { path } => {
            let upload = upload(context, &path)?;
            let report = context.client().await?.blueprint_add(upload).await?;
            print_report(
                context,
                &report,
                if report.added { "added" } else { "was there already, unchanged" },
            )
        }
    }
}

/// The folder's files, with a warning about every file that is left out.
fn upload(context: &Context, path: &Path) -> Result<BlueprintUpload, CliError> {
    let folder = folder::read(path)?;
    for warning in &folder.warnings {
        context.output.note(&format!("warning: {warning}"));
    }
    Ok(folder.upload)
}

async fn list(context: &Context) -> Result<(), CliError> {
    let answer = context.client().await?.blueprints(BlueprintsRequest::default()).await?;
    if context.output.is_json() {
        return context.output.document(&answer);
    }
    let rows = answer.blueprints.iter().map(|blueprint| {
        vec![
            blueprint.name.to_string(),
            blueprint.version.to_string(),
            blueprint.tenancy.name().to_owned(),
            blueprint.migrations.len().to_string(),
            blueprint.settings.keys().cloned().collect::<Vec<_>>().join(", "),
            blueprint.title.clone(),
        ]
    });
    context
        .output
        .table(&["blueprint", "version", "tenancy", "migrations", "settings", "title"], rows.collect())
}

async fn show(context: &Context, name: &str, with_sql: bool) -> Result<(), CliError> {
    let (name, version) = name_and_version(name);
    let request = BlueprintsRequest { name: Some(name.clone()), version: version.clone(), with_sql };
    let answer = context.client().await?.blueprints(request).await?;
    // Ordered by name, the newest version first: the first one is meant.
    let Some(blueprint) = answer.blueprints.first() else {
        let wanted = version.map(|version| format!("{name}@{version}")).unwrap_or(name);
        return Err(ClientError::Api(
            ApiError::new(
                ErrorCode::NotFound,
                format!("there is no blueprint {wanted}; `tenantry blueprint list` shows those there are"),
            )
            .on_field("name"),
        )
        .into());
    };
    if context.output.is_json() {
        let versions: Vec<String> = answer.blueprints.iter().map(|other| other.version.to_string()).collect();
        return context.output.document(&BlueprintShown { blueprint, versions });
    }
    context.output.lines(&facts(blueprint))
}

fn facts(blueprint: &Stored) -> String {
    let mut lines = vec![
        format!("{} {}: {}", blueprint.name, blueprint.version, blueprint.title),
        format!("  tenancy    {}", blueprint.tenancy.name()),
        format!("  checksum   {}", blueprint.checksum),
    ];
    if let Some(contract) = &blueprint.contract {
        let soak = match contract.soak_seconds {
            0 => String::new(),
            seconds => format!(" for {}", format::chosen(seconds)),
        };
        lines.push(format!(
            "  contract   when all tenants have had {} or a later version{soak}",
            contract.after
        ));
    }
    if !blueprint.extensions.is_empty() {
        lines.push(format!("  extensions {}", blueprint.extensions.join(", ")));
    }
    for (name, setting) in &blueprint.settings {
        lines.push(format!(
            "  setting    {name}: {} ({} to {}, default {})",
            setting.title, setting.min, setting.max, setting.default
        ));
    }
    for (kind, files) in [("migration", &blueprint.migrations), ("seed", &blueprint.seed)] {
        for file in files {
            let outside = if file.outside { format!(", {}", format::OUTSIDE) } else { String::new() };
            let back = match &file.way_back {
                Some(way_back) if *way_back == file.path => ", with its way back".to_owned(),
                Some(way_back) => format!(", taken back by {way_back}"),
                None => String::new(),
            };
            lines.push(format!(
                "  {kind:<10} {}: {}, {} statements, {} bytes{outside}{back}",
                file.path, file.title, file.statements, file.bytes
            ));
            if let Some(sql) = &file.sql {
                lines.extend(sql.trim_end().lines().map(|line| format!("    {line}")));
            }
        }
    }
    lines.join("\n")
}

fn print_report(context: &Context, report: &BlueprintReport, outcome: &str) -> Result<(), CliError> {
    if context.output.is_json() {
        context.output.document(report)?;
    } else {
        let files = report.blueprint.iter().flat_map(|blueprint| &blueprint.migrations);
        let outside: Vec<String> = files.filter(|file| file.outside).map(|file| file.path.clone()).collect();
        let outside = folder::list(&outside).map(|names| {
            format!("{}, statement by statement, where tenants stand: {names}", format::OUTSIDE)
        });
        let lines: Vec<String> = report.findings.iter().map(format::finding).chain(outside).collect();
        if !lines.is_empty() {
            context.output.lines(&lines.join("\n"))?;
        }
    }
    let errors = report.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    match &report.blueprint {
        Some(blueprint) if report.is_usable() => context.output.lines(&format!(
            "{} {} {outcome}: {}, {}",
            blueprint.name,
            blueprint.version,
            format::counted(blueprint.migrations.len() as u64, "migration"),
            format::counted(report.findings.len() as u64, "finding")
        )),
        _ => Err(CliError::Findings(format!(
            "the blueprint has {} and cannot be used; correct what is named and check it again",
            format::counted(errors as u64, "error")
        ))),
    }
}
