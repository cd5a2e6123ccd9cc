//! The grammar of `tenantry tenant …`.
//!
//! Parses only; what requires the daemon or the file system is judged there.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use tenantry_protocol::tenant::state::TenantStage;

#[derive(Debug, Subcommand)]
pub(crate) enum Tenant {
    /// Provision a tenant, wait for it, and print its credentials
    Create(Box<Create>),
    /// The living tenants
    List(TenantListArguments),
    /// One tenant: facts, operations, isolation
    Show { slug: String },
    /// Close a tenant's logins and end its sessions; its data stays
    Suspend {
        slug: String,
        #[command(flatten)]
        sending: Sending,
    },
    /// Open the logins of a suspended tenant, or of a retired one within its grace period
    Resume {
        slug: String,
        #[command(flatten)]
        sending: Sending,
    },
    /// Attack a tenant's isolation with every probe, look through its catalog, and report
    Verify(Verify),
    /// How a tenant's objects differ from those of a new tenant of its version, and how to repair that
    Drift(DriftArguments),
    /// Change a tenant's name, labels or settings
    Update(Update),
    /// Bring a tenant to a later version of its blueprint, while it serves
    Upgrade {
        slug: String,
        /// The version to bring it to [default: the newest]
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
        #[command(flatten)]
        sending: Sending,
    },
    /// End a tenant as planned: suspend it, archive it, and remove it when its grace period is over
    Retire(Retire),
    /// Remove a tenant completely and now, as if it had never been; it is archived first
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
    /// Display name [default: the slug]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// What the tenant is made of; the newest version if none is given
    #[arg(long, value_name = "NAME[@VERSION]")]
    pub(crate) blueprint: String,
    /// Where it will live; optional if there is only one target
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
    /// Write the credentials to this new file (mode 0600) instead of printing the password
    #[arg(long, value_name = "PATH")]
    pub(crate) credentials_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct TenantListArguments {
    /// Only tenants in this state (repeatable)
    #[arg(long = "state", value_name = "STATE", value_parser = PossibleValuesParser::new(TenantStage::names()))]
    pub(crate) states: Vec<String>,
    /// Also tenants that were rolled back or retired
    #[arg(long)]
    pub(crate) all: bool,
    /// Only tenants for which there is a newer version of their blueprint
    #[arg(long)]
    pub(crate) behind: bool,
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
    #[command(flatten)]
    pub(crate) sending: Sending,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Which tenant
    #[arg(required_unless_present = "all")]
    pub(crate) slug: Option<String>,
    /// Every active or suspended tenant, one after another
    #[arg(long, conflicts_with = "slug")]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DriftArguments {
    /// Which tenant
    #[arg(required_unless_present = "all")]
    pub(crate) slug: Option<String>,
    /// Every active or suspended tenant, a few at a time
    #[arg(long, conflicts_with = "slug")]
    pub(crate) all: bool,
    /// Of all tenants, only those on this target
    #[arg(long, requires = "all", conflicts_with = "slug")]
    pub(crate) target: Option<String>,
}

/// How a change is sent.
#[derive(Debug, Args)]
pub(crate) struct Sending {
    /// The same key gives the same operation, however often it is sent
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
    /// Return as soon as the operation is accepted
    #[arg(long)]
    pub(crate) no_wait: bool,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
pub(crate) struct Update {
    pub(crate) slug: String,
    /// A new display name
    #[arg(long, group = "change")]
    pub(crate) name: Option<String>,
    /// A setting of the blueprint, for example connection_limit=20 (repeatable)
    #[arg(long = "set", value_name = "NAME=NUMBER", value_parser = setting, group = "change")]
    pub(crate) settings: Vec<(String, i64)>,
    /// Set a label (repeatable)
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label, group = "change")]
    pub(crate) labels: Vec<(String, String)>,
    /// Remove a label (repeatable)
    #[arg(long = "unlabel", value_name = "NAME", group = "change")]
    pub(crate) unlabel: Vec<String>,
    #[command(flatten)]
    pub(crate) sending: Sending,
}

#[derive(Debug, Args)]
pub(crate) struct Retire {
    pub(crate) slug: String,
    /// The tenant's name again
    #[arg(long, value_name = "SLUG")]
    pub(crate) confirm: String,
    /// How long `resume` can undo it: 30d, 12h, 90m, 45s; 0 removes it at once [default: the daemon's]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(crate) grace: Option<u64>,
    /// Remove its data without making an archive
    #[arg(long)]
    pub(crate) discard_data: bool,
    #[command(flatten)]
    pub(crate) sending: Sending,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialsAction {
    /// Set a new secret on the current login and print it, once
    Issue {
        /// The same key gives the same secret's record, never the secret again
        #[arg(long, value_name = "KEY")]
        idempotency_key: Option<String>,
        /// Write the credentials to this new file (mode 0600) instead of printing the password
        #[arg(long, value_name = "PATH")]
        credentials_file: Option<PathBuf>,
    },
    /// Open a second login with a new secret beside the current one, so that the application can move over
    Rotate {
        /// The same key gives the same secret's record, never the secret again
        #[arg(long, value_name = "KEY")]
        idempotency_key: Option<String>,
        /// Write the credentials to this new file (mode 0600) instead of printing the password
        #[arg(long, value_name = "PATH")]
        credentials_file: Option<PathBuf>,
    },
    /// Close the login that a rotation replaced, and end its sessions
    Finish {
        /// The same key closes the same login, however often it is sent
        #[arg(long, value_name = "KEY")]
        idempotency_key: Option<String>,
    },
}

fn setting(text: &str) -> Result<(String, i64), String> {
    let (name, value) = pair(text)?;
    let number = value.parse().map_err(|_| format!("'{value}' is not a whole number"))?;
    Ok((name, number))
}

pub(super) fn label(text: &str) -> Result<(String, String), String> {
    pair(text)
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}

/// `30d`, `12h`, `90m`, `45s`, `0` → seconds.
fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is no time: write a number and a unit, as 30d, 12h, 90m or 45s; or 0");
    if text == "0" {
        return Ok(0);
    }
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let unit = match unit {
        "d" => 86_400,
        "h" => 3_600,
        "m" => 60,
        "s" => 1,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(unit).ok_or_else(|| "that is longer than anything lasts".to_owned())
}
