//! The list of tenants: rows, filter, order, marks and selection.
//!
//! Invariant: selection and marks are tenants' ids, so nothing that is loaded, filtered or sorted moves them to another
//! tenant. `visible` holds indices of `rows` in the order in which they are shown.

use std::collections::{HashMap, HashSet};

use tenantry_protocol::blueprint::Blueprint;
use tenantry_protocol::id::TenantId;
use tenantry_protocol::name::{BlueprintName, BlueprintVersion};
use tenantry_protocol::tenant::{Tenant, TenantState};
use tui_input::Input;

use super::fuzzy;
use super::sorting::{Column, Sort};
use crate::behind::NewestVersions;

/// The word of a filter that keeps the tenants for which there is a newer version.
pub(crate) const BEHIND: &str = "behind:";

#[derive(Debug, Default)]
pub(crate) struct Tenants {
    /// Ordered by slug, then newest first.
    rows: Vec<Tenant>,
    by_id: HashMap<TenantId, usize>,
    visible: Vec<usize>,
    selected: Option<TenantId>,
    marked: HashSet<TenantId>,
    newest: NewestVersions,
    /// How many rows are behind; counted where rows change, since a frame has no time to look at all of them.
    behind: usize,
    sort: Sort,
    /// A row changed in a way that may have changed its place.
    unsettled: bool,
    /// The first visible row on the screen.
    top: usize,
    pub(crate) filter: Input,
    pub(crate) typing: Typing,
    pub(crate) loaded: Loaded,
}

/// Whether keys go to the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Typing {
    #[default]
    No,
    Filter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Loaded {
    #[default]
    NotYet,
    Yes,
}

impl Tenants {
    /// Replaces our list with the daemon's. Returns the tenants that lived when we last heard of them and are no longer
    /// listed: they ended unseen, and the operator should be told how.
    pub(crate) fn replace(&mut self, mut rows: Vec<Tenant>) -> Vec<TenantId> {
        let place = self.selected_row();
        let listed: HashSet<TenantId> = rows.iter().map(|row| row.id).collect();
        let lived = self.rows.iter().filter(|row| is_living(&row.state) && !listed.contains(&row.id));
        let ended = lived.map(|row| row.id).collect();
        rows.sort_by(order);
        self.rows = rows;
        self.loaded = Loaded::Yes;
        self.reindex();
        self.marked.retain(|id| self.by_id.contains_key(id));
        self.refilter();
        self.reselect(place);
        ended
    }

    /// Takes one tenant in its present state. A removed tenant stays on the list until the next reload, so that its end is
    /// seen, but nothing can be done to it any more. [`Tenants::settle`] moves it to its place.
    pub(crate) fn put(&mut self, tenant: Tenant) {
        if !is_living(&tenant.state) {
            self.marked.remove(&tenant.id);
        }
        if self.loaded == Loaded::Yes && self.newest.learn(&tenant.blueprint, tenant.version) {
            self.count_behind();
        }
        if let Some(index) = self.by_id.get(&tenant.id) {
            let row = &mut self.rows[*index];
            let was = usize::from(self.newest.ahead_of(row).is_some());
            let is = usize::from(self.newest.ahead_of(&tenant).is_some());
            self.behind = self.behind + is - was;
            *row = tenant;
            self.unsettled |= self.sort.column != Column::Tenant;
            return;
        }
        if self.loaded == Loaded::NotYet {
            // The whole list is about to arrive.
            return;
        }
        let place = self.selected_row();
        let index = self.rows.partition_point(|row| order(row, &tenant).is_lt());
        self.rows.insert(index, tenant);
        self.reindex();
        self.refilter();
        self.reselect(place);
    }

    pub(crate) fn refilter(&mut self) {
        let (only_behind, needle) = words(self.filter.value());
        if needle.is_empty() {
            self.visible = (0..self.rows.len()).collect();
        } else {
            let names: Vec<String> =
                self.rows.iter().map(|row| format!("{} {}", row.slug, row.display_name)).collect();
            self.visible = fuzzy::search(&needle, &names);
        }
        if only_behind {
            self.visible.retain(|index| self.newest.ahead_of(&self.rows[*index]).is_some());
        }
        self.arrange();
    }

