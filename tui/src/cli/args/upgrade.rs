//! The grammar of `tenantry blueprint upgrade`, `tenantry blueprint downgrade` and `tenantry upgrade …`.
//!
//! Parses only; what requires the daemon is judged there.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use tenantry_protocol::upgrade::UnitState;

use super::tenant::{Sending, label};

#[derive(Debug, Args)]
pub(crate) struct BlueprintUpgrade {
    /// The blueprint, and the version to bring its tenants to [default: the newest]
    #[arg(value_name = "NAME[@VERSION]")]
    pub(crate) name: String,
    /// Upgrade tenants that are known to have drifted, too
    #[arg(long)]
    pub(crate) accept_drift: bool,
    #[command(flatten)]
    pub(crate) choices: UpgradeChoices,
}

#[derive(Debug, Args)]
pub(crate) struct BlueprintDowngrade {
    /// The blueprint, and the earlier version that its tenants go back to
    #[arg(value_name = "NAME@VERSION")]
    pub(crate) name: String,
    /// The blueprint's name again: what later versions added is taken away, with what tenants wrote into it
    #[arg(long, value_name = "NAME", required_unless_present = "plan")]
    pub(crate) confirm: Option<String>,
    #[command(flatten)]
    pub(crate) choices: UpgradeChoices,
}

/// Which tenants, how fast, and what is shown or approved before.
#[derive(Debug, Args)]
pub(crate) struct UpgradeChoices {
    /// Only tenants on this target (repeatable)
    #[arg(long = "target", value_name = "NAME")]
    pub(crate) targets: Vec<String>,
    /// Only this tenant (repeatable)
    #[arg(long = "tenant", value_name = "SLUG")]
    pub(crate) tenants: Vec<String>,
    /// Only tenants with this label (repeatable)
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    pub(crate) labels: Vec<(String, String)>,
    /// How many tenants go first, alone [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) pilot: Option<u32>,
    /// The share of the others in each wave, in percent [default: 10]
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub(crate) wave: Option<u32>,
    /// How many tenants of a target at a time [default: 4]
    #[arg(long, value_name = "N")]
    pub(crate) width: Option<u32>,
    /// Pause after this many failures, or this share of all tenants [default: 3]
    #[arg(long, value_name = "N|PERCENT")]
    pub(crate) stop_after: Option<String>,
    /// Pause after each wave
    #[arg(long)]
    pub(crate) manual: bool,
    /// Print the plan (versions, files, waves, findings, hash) and stop
    #[arg(long, conflicts_with_all = ["no_wait", "approve", "idempotency_key"])]
    pub(crate) plan: bool,
    /// With --plan: try it on blank placements, and print what it locks, what it rewrites and how long it takes
    #[arg(long, requires = "plan")]
    pub(crate) rehearse: bool,
    /// Run only if the plan still has this hash
    #[arg(long, value_name = "HASH")]
    pub(crate) approve: Option<String>,
    #[command(flatten)]
    pub(crate) sending: Sending,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Upgrade {
    /// The newest upgrades
    List {
        /// Rows, 1 to 200
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: Option<u32>,
    },
    /// One upgrade: waves, counts, failures
    Show {
        #[command(flatten)]
        which: Which,
    },
    /// Follow an upgrade until it ends or something pauses it
    Watch {
        #[command(flatten)]
        which: Which,
    },
    /// Its tenants, in the order in which they begin
    Tenants {
        #[command(flatten)]
        which: Which,
        /// Only tenants in this state (repeatable)
        #[arg(long = "state", value_name = "STATE", value_parser = PossibleValuesParser::new(UnitState::ALL.map(UnitState::name)))]
        states: Vec<String>,
    },
    /// The tenants that failed, were skipped or are partly upgraded, with the reason
    Failures {
        #[command(flatten)]
        which: Which,
    },
    /// Begin no further tenant; those that run end by themselves
    Pause {
        #[command(flatten)]
        which: Which,
    },
    /// Go on, also past what paused it
    Resume {
        #[command(flatten)]
        which: Which,
    },
    /// End it; tenants that were upgraded stay so
    Cancel {
        #[command(flatten)]
        which: Which,
    },
    /// Try the tenants again that failed, were skipped or are partly upgraded
    Retry {
        #[command(flatten)]
        which: Which,
    },
}

/// One of the upgrades.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Its id [default: the newest]
    #[arg(value_name = "ID")]
    pub(crate) id: Option<String>,
}

/// `10` or `10%`.
fn percent(text: &str) -> Result<u32, String> {
    text.strip_suffix('%')
        .unwrap_or(text)
        .parse()
        .map_err(|_| "a percentage such as 10% is needed".to_owned())
}
