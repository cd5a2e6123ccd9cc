//! Standard output and standard error: no other part of the command line writes to them.
//!
//! Invariant: with `--json`, standard output carries documents and nothing else. A reader that went away ends the command
//! quietly and never causes a panic. Nothing hostile reaches a terminal.

pub(super) mod document;
pub(super) mod meter;
pub(super) mod progress;

use std::io::{self, IsTerminal, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::error::CliError;
use crate::text;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) format: Format,
    pub(crate) progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    People,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    Shown,
    Quiet,
}

impl Output {
    pub(crate) const fn is_json(self) -> bool {
        matches!(self.format, Format::Json)
    }

    /// One document on a line of its own; indented if a person reads it.
    pub(crate) fn document(self, value: &impl Serialize) -> Result<(), CliError> {
        let pretty = io::stdout().is_terminal();
        let text = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
        let text =
            text.map_err(|error| CliError::Bug(format!("a document cannot be written as JSON: {error}")))?;
        write_stdout(&format!("{}\n", text::json(&text)))
    }

    /// A document that is itself what was asked for, with or without `--json`: indented unless a program asked.
    pub(crate) fn json(self, value: &impl Serialize) -> Result<(), CliError> {
        if self.is_json() {
            return self.document(value);
        }
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| CliError::Bug(format!("a document cannot be written as JSON: {error}")))?;
        write_stdout(&format!("{}\n", text::json(&text)))
    }

    /// One document on exactly one line, for streams.
    pub(crate) fn document_line(self, value: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string(value)
            .map_err(|error| CliError::Bug(format!("an event cannot be written as JSON: {error}")))?;
        write_stdout(&format!("{}\n", text::json(&text)))
    }

    /// Readable lines; none with `--json`.
    pub(crate) fn lines(self, lines: &str) -> Result<(), CliError> {
        if self.is_json() { Ok(()) } else { write_stdout(&format!("{}\n", text::lines(lines).trim_end())) }
    }

    /// A readable table: columns separated by spaces, the header in capitals. Only a terminal limits its width.
    pub(crate) fn table(self, header: &[&str], rows: Vec<Vec<String>>) -> Result<(), CliError> {
        self.lines(&table_text(header, rows))
    }

    /// A progress line on standard error; none with `--quiet`.
    pub(crate) fn note(self, line: &str) {
        if self.progress == Progress::Shown {
            write_stderr(&text::line(line));
        }
    }
}

fn table_text(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    match crossterm::terminal::size() {
        Ok((width, _)) if io::stdout().is_terminal() => {
            table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic)
        }
        _ => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    table.set_header(header.iter().map(|title| title.to_uppercase()));
    for row in rows {
        table.add_row(row.iter().map(|cell| text::line(cell)));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        // Columns are set apart by two spaces; the first begins at the margin.
        column.set_padding((u16::from(index > 0), 1));
    }
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// The sentence about an error, always printed to standard error.
pub(crate) fn complain(sentence: &str) {
    write_stderr(&format!("tenantry: {sentence}"));
}

/// Bytes that are meant for a program and were made by us: a shell's script, a manual page.
pub(super) fn verbatim(bytes: &[u8]) -> Result<(), CliError> {
    write_bytes(bytes)
}

fn write_stdout(text: &str) -> Result<(), CliError> {
    write_bytes(text.as_bytes())
}

fn write_bytes(bytes: &[u8]) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(CliError::ReaderGone),
        Err(error) => Err(CliError::Output(error)),
    }
}

fn write_stderr(line: &str) {
    // If even standard error is gone, there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "{}", text::lines(line));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_no_borders_and_no_control_characters() {
        let text = table_text(&["tenant", "state"], vec![vec!["ac\u{1b}me".into(), "● active".into()]]);
        assert_eq!(text, "TENANT  STATE\nac�me   ● active");
    }
}
