//! `audit export`: events to a file, or to standard output unless it is a terminal.
//!
//! Invariant: one part at a time is in memory. The file appears whole or not at all, however the command ends.

use std::io::{self, IsTerminal};
use std::path::Path;

use tenantry_protocol::audit::{AuditExportPart, AuditExportRequest, AuditFilter, ExportFormat};

use crate::cli::Context;
use crate::cli::args;
use crate::cli::error::CliError;
use crate::cli::output;
use crate::cli::output::document::AuditExported;
use crate::cli::output::meter::Meter;
use crate::client::{ExportError, Overwrite, export_to};
use crate::format;

pub(in crate::cli) async fn run(context: &Context, export: args::AuditExport) -> Result<(), CliError> {
    let format = ExportFormat::from(export.format);
    let request = AuditExportRequest { filter: AuditFilter::from(export.filter), format };
    match export.output {
        Some(path) => {
            let overwrite = if export.force { Overwrite::Asked } else { Overwrite::Never };
            to_file(context, request, &path, overwrite).await
        }
        None if context.output.is_json() => Err(CliError::invalid(
            "output",
            "with --json standard output holds a document about the export: name the file with --output",
        )),
        None if io::stdout().is_terminal() => Err(CliError::invalid(
            "output",
            "an export is no reading matter for a terminal: name a file with --output, or redirect standard output",
        )),
        None => to_stdout(context, request).await,
    }
}

async fn to_file(
    context: &Context,
    request: AuditExportRequest,
    path: &Path,
    overwrite: Overwrite,
) -> Result<(), CliError> {
    let client = context.client().await?;
    let format = request.format;
    let mut meter = Meter::new(context.output, "exporting", format::count);
    let exported = export_to(&client, request, path, overwrite, &mut |part| advance(&mut meter, part)).await;
    drop(meter);
    let exported = exported.map_err(|error| match error {
        ExportError::Client(error) => CliError::Client(error),
        ExportError::File { path, problem } => {
            CliError::File { doing: "cannot write the export to", path, problem }
        }
    })?;
    let file = exported.file.display().to_string();
    if context.output.is_json() {
        let (events, to_seq, bytes) = (exported.events, exported.to_seq, exported.bytes);
        return context.output.document(&AuditExported { file, format, events, to_seq, bytes });
    }
    context.output.lines(&format!(
        "{} in {file}, {}, mode 0600",
        format::counted(exported.events, "event"),
        format::bytes(exported.bytes),
    ))?;
    if format == ExportFormat::Jsonl {
        let next = format!("verify it anywhere with `tenantry audit verify --file {file} --key PEM`");
        context.output.lines(&next)?;
    }
    Ok(())
}

async fn to_stdout(context: &Context, request: AuditExportRequest) -> Result<(), CliError> {
    let client = context.client().await?;
    let export = client.audit_export(request).await?;
    let mut meter = Meter::new(context.output, "exporting", format::count);
    loop {
        let part = client.audit_export_read(export.id.clone()).await?;
        // The lines are the daemon's own and are meant for a program; every byte of them counts.
        output::verbatim(part.text.as_bytes())?;
        advance(&mut meter, &part);
        if part.is_last {
            return Ok(());
        }
    }
}

fn advance(meter: &mut Meter, part: &AuditExportPart) {
    let amount = |seq: i64| u64::try_from(seq).unwrap_or_default();
    meter.at(amount(part.searched_to), amount(part.to_seq));
}
