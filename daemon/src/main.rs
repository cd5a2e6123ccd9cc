//! `tenantryd`: parses, starts the library, waits for the end.

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use tenantry_protocol::endpoint::Announcement;
use tenantry_protocol::text::escaped;
use tenantryd::ambient::shed_postgres_environment;
use tenantryd::cli::Arguments;
use tenantryd::config::{Config, ConfigError, Surroundings};
use tenantryd::logging::{self, Logging};
use tenantryd::{Reloaded, Server, check};
use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{SignalKind, signal};

/// The command line or the configuration is wrong.
const EXIT_CONFIGURATION: u8 = 2;

pub(crate) fn main() -> ExitCode {
    if let Err(error) = shed_postgres_environment() {
        return fail(&error, 1);
    }
    logging::report_panics();
    let arguments = Arguments::parse();
    let surroundings = Surroundings::of_this_process();
    let config = match Config::load(&arguments, &surroundings) {
        Ok(config) => config,
        Err(error) => return fail(&error, EXIT_CONFIGURATION),
    };
    let logging = match logging::start(&config.log) {
        Ok(logging) => logging,
        Err(error) => return fail(&error, EXIT_CONFIGURATION),
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error, 1),
    };
    let code = runtime.block_on(async {
        if arguments.check {
            return report(&config).await;
        }
        let reload = || Config::load(&arguments, &surroundings);
        run(config, &arguments, &logging, reload).await
    });
    // A pending read of standard input must not delay the exit.
    runtime.shutdown_background();
    drop(logging);
    code
}

async fn run(
    config: Config,
    arguments: &Arguments,
    logging: &Logging,
    read_again: impl Fn() -> Result<Config, ConfigError>,
) -> ExitCode {
    // Before the start, so that a signal during the start is not lost.
    let (mut hangup, ended) = match (signal(SignalKind::hangup()), EndSignals::prepare()) {
        (Ok(hangup), Ok(ended)) => (hangup, ended),
        (Err(error), _) | (_, Err(error)) => return fail(&error, 1),
    };
    let server = match Server::start(config).await {
        Ok(server) => server,
        Err(error) => return fail(&error, 1),
    };
    tracing::info!(socket = %server.socket().display(), "ready");
    if arguments.announce
        && let Err(error) = announce(&server)
    {
        tracing::error!(%error, "the ready line could not be written");
    }
    let reloading = async {
        while hangup.recv().await.is_some() {
            let read = read_again();
            if let (Reloaded::Taken, Ok(config)) = (server.reload(&read).await, &read) {
                logging.set_level(config.log.level);
            }
        }
        std::future::pending().await
    };
    tokio::select! {
        () = ended.wait(arguments.exit_with_stdin) => {}
        () = reloading => {}
    }
    tracing::info!("stopping");
    match server.stop().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, 1),
    }
}

async fn report(config: &Config) -> ExitCode {
    let found = Box::pin(check(config)).await;
    let mut out = io::stdout().lock();
    for line in &found.lines {
        // If the pipe is closed, its reader has read enough.
        let _ = writeln!(out, "{}", escaped(line));
    }
    if found.problems == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn announce(server: &Server) -> io::Result<()> {
    let line = Announcement { socket: server.socket().to_owned(), pid: std::process::id() };
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, &line)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// The signals that end the daemon.
struct EndSignals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl EndSignals {
    fn prepare() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn wait(mut self, with_stdin: bool) {
        let stdin = async {
            if !with_stdin {
                std::future::pending::<()>().await;
            }
            let mut stdin = tokio::io::stdin();
            let mut buffer = [0; 256];
            while stdin.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            () = stdin => {}
        }
    }
}

/// One sentence, with its causes.
fn fail(error: &dyn Error, code: u8) -> ExitCode {
    let mut text = format!("tenantryd: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    let _ = writeln!(io::stderr(), "{}", lines(&text));
    ExitCode::from(code)
}

/// Sets off all lines after the first, for texts with several lines such as the end of the server's log, so that none of
/// them can be mistaken for a line of ours.
fn lines(text: &str) -> String {
    text.lines().map(escaped).collect::<Vec<_>>().join("\n    ")
}
