//! The scripted interface: one file for each subcommand, each a function from its arguments to an exit status.
//!
//! Invariant: every ending goes through [`run`], which prints an error once and turns it into the exit status.
//! Nothing here draws screens.

mod args;
mod audit;
mod blueprint;
mod change;
mod completions;
mod demo;
mod error;
mod manual;
mod operation;
mod outcome;
mod output;
mod rpc;
mod schema;
mod status;
mod target;
mod tenant;
mod upgrade;

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use tenantry_protocol::operation::Operation;

use args::{Arguments, Audit, Command, Global, Tenant};
use error::CliError;
use output::{Format, Output, Progress};

use crate::client::{self, Client};
use crate::ui;

/// What every command has available.
#[derive(Debug)]
pub(crate) struct Context {
    output: Output,
    socket: PathBuf,
    /// The operation that is being waited for, so that an interruption can say how it continues.
    waiting_for: Mutex<Option<Operation>>,
}

impl Context {
    async fn client(&self) -> Result<Client, CliError> {
        let client = Client::connect(&self.socket).await?;
        Ok(if self.output.is_json() { client } else { client.for_people() })
    }

    fn wait_begins(&self, operation: &Operation) {
        *self.waiting_for.lock().unwrap_or_else(PoisonError::into_inner) = Some(operation.clone());
    }

    fn wait_ended(&self) {
        *self.waiting_for.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn interrupted(&self) -> CliError {
        let waiting = self.waiting_for.lock().unwrap_or_else(PoisonError::into_inner).clone();
        CliError::Interrupted(waiting.map_or_else(
            || "interrupted".to_owned(),
            |operation| {
                format!(
                    "interrupted; the {} of {} goes on. Follow it with `tenantry operation watch {2}`, or end and undo \
                     it with `tenantry operation cancel {2}`",
                    operation.kind.name().replace('_', " "),
                    operation.slug,
                    operation.id
                )
            },
        ))
    }
}

/// Parses the command line, runs it, reports, and returns the exit status.
pub(crate) async fn run(words: Vec<OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(&words) {
        Ok(arguments) => arguments,
        Err(error) => return usage(&words, &error),
    };
    let output = output_of(&arguments.global);
    match execute(arguments, output).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(output, &error),
    }
}

/// The runtime itself could not be started.
pub(crate) fn no_runtime(error: &io::Error) -> ExitCode {
    let output = Output { format: Format::People, progress: Progress::Quiet };
    report(output, &CliError::Bug(format!("its runtime cannot be started: {error}")))
}

const fn output_of(global: &Global) -> Output {
    Output {
        format: if global.json { Format::Json } else { Format::People },
        progress: if global.quiet { Progress::Quiet } else { Progress::Shown },
    }
}

async fn execute(arguments: Arguments, output: Output) -> Result<(), CliError> {
    let Some(command) = arguments.command else {
        let socket = client::socket(arguments.global.socket.as_deref())?;
        return Box::pin(console(socket)).await;
    };
    if matches!(command, Command::Demo) {
        // The demo has a daemon to stop, so it handles interruptions itself.
        return Box::pin(demo::run(output)).await;
    }
    match &command {
        // These are about the command line itself and need neither a daemon nor its socket.
        Command::Completions { shell } => return completions::run(*shell),
        Command::Man { directory } => return manual::run(directory.as_deref()),
        Command::Schema { name } => return schema::run(output, name),
        Command::Audit(audit) => {
            if let Audit::Verify(verify) = &**audit
                && let Some(export) = &verify.file
            {
                // Neither does an export: a person who checks one may not have a daemon at all.
                return tokio::select! {
                    result = audit::offline::run(output, verify, export) => result,
                    _ = tokio::signal::ctrl_c() => Err(CliError::Interrupted("interrupted".to_owned())),
                };
            }
        }
        _ => {}
    }
    let socket = client::socket(arguments.global.socket.as_deref())?;
    let context = Context { output, socket, waiting_for: Mutex::new(None) };
    tokio::select! {
        result = Box::pin(dispatch(&context, command)) => result,
        _ = tokio::signal::ctrl_c() => Err(context.interrupted()),
    }
}

