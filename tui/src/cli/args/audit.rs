//! The grammar of `tenantry audit …`.
//!
//! Parses only; what requires the daemon or the file system is judged there. Time spans are counted back from the start of
//! the command.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand, ValueEnum};
use tenantry_protocol::audit::{AuditFilter, ExportFormat};
use time::OffsetDateTime;

use crate::filter::{Day, OUTCOMES, moment};

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// The newest events
    List(AuditList),
    /// Everything about one event
    Show {
        #[arg(value_parser = clap::value_parser!(i64).range(1..))]
        seq: i64,
    },
    /// Check that the trail is unchanged: in the daemon, or in an export without a daemon
    Verify(AuditVerify),
    /// Write events to a file
    Export(AuditExport),
    /// Print the public part of the key that signs the trail
    Key,
    /// Sign with a new key from now on; the old key vouches for it
    RotateKey,
    /// Acknowledge a known loss of events, after a restore from an older copy
    Acknowledge(Acknowledge),
    /// Remove what names a customer or a person from events; the chain still verifies
    Redact(Redact),
    /// List the parts of the trail that are kept or pruned as a whole, and what holds them
    Segments,
    /// Keep events from being pruned or redacted
    Hold(Hold),
    /// End a hold
    Release {
        /// The hold's name
        name: String,
    },
    /// Drop sealed segments that are old enough; their last checkpoint stays
    Prune(Prune),
}

/// The events to select.
#[derive(Debug, Clone, Args)]
pub(crate) struct Filter {
    /// About the tenants that have or had this name
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,
    /// About the tenant with this id
    #[arg(long, value_name = "ID")]
    tenant_id: Option<String>,
    /// By this account, its name or number; `tenantryd` for the daemon itself
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// This action; with a trailing `*`, all actions that begin with it
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// With this outcome; `intent` for those without one
    #[arg(long, value_parser = PossibleValuesParser::new(OUTCOMES))]
    outcome: Option<String>,
    /// From this time on: 2026-11-20, 2026-11-20T23:40:00Z, or a span back such as 90s, 15m, 3h, 2d, 4w
    #[arg(long, value_name = "TIME", value_parser = from)]
    since: Option<OffsetDateTime>,
    /// Before this time; a date includes the whole of that day
    #[arg(long, value_name = "TIME", value_parser = to)]
    until: Option<OffsetDateTime>,
    /// Of this operation
    #[arg(long, value_name = "ID")]
    operation: Option<String>,
    /// With this text in the actor, the tenant's name, the action or the detail
    #[arg(long)]
    text: Option<String>,
}

impl From<Filter> for AuditFilter {
    fn from(filter: Filter) -> Self {
        Self {
            slug: filter.tenant,
            tenant_id: filter.tenant_id,
            actor: filter.actor,
            action: filter.action,
            outcome: filter.outcome,
            since: filter.since,
            until: filter.until,
            operation_id: filter.operation,
            text: filter.text,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct AuditList {
    #[command(flatten)]
    pub(crate) filter: Filter,
    #[command(flatten)]
    pub(crate) limits: Limits,
    /// Continue with new events as they come, the newest last
    #[arg(long, conflicts_with = "before")]
    pub(crate) follow: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Limits {
    /// Only events older than this number
    #[arg(long, value_name = "SEQ")]
    pub(crate) before: Option<i64>,
    /// Rows, 1 to 500
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(crate) limit: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct AuditVerify {
    /// Also check the trail against anchors that were kept elsewhere
    #[arg(long, value_name = "FILE")]
    pub(crate) anchors: Option<PathBuf>,
    /// An export (JSONL) to verify instead of the daemon's trail; contacts no daemon
    #[arg(long, value_name = "EXPORT", requires = "key")]
    pub(crate) file: Option<PathBuf>,
    /// The public key, as `audit key` printed it at a time when the trail could be trusted
    #[arg(long, value_name = "PEM", requires = "file")]
    pub(crate) key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct AuditExport {
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// The format; only jsonl can be verified
    #[arg(long, value_enum, default_value = "jsonl")]
    pub(crate) format: FormatArgument,
    /// The file to write (mode 0600) [default: standard output, unless it is a terminal]
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Overwrite the file if it exists
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArgument {
    /// One line of JSON for each event, with what a verification needs
    Jsonl,
    /// Safe to open in a spreadsheet
    Csv,
    /// One line for each event in the Open Cybersecurity Schema Framework
    Ocsf,
}

impl From<FormatArgument> for ExportFormat {
    fn from(format: FormatArgument) -> Self {
        match format {
            FormatArgument::Jsonl => Self::Jsonl,
            FormatArgument::Csv => Self::Csv,
            FormatArgument::Ocsf => Self::Ocsf,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Acknowledge {
    /// The first lost event, as `audit verify` or `status` names it
    #[arg(value_parser = clap::value_parser!(i64).range(1..))]
    pub(crate) seq: i64,
    /// Why it is lost; recorded in the trail
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("whose").required(true))]
pub(crate) struct Redact {
    /// Names and free text in all events of the removed tenants of this name
    #[arg(long, value_name = "SLUG", group = "whose")]
    pub(crate) tenant: Option<String>,
    /// This account's name, as an actor, in all events
    #[arg(long, value_name = "NAME", group = "whose")]
    pub(crate) actor: Option<String>,
    /// The same name again
    #[arg(long, value_name = "NAME")]
    pub(crate) confirm: String,
}

#[derive(Debug, Args)]
pub(crate) struct Hold {
    /// The name of the hold: lower-case letters, digits and hyphens, at most 40
    pub(crate) name: String,
    /// Only events of the tenants of this name [default: all events]
    #[arg(long, value_name = "SLUG")]
    pub(crate) tenant: Option<String>,
    /// Why they are kept
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("age").required(true))]
pub(crate) struct Prune {
    /// Drop segments whose events are all older than this: 2026-11-20, 2026-11-20T23:40:00Z, or a span back such as 52w
    #[arg(long, value_name = "TIME", value_parser = from, group = "age")]
    pub(crate) before: Option<OffsetDateTime>,
    /// Drop segments whose events are all older than this many days
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000), group = "age")]
    pub(crate) keep_days: Option<u32>,
    /// Only say what would be dropped
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Drop them; what is dropped cannot be brought back
    #[arg(long, required_unless_present = "dry_run")]
    pub(crate) confirm: bool,
}

fn from(text: &str) -> Result<OffsetDateTime, String> {
    moment(text, OffsetDateTime::now_utc(), Day::Begin)
}

fn to(text: &str) -> Result<OffsetDateTime, String> {
    moment(text, OffsetDateTime::now_utc(), Day::End)
}