    /// These versions are stored.
    pub(crate) fn set_newest(&mut self, blueprints: &[Blueprint]) {
        self.newest = NewestVersions::of(blueprints);
        let place = self.selected_row();
        self.count_behind();
        if words(self.filter.value()).0 {
            self.refilter();
            self.reselect(place);
        }
    }

    pub(crate) fn newest(&self, name: &BlueprintName) -> Option<BlueprintVersion> {
        self.newest.get(name)
    }

    /// The version that the tenant could have; `None` if it has the newest.
    pub(crate) fn ahead_of(&self, tenant: &Tenant) -> Option<BlueprintVersion> {
        self.newest.ahead_of(tenant)
    }

    pub(crate) const fn behind(&self) -> usize {
        self.behind
    }

    fn count_behind(&mut self) {
        self.behind = self.rows.iter().filter(|row| self.newest.ahead_of(row).is_some()).count();
    }

    fn arrange(&mut self) {
        self.unsettled = false;
        // By default, rows are ordered by name, or best match first during a search. Any other order sorts them.
        if self.sort != Sort::default() {
            let (rows, sort) = (&self.rows, self.sort);
            self.visible.sort_by(|a, b| sort.compare((&rows[*a], *a), (&rows[*b], *b)));
        }
    }

    /// Moves changed rows to their places, once for any number of changes.
    pub(crate) fn settle(&mut self) {
        if self.unsettled {
            self.arrange();
        }
    }

    /// The order on the screen; `None` if the best match is first.
    pub(crate) fn sort(&self) -> Option<Sort> {
        let searched = !words(self.filter.value()).1.is_empty();
        (!searched || self.sort != Sort::default()).then_some(self.sort)
    }

    pub(crate) fn sort_by_next(&mut self) {
        self.sort = self.sort.next();
        self.refilter();
    }

    pub(crate) fn reverse(&mut self) {
        self.sort = self.sort.reversed();
        self.refilter();
    }

    /// Marks the selected tenant, or removes its mark.
    pub(crate) fn toggle_mark(&mut self) {
        if let Some(id) = self.selected().map(|tenant| tenant.id)
            && !self.marked.remove(&id)
        {
            self.marked.insert(id);
        }
    }

    /// Marks all tenants that the filter shows; if they are all marked, unmarks them.
    pub(crate) fn toggle_all(&mut self) {
        let shown: Vec<TenantId> = self.visible.iter().map(|index| self.rows[*index].id).collect();
        if shown.iter().all(|id| self.marked.contains(id)) {
            shown.iter().for_each(|id| {
                self.marked.remove(id);
            });
        } else {
            self.marked.extend(shown);
        }
    }

    pub(crate) fn clear_marks(&mut self) {
        self.marked.clear();
    }

    pub(crate) fn marks(&self) -> usize {
        self.marked.len()
    }

    /// How many marked tenants the filter hides.
    pub(crate) fn hidden_marks(&self) -> usize {
        if self.marked.is_empty() {
            return 0;
        }
        let shown = self.visible.iter().filter(|index| self.marked.contains(&self.rows[**index].id));
        self.marked.len() - shown.count()
    }

    /// Ordered by name, whatever the order on the screen.
    pub(crate) fn marked(&self) -> impl Iterator<Item = &Tenant> {
        self.rows.iter().filter(|row| self.marked.contains(&row.id))
    }

    pub(crate) fn filter_changed(&mut self) {
        self.refilter();
        self.selected = None;
        self.top = 0;
        self.reselect(None);
    }

    pub(crate) fn selected(&self) -> Option<&Tenant> {
        let id = self.selected?;
        self.by_id.get(&id).and_then(|index| self.rows.get(*index))
    }

    pub(crate) fn get(&self, id: TenantId) -> Option<&Tenant> {
        self.by_id.get(&id).and_then(|index| self.rows.get(*index))
    }

