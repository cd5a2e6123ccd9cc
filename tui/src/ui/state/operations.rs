//! The list of operations: which of the known ones is selected.
//!
//! Invariant: the selection is an operation's id. The operations themselves belong to the console, so that the list, the
//! live screen and the list of tenants never disagree.

use tenantry_protocol::id::OperationId;

use super::operation::Live;
use super::{Answer, State};

/// Operations in one page; for older ones there is the command line.
pub(crate) const PAGE: u32 = 100;

#[derive(Debug)]
pub(crate) struct OperationsScreen {
    /// `None` selects the newest one, so that the selection stays on the newest.
    pub(crate) selection: Option<OperationId>,
    pub(crate) read: Answer<()>,
}

impl OperationsScreen {
    pub(crate) const fn new() -> Self {
        Self { selection: None, read: Answer::Awaited }
    }

    pub(crate) fn selected<'a>(&self, state: &'a State) -> Option<&'a Live> {
        match self.selection {
            Some(id) => state.operations.get(&id),
            None => None,
        }
        .or_else(|| newest_first(state).next())
    }

    /// The row of the selection; if its operation was dropped, the row of the next older one.
    pub(crate) fn selected_row(&self, state: &State) -> usize {
        self.selection.map_or(0, |id| {
            state.operations.range((std::ops::Bound::Excluded(id), std::ops::Bound::Unbounded)).count()
        })
    }
}

/// Operations that run and that ran, newest first: identifiers sort by time.
pub(crate) fn newest_first(state: &State) -> impl Iterator<Item = &Live> {
    state.operations.values().rev()
}