async fn dispatch(context: &Context, command: Command) -> Result<(), CliError> {
    match command {
        Command::Demo | Command::Completions { .. } | Command::Man { .. } | Command::Schema { .. } => {
            Err(CliError::Bug("a command that needs no daemon was given one".to_owned()))
        }
        Command::Status => status::run(context).await,
        Command::Tenant(Tenant::Create(create)) => tenant::create::run(context, *create).await,
        Command::Tenant(Tenant::List(list)) => tenant::list::run(context, list).await,
        Command::Tenant(Tenant::Show { slug }) => tenant::show::run(context, slug).await,
        Command::Tenant(Tenant::Suspend { slug, sending }) => {
            tenant::manage::suspend(context, slug, sending).await
        }
        Command::Tenant(Tenant::Resume { slug, sending }) => {
            tenant::manage::resume(context, slug, sending).await
        }
        Command::Tenant(Tenant::Verify(verify)) => tenant::verify::run(context, verify).await,
        Command::Tenant(Tenant::Drift(drift)) => tenant::drift::run(context, drift).await,
        Command::Tenant(Tenant::Update(update)) => tenant::manage::update(context, update).await,
        Command::Tenant(Tenant::Upgrade { slug, to, sending }) => {
            tenant::manage::upgrade(context, slug, to, sending).await
        }
        Command::Tenant(Tenant::Retire(retire)) => tenant::manage::retire(context, retire).await,
        Command::Tenant(Tenant::Rollback(rollback)) => tenant::rollback::run(context, rollback).await,
        Command::Tenant(Tenant::Credentials { slug, action }) => {
            tenant::credentials::run(context, slug, action).await
        }
        Command::Blueprint(blueprint) => blueprint::run(context, blueprint).await,
        Command::Upgrade(command) => upgrade::run(context, command).await,
        Command::Target(target) => target::run(context, target).await,
        Command::Operation(operation) => operation::run(context, operation).await,
        Command::Audit(audit) => audit::run(context, *audit).await,
        Command::Rpc(rpc) => rpc::run(context, rpc).await,
    }
}

/// No command: opens the console, if there is a terminal to show it on.
async fn console(socket: PathBuf) -> Result<(), CliError> {
    if !has_screen() {
        return Err(CliError::Invalid {
            field: None,
            message:
                "the console needs a terminal; without one use a command, for example `tenantry status` or \
                      `tenantry tenant list` (all of them: `tenantry --help`)"
                    .to_owned(),
        });
    }
    let left = ui::run(socket).await?;
    if let Some(name) = left.export {
        output::complain(&format!(
            "the export to {name} was cancelled with the console; nothing of it is left"
        ));
    }
    for operation in left.operations {
        output::complain(&format!(
            "the {} of {} goes on; follow it with `tenantry operation watch {}`",
            operation.kind.name().replace('_', " "),
            operation.slug,
            operation.id
        ));
    }
    Ok(())
}

/// Standard input and output are a terminal that can show a screen.
fn has_screen() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    io::stdin().is_terminal() && io::stdout().is_terminal() && !dumb
}

/// The command line is wrong, or asks about itself (`--help`, `--version`).
fn usage(words: &[OsString], error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    let json = words.iter().any(|word| word == "--json");
    let output = Output { format: Format::People, progress: Progress::Quiet };
    if !error.use_stderr() {
        return match output.lines(&text) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => report(output, &error),
        };
    }
    if words.len() < 2 {
        let help = Arguments::command().render_help().to_string();
        let _ = output.lines(&help);
        return ExitCode::from(2);
    }
    let mut message = text.strip_prefix("error: ").unwrap_or(&text).trim_end().to_owned();
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        message = format!("one of its commands is missing\n\n{message}");
    }
    let error = CliError::Invalid { field: None, message };
    let format = if json { Format::Json } else { Format::People };
    report(Output { format, ..output }, &error)
}

fn report(output: Output, error: &CliError) -> ExitCode {
    if !matches!(error, CliError::ReaderGone) {
        output::complain(&error.to_string());
        if let Some(document) = output::document::failed(error).filter(|_| output.is_json()) {
            // If that fails too, the exit status still says so.
            let _ = output.document(&document);
        }
    }
    ExitCode::from(error.exit_status())
}
