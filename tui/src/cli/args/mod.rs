//! The command line's grammar. It is a contract: names and meanings do not change.
//!
//! Parses only; what requires the daemon or the file system is judged there.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

mod audit;
mod tenant;
mod upgrade;

pub(crate) use audit::{Acknowledge, Audit, AuditExport, AuditList, AuditVerify, Hold, Prune, Redact};
pub(crate) use tenant::{
    Create, CredentialsAction, DriftArguments, Retire, Rollback, Sending, Tenant, TenantListArguments,
    Update, Verify,
};
pub(crate) use upgrade::{BlueprintDowngrade, BlueprintUpgrade, Upgrade, UpgradeChoices, Which};

#[derive(Debug, Parser)]
#[command(
    name = "tenantry",
    version,
    about = "Provision, isolate, roll back and audit the tenants of a SaaS product in PostgreSQL",
    after_help = "Without a command, on a terminal: the full-screen console.\n\n\
        Exit status: 0 done, 1 the operation failed or was cancelled, and was undone, 2 invalid argument, 3 no daemon or unavailable,\n\
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
    /// Print exactly one JSON document (`operation watch`, `audit list --follow`: one line per event)
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
    /// Show the state of the daemon, its database and the targets
    Status,
    /// Create, list, show, change and remove tenants; their credentials
    #[command(subcommand)]
    Tenant(Tenant),
    /// What tenants are made of
    #[command(subcommand)]
    Blueprint(Blueprint),
    /// Upgrades of many tenants: look at them, pause, go on, try again
    #[command(subcommand)]
    Upgrade(Upgrade),
    /// The databases where tenants live
    #[command(subcommand)]
    Target(Target),
    /// What was done to tenants, and what is being done now
    #[command(subcommand)]
    Operation(Operation),
    /// The audit trail: read, verify, export, keep
    #[command(subcommand)]
    Audit(Box<Audit>),
    /// Call any method of the daemon with a JSON request
    Rpc(Rpc),
    /// Print the JSON Schema of a method's request and answer, or of what a command prints with --json
    Schema {
        /// A method (`tenants`) or the words of a command (`tenant create`); without one, list all names
        #[arg(value_name = "NAME")]
        name: Vec<String>,
    },
    /// Print the script that makes your shell complete our commands; load it in the shell's start file
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, for `man -l -`
    Man {
        /// Write a page for each command to this folder instead of printing one
        #[arg(long, value_name = "DIR")]
        directory: Option<PathBuf>,
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
    /// Write the blueprint.toml that fits a folder of migrations
    Init {
        path: PathBuf,
        /// What the blueprint is called [default: by the names of the folder and those above it]
        #[arg(long)]
        name: Option<String>,
    },
    /// Read and lint a folder; store nothing
    Check {
        path: PathBuf,
        /// Build it on this target too, in a transaction that is rolled back
        #[arg(long, value_name = "TARGET")]
        on: Option<String>,
    },
    /// Store a folder as a new, immutable version
    Add { path: PathBuf },
    /// Bring all tenants of a blueprint to a later version, in waves, while they serve
    Upgrade(Box<BlueprintUpgrade>),
    /// Bring the tenants of later versions back to an earlier one, where each file between has one that takes it back
    Downgrade(Box<BlueprintDowngrade>),
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
        /// Only operations that have not ended
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
    /// Stop an operation and undo what it did; once data is being dropped there is no way back
    Cancel {
        id: String,
        /// Return as soon as the daemon has accepted the cancellation
        #[arg(long)]
        no_wait: bool,
    },
    /// Repeat an operation that failed, was cancelled or needs attention
    Retry {
        id: String,
        #[command(flatten)]
        sending: Sending,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Rpc {
    /// The method's name: health, tenants, plan …
    pub(crate) method: String,
    /// The request as JSON, `-` to read it from standard input [default: {}]
    pub(crate) request: Option<String>,
}

/// `projects@1.2` → name and version.
pub(crate) fn name_and_version(text: &str) -> (String, Option<String>) {
    match text.split_once('@') {
        Some((name, version)) => (name.to_owned(), Some(version.to_owned())),
        None => (text.to_owned(), None),
    }
}

#[cfg(test)]
mod tests;
