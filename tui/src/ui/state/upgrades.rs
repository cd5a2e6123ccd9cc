//! Upgrades of many tenants: those that are known, how fast each goes, and the screens that show them.
//!
//! Invariant: a selection is an upgrade's id or a failure's key. The upgrades belong to the console, so that the list and the
//! screen of one never disagree. What is kept of each is bounded.

use std::collections::{BTreeMap, VecDeque};

use tenantry_protocol::id::UpgradeId;
use tenantry_protocol::upgrade::{FailureGroup, PauseCause, Upgrade, UpgradeState};
use time::{Duration, OffsetDateTime};

use super::{Answer, Screen, State};
use crate::ui::action::Hand;
use crate::ui::ticket::Ticket;

/// Upgrades in one page; for older ones there is the command line.
pub(crate) const PAGE: u32 = 50;
/// The most upgrades that are kept; the oldest are dropped first.
const MOST: usize = 100;
/// The rate is that of this span.
const SPAN: Duration = Duration::seconds(30);
/// Events come at most 4 times a second.
const MOST_SAMPLES: usize = 128;
/// A rate over less than this says little.
const LEAST_SPAN_S: f64 = 0.5;

#[derive(Debug, Default)]
pub(crate) struct Upgrades {
    known: BTreeMap<UpgradeId, FollowedUpgrade>,
}

#[derive(Debug)]
pub(crate) struct FollowedUpgrade {
    pub(crate) upgrade: Upgrade,
    /// The number of tenants that were through at that time, the newest last.
    samples: VecDeque<(OffsetDateTime, u64)>,
}

#[derive(Debug)]
pub(crate) struct UpgradesScreen {
    /// `None` selects the newest one, so that the selection stays on the newest.
    pub(crate) selection: Option<UpgradeId>,
    pub(crate) read: Answer<()>,
}

#[derive(Debug)]
pub(crate) struct UpgradeScreen {
    pub(crate) id: UpgradeId,
    pub(crate) failures: Answer<Vec<FailureGroup>>,
    /// The key of a failure; `None` selects the most frequent one.
    pub(crate) selection: Option<String>,
    /// The newest read; an earlier one that is answered late is not taken.
    pub(crate) asked: Ticket,
    pub(crate) asking: CancelQuestion,
}

/// Whether the screen asks if the upgrade is meant to be cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CancelQuestion {
    No,
    Asked,
}

impl Upgrades {
    /// Takes an upgrade as it is now. `at` is the time of the event that said so; an answer to a question has none.
    pub(crate) fn put(&mut self, upgrade: Upgrade, at: Option<OffsetDateTime>) {
        let followed = self
            .known
            .entry(upgrade.id)
            .or_insert_with(|| FollowedUpgrade { upgrade: upgrade.clone(), samples: VecDeque::new() });
        if let Some(at) = at {
            followed.sample(at, upgrade.counts.ended(), &upgrade.state);
        }
        followed.upgrade = upgrade;
        // Identifiers sort by time.
        while self.known.len() > MOST {
            self.known.pop_first();
        }
    }

    pub(crate) fn get(&self, id: UpgradeId) -> Option<&FollowedUpgrade> {
        self.known.get(&id)
    }

    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &FollowedUpgrade> {
        self.known.values().rev()
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    pub(crate) fn running(&self) -> usize {
        let runs = |state: &UpgradeState| matches!(state, UpgradeState::Rehearsing | UpgradeState::Running);
        self.known.values().filter(|followed| runs(&followed.upgrade.state)).count()
    }
}

impl FollowedUpgrade {
    fn sample(&mut self, at: OffsetDateTime, ended: u64, state: &UpgradeState) {
        // After a pause or a retry, what was before says nothing about the rate.
        let is_apart = self.samples.back().is_some_and(|(_, before)| ended < *before);
        if is_apart || *state != UpgradeState::Running {
            self.samples.clear();
        }
        if *state == UpgradeState::Running {
            self.samples.push_back((at, ended));
        }
        while self.samples.len() > MOST_SAMPLES
            || self.samples.get(1).is_some_and(|(second, _)| at - *second > SPAN)
        {
            self.samples.pop_front();
        }
    }

    /// Tenants per second, lately; `None` if too little was seen to say.
    pub(crate) fn rate(&self, now: OffsetDateTime) -> Option<f64> {
        let (first, before) = self.samples.front()?;
        let (_, ended) = self.samples.back()?;
        let seconds = (now - *first).as_seconds_f64();
        let through = ended.saturating_sub(*before);
        (through > 0 && seconds >= LEAST_SPAN_S).then(|| through as f64 / seconds)
    }

    /// The time until all tenants are through, if it goes on like this.
    pub(crate) fn left(&self, now: OffsetDateTime) -> Option<Duration> {
        let counts = self.upgrade.counts;
        let seconds = (counts.pending + counts.running) as f64 / self.rate(now)?;
        Duration::checked_seconds_f64(seconds)
    }
}

impl UpgradesScreen {
    pub(crate) const fn new() -> Self {
        Self { selection: None, read: Answer::Awaited }
    }

    pub(crate) fn selected<'a>(&self, state: &'a State) -> Option<&'a FollowedUpgrade> {
        let chosen = self.selection.and_then(|id| state.upgrades.get(id));
        chosen.or_else(|| state.upgrades.newest_first().next())
    }

    pub(crate) fn selected_row(&self, state: &State) -> usize {
        let row =
            state.upgrades.newest_first().position(|followed| Some(followed.upgrade.id) == self.selection);
        row.unwrap_or(0)
    }
}

impl UpgradeScreen {
    pub(crate) const fn new(id: UpgradeId, asked: Ticket) -> Self {
        Self { id, failures: Answer::Awaited, selection: None, asked, asking: CancelQuestion::No }
    }

    pub(crate) fn failures(&self) -> &[FailureGroup] {
        match &self.failures {
            Answer::Given(failures) => failures,
            Answer::Awaited | Answer::Refused(_) => &[],
        }
    }

    pub(crate) fn selected_row(&self) -> usize {
        let chosen = self.selection.as_deref();
        self.failures().iter().position(|group| Some(group.key.as_str()) == chosen).unwrap_or(0)
    }

    pub(crate) fn selected(&self) -> Option<&FailureGroup> {
        self.failures().get(self.selected_row())
    }
}

impl State {
    /// The upgrade that the screen, or the selection on it, is about.
    pub(crate) fn upgrade_at_hand(&self) -> Option<&Upgrade> {
        let followed = match self.screen() {
            Screen::Upgrades(screen) => screen.selected(self),
            Screen::Upgrade(screen) => self.upgrades.get(screen.id),
            _ => None,
        };
        followed.map(|followed| &followed.upgrade)
    }
}

/// Whether an operator has to do something before it goes on.
pub(crate) const fn waits_for_somebody(state: &UpgradeState) -> bool {
    matches!(state, UpgradeState::Paused { by, .. } if !matches!(by, PauseCause::Operator))
}

pub(crate) const fn can_do(upgrade: &Upgrade, hand: Hand) -> bool {
    match hand {
        Hand::Pause => matches!(upgrade.state, UpgradeState::Rehearsing | UpgradeState::Running),
        Hand::Resume => matches!(upgrade.state, UpgradeState::Paused { .. }),
        Hand::Cancel => !upgrade.state.is_final(),
        Hand::Retry => upgrade.counts.bad() > 0,
    }
}