    /// The living tenant of this name; removed ones do not count.
    pub(crate) fn living(&self, slug: &str) -> Option<&Tenant> {
        let first = self.rows.partition_point(|row| row.slug.as_str() < slug);
        self.rows[first..]
            .iter()
            .take_while(|row| row.slug.as_str() == slug)
            .find(|row| is_living(&row.state))
    }

    /// The living tenant of this name, else the newest one that was removed.
    pub(crate) fn named(&self, slug: &str) -> Option<&Tenant> {
        let first = self.rows.partition_point(|row| row.slug.as_str() < slug);
        self.living(slug).or_else(|| self.rows.get(first).filter(|row| row.slug.as_str() == slug))
    }

    pub(crate) fn rows(&self) -> &[Tenant] {
        &self.rows
    }

    /// The row of the selection among the visible rows.
    pub(crate) fn selected_row(&self) -> Option<usize> {
        let id = self.selected?;
        self.visible.iter().position(|index| self.rows[*index].id == id)
    }

    pub(crate) fn select_row(&mut self, row: usize, page: usize) {
        let row = row.min(self.visible.len().saturating_sub(1));
        self.selected = self.visible.get(row).map(|index| self.rows[*index].id);
        self.keep_in_view(page);
    }

    /// Scrolls just far enough that the selection is among the `page` rows on the screen.
    pub(crate) fn keep_in_view(&mut self, page: usize) {
        let page = page.max(1);
        let row = self.selected_row().unwrap_or(0);
        if row < self.top {
            self.top = row;
        } else if row >= self.top + page {
            self.top = row + 1 - page;
        }
        self.top = self.top.min(self.visible.len().saturating_sub(page));
    }

    /// The rows of one page, each with its selection and mark.
    pub(crate) fn window(&self, page: usize) -> impl Iterator<Item = (&Tenant, Selection, Mark)> {
        self.visible.iter().skip(self.top).take(page).map(|index| {
            let row = &self.rows[*index];
            let selection =
                if self.selected == Some(row.id) { Selection::Here } else { Selection::Elsewhere };
            (row, selection, if self.marked.contains(&row.id) { Mark::Set } else { Mark::Unset })
        })
    }

    pub(crate) const fn visible_len(&self) -> usize {
        self.visible.len()
    }

    pub(crate) const fn len(&self) -> usize {
        self.rows.len()
    }

    fn reindex(&mut self) {
        self.by_id = self.rows.iter().enumerate().map(|(index, row)| (row.id, index)).collect();
        self.count_behind();
    }

    /// Keeps the selected tenant selected; if it is gone, selects the one that took its place on the screen.
    fn reselect(&mut self, place: Option<usize>) {
        if self.selected_row().is_some() {
            return;
        }
        let row = place.unwrap_or(0).min(self.visible.len().saturating_sub(1));
        self.selected = self.visible.get(row).map(|index| self.rows[*index].id);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selection {
    Here,
    Elsewhere,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Set,
    Unset,
}

/// Whether a filter keeps only tenants that are behind, and the letters of names in it.
fn words(filter: &str) -> (bool, String) {
    let (behind, names): (Vec<&str>, Vec<&str>) = filter.split_whitespace().partition(|word| *word == BEHIND);
    (!behind.is_empty(), names.join(" "))
}

fn order(a: &Tenant, b: &Tenant) -> std::cmp::Ordering {
    a.slug.cmp(&b.slug).then_with(|| b.id.cmp(&a.id))
}

pub(crate) const fn is_living(state: &TenantState) -> bool {
    !matches!(state, TenantState::RolledBack { .. } | TenantState::Retired)
}

pub(crate) fn can_suspend(state: &TenantState) -> bool {
    *state == TenantState::Active
}

/// Its logins are closed, and its data still exists.
pub(crate) const fn can_resume(state: &TenantState) -> bool {
    matches!(state, TenantState::Suspended | TenantState::Retiring { purge_after: Some(_) })
}

/// A rollback of it can be requested.
pub(crate) const fn can_roll_back(state: &TenantState) -> bool {
    matches!(state, TenantState::Active | TenantState::Suspended | TenantState::NeedsAttention { .. })
}
