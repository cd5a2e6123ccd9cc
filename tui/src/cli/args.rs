//! The command line's grammar. A contract: names and meanings stay.
//!
//! Parses only; what needs the daemon or the file system to be judged is judged there.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};

/// The states that a tenant can be listed by; a word that no daemon knows would match nothing, silently.
const TENANT_STATES: [&str; 8] = [
    "provisioning",
    "active",
    "suspended",
    "rolling_back",
    "rolled_back",
    "retiring",
    "retired",
    "needs_attention",
];

#[derive(Debug, Parser)]
#[command(
    name = "tenantry",
    version,
    about = "Provision, isolate, roll back and audit the tenants of a SaaS product in PostgreSQL",
    after_help = "Without a command, on a terminal: the full-screen console.\n\n\
        Exit status: 0 done, 1 the operation failed and was rolled back, 2 invalid argument, 3 no daemon or unavailable,\n\
        4 denied, 5 conflict or precondition, 6 needs attention, 7 not found, 70 internal, 130 interrupted."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// The daemon's socket [default: $TENANTRY_SOCKET, else your own daemon's, else the machine's]
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// Print exactly one JSON document (with `operation watch`: one line per event)
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Show no progress
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a private daemon with its own PostgreSQL, provision three sample tenants, open the console
    Demo,
    /// How the daemon, its database and the targets are
    Status,
    /// Create, list, show and roll back tenants; issue their credentials
    #[command(subcommand)]
    Tenant(Tenant),
    /// What tenants are made of
    #[command(subcommand)]
    Blueprint(Blueprint),
    /// The databases where tenants live
    #[command(subcommand)]
    Target(Target),
    /// What was done to tenants, and what is being done now
    #[command(subcommand)]
    Operation(Operation),
    /// The audit trail
    #[command(subcommand)]
    Audit(Audit),
    /// Call any method of the daemon with a JSON request
    Rpc(Rpc),
    /// Print the JSON Schema of a method's request and answer, or of what a command prints with --json
    Schema {
        /// A method (`tenants`) or the words of a command (`tenant create`); without one, all there are
        #[arg(value_name = "NAME")]
        name: Vec<String>,
    },
    /// Print what makes your shell complete our commands; load it in the shell's start file
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, for `man -l -`
    Man {
        /// Write a page for each command to this folder in place of printing one
        #[arg(long, value_name = "DIR")]
        directory: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Tenant {
    /// Provision a tenant, wait for it, and print its credentials
    Create(Box<Create>),
    /// The living tenants
    List(TenantList),
    /// One tenant: facts, operations, isolation
    Show { slug: String },
    /// Remove a tenant completely, as if it had never been
    Rollback(Rollback),
    /// A login for the tenant's application
    Credentials {
        slug: String,
        #[command(subcommand)]
        action: CredentialsAction,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// 3 to 40 characters: lower-case letters, digits and hyphens, beginning with a letter
    pub(crate) slug: String,
    /// Name for people [default: the slug]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// What the tenant is made of; the newest version if none is given
    #[arg(long, value_name = "NAME[@VERSION]")]
    pub(crate) blueprint: String,
    /// Where it will live; may be left out where there is only one target
    #[arg(long)]
    pub(crate) target: Option<String>,
    /// A setting of the blueprint, for example connection_limit=20 (repeatable)
    #[arg(long = "set", value_name = "NAME=NUMBER", value_parser = setting)]
    pub(crate) settings: Vec<(String, i64)>,
    /// A label (repeatable)
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    pub(crate) labels: Vec<(String, String)>,
    /// Run the blueprint's seed files too
    #[arg(long)]
    pub(crate) seed: bool,
    /// Print the plan (steps, SQL, findings, hash) and stop
    #[arg(long, conflicts_with_all = ["no_wait", "credentials_file"])]
    pub(crate) plan: bool,
    /// Run only if the plan still has this hash
    #[arg(long, value_name = "HASH")]
    pub(crate) approve: Option<String>,
    /// The same key gives the same operation, however often it is sent
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
    /// Return as soon as the operation is accepted
    #[arg(long, conflicts_with = "credentials_file")]
    pub(crate) no_wait: bool,
    /// Write the credentials to this new file (mode 0600) in place of printing the password
    #[arg(long, value_name = "PATH")]
    pub(crate) credentials_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct TenantList {
    /// Only tenants in this state (repeatable)
    #[arg(long = "state", value_name = "STATE", value_parser = PossibleValuesParser::new(TENANT_STATES))]
    pub(crate) states: Vec<String>,
    /// Also those that were rolled back or retired
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    pub(crate) slug: String,
    /// The tenant's name again
    #[arg(long, value_name = "SLUG")]
    pub(crate) confirm: Option<String>,
    /// Remove its data without making an archive
    #[arg(long)]
    pub(crate) discard_data: bool,
    /// The same key gives the same operation, however often it is sent
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
    /// Return as soon as the operation is accepted
    #[arg(long)]
    pub(crate) no_wait: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialsAction {
    /// Set a new secret on the current login and print it, once
    Issue {
        /// The same key gives the same secret's record, never the secret again
        #[arg(long, value_name = "KEY")]
        idempotency_key: Option<String>,
        /// Write the credentials to this new file (mode 0600) in place of printing the password
        #[arg(long, value_name = "PATH")]
        credentials_file: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Blueprint {
    /// All blueprints and versions
    List,
    /// One blueprint: settings and files
    Show {
        #[arg(value_name = "NAME[@VERSION]")]
        name: String,
        /// Print the SQL of its files too
        #[arg(long)]
        sql: bool,
    },
    /// Read and lint a folder; store nothing
    Check { path: PathBuf },
    /// Store a folder as a new, immutable version
    Add { path: PathBuf },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Target {
    /// All targets
    List,
    /// One target
    Show { name: String },
    /// Connect, and read privileges and settings back
    Check {
        /// All targets if none is named
        name: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Operation {
    /// The newest operations
    List {
        /// Only operations on this tenant
        #[arg(long, value_name = "SLUG")]
        tenant: Option<String>,
        /// Only those that are not over
        #[arg(long)]
        unfinished: bool,
        /// Rows, 1 to 500
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: Option<u32>,
    },
    /// One operation and its steps
    Show { id: String },
    /// Follow an operation to its end; without an id, everything that happens
    Watch { id: Option<String> },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// The newest events
    List {
        /// Only events about this tenant
        #[arg(long, value_name = "SLUG")]
        tenant: Option<String>,
        /// Only events older than this number
        #[arg(long, value_name = "SEQ")]
        before: Option<i64>,
        /// Rows, 1 to 500
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: Option<u32>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Rpc {
    /// The method's name: health, tenants, plan …
    pub(crate) method: String,
    /// The request as JSON, `-` to read it from standard input [default: {}]
    pub(crate) request: Option<String>,
}

fn setting(text: &str) -> Result<(String, i64), String> {
    let (name, value) = pair(text)?;
    let number = value.parse().map_err(|_| format!("'{value}' is not a whole number"))?;
    Ok((name, number))
}

fn label(text: &str) -> Result<(String, String), String> {
    pair(text)
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}

/// `projects@1.2` → name and version.
pub(crate) fn name_and_version(text: &str) -> (String, Option<String>) {
    match text.split_once('@') {
        Some((name, version)) => (name.to_owned(), Some(version.to_owned())),
        None => (text.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_grammar_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn global_flags_work_before_and_after_the_command() {
        for line in [
            "tenantry --json --socket /s status",
            "tenantry status --socket /s --json",
            "tenantry --json status --socket /s",
        ] {
            let arguments = parse(line).unwrap();
            assert!(arguments.global.json, "{line}");
            assert_eq!(arguments.global.socket, Some(PathBuf::from("/s")), "{line}");
        }
    }

    #[test]
    fn create_takes_settings_labels_and_a_version() {
        let line = "tenantry tenant create acme --blueprint projects@1.2 --set connection_limit=20 --label plan=gold=x --seed";
        let Some(Command::Tenant(Tenant::Create(create))) = parse(line).unwrap().command else { panic!() };
        assert_eq!(create.settings, [("connection_limit".to_owned(), 20)]);
        assert_eq!(create.labels, [("plan".to_owned(), "gold=x".to_owned())]);
        assert!(create.seed);
        assert_eq!(name_and_version(&create.blueprint), ("projects".to_owned(), Some("1.2".to_owned())));
    }

    #[test]
    fn wrong_values_are_usage_errors() {
        for line in [
            "tenantry tenant create acme",
            "tenantry tenant create acme --blueprint p --set x=many",
            "tenantry tenant create acme --blueprint p --label x",
            "tenantry tenant create acme --blueprint p --plan --no-wait",
            "tenantry operation list --limit 0",
            "tenantry tenant list --state asleep",
            "tenantry completions cmd.exe",
            "tenantry tenant credentials acme",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn credentials_take_the_name_before_the_action() {
        assert!(parse("tenantry tenant credentials acme issue --json").is_ok());
    }
}
