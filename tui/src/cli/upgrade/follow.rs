//! Waits for the end of an upgrade of many tenants, or for what pauses it, and reports its progress meanwhile.
//!
//! It never ends an upgrade. A pause that an operator asked for is waited out.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tenantry_protocol::upgrade::{PauseCause, Upgrade, UpgradeChangeRequest, UpgradeState};
use tenantry_protocol::watch::{EventBody, WatchRequest};

use super::{headline, print_status};
use crate::cli::Context;
use crate::cli::error::CliError;
use crate::cli::output::Progress;
use crate::client::{Client, reconnect};
use crate::text;

/// The length of one long poll. If it passes without news, the upgrade is read again.
const POLL_MS: u64 = 5_000;

pub(super) async fn to_its_end(
    context: &Context,
    mut client: Client,
    mut upgrade: Upgrade,
) -> Result<(), CliError> {
    let id = upgrade.id;
    let mut cursor = Some(client.watch(WatchRequest::default()).await?.cursor);
    let mut reporter = UpgradeReporter::new(context);
    // It may have ended before the place in the stream was taken.
    let again = UpgradeChangeRequest { upgrade: Some(id.to_string()) };
    upgrade = client.upgrade_status(again.clone()).await.map_or(upgrade, |status| status.upgrade);
    while !is_at_rest(&upgrade.state) {
        reporter.report(&upgrade);
        let answer = match client.watch(WatchRequest { cursor, operation: None, wait_ms: POLL_MS }).await {
            Ok(answer) => answer,
            Err(error) if error.is_loss() => {
                client = reconnect(&client, None, error).await?;
                upgrade = client.upgrade_status(again.clone()).await?.upgrade;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        cursor = Some(answer.cursor);
        let newest = answer.events.into_iter().rev().find_map(|event| match event.body {
            EventBody::Upgrade { upgrade } if upgrade.id == id => Some(*upgrade),
            _ => None,
        });
        match newest {
            Some(newest) => upgrade = newest,
            None if answer.resync => upgrade = client.upgrade_status(again.clone()).await?.upgrade,
            None => {}
        }
    }
    reporter.clear();
    let status = client.upgrade_status(again).await?;
    print_status(context, &status)?;
    verdict(&status.upgrade)
}

/// Whether nothing more happens until an operator does something.
const fn is_at_rest(state: &UpgradeState) -> bool {
    match state {
        UpgradeState::Rehearsing | UpgradeState::Running => false,
        UpgradeState::Paused { by, .. } => !matches!(by, PauseCause::Operator),
        _ => true,
    }
}

fn verdict(upgrade: &Upgrade) -> Result<(), CliError> {
    let line = headline(upgrade);
    match &upgrade.state {
        UpgradeState::Succeeded => Ok(()),
        UpgradeState::Paused { .. } => Err(CliError::Attention(line)),
        UpgradeState::Partial if upgrade.counts.partly > 0 => Err(CliError::Attention(line)),
        _ => Err(CliError::Findings(line)),
    }
}

/// A bar where people look, else a line at each change.
struct UpgradeReporter<'a> {
    context: &'a Context,
    bar: Option<ProgressBar>,
    said: String,
}

impl<'a> UpgradeReporter<'a> {
    fn new(context: &'a Context) -> Self {
        let shown = context.output.progress == Progress::Shown && io::stderr().is_terminal();
        let bar = shown.then(|| {
            let bar = ProgressBar::new(0);
            if let Ok(style) =
                ProgressStyle::with_template("{prefix} {bar:24} {pos}/{len} {elapsed} {wide_msg}")
            {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        Self { context, bar, said: String::new() }
    }

    fn report(&mut self, upgrade: &Upgrade) {
        let Some(bar) = &self.bar else {
            let line = headline(upgrade);
            if line != self.said {
                self.context.output.note(&line);
                self.said = line;
            }
            return;
        };
        bar.set_prefix(text::line(&upgrade.destination()));
        bar.set_length(upgrade.counts.all());
        bar.set_position(upgrade.counts.ended());
        let paused = match upgrade.state {
            UpgradeState::Rehearsing => ", rehearsing",
            UpgradeState::Running => "",
            _ => ", paused",
        };
        bar.set_message(format!(
            "wave {} of {}, {} failed{paused}",
            upgrade.wave + 1,
            upgrade.waves,
            upgrade.counts.failed + upgrade.counts.partly
        ));
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
