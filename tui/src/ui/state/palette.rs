//! The command palette: what was typed, and the entries that fit it.
//!
//! Invariant: an entry is frozen when it is listed. Changes behind the palette change neither its order nor what it does.

use tenantry_protocol::id::TenantId;
use tui_input::Input;

use crate::ui::action::{Action, Place};

#[derive(Debug)]
pub(crate) struct Palette {
    pub(crate) input: Input,
    pub(crate) entries: Vec<PaletteEntry>,
    pub(crate) selected: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PaletteEntry {
    /// What to type for it.
    pub(crate) name: String,
    pub(crate) meaning: String,
    /// The key that does the same on this screen, if one does.
    pub(crate) key: &'static str,
    pub(crate) run: Run,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Run {
    /// The same as pressing its key.
    Act(Action),
    /// The command needs one more word.
    Ask(&'static str),
    Show(Place),
    Open(TenantId),
    Operation(TenantId),
    Credentials(TenantId),
    Rollback(TenantId),
    SuspendTenant(TenantId),
    ResumeTenant(TenantId),
    Verify(TenantId),
    VerifyAll,
    Isolation(TenantId),
    New(String),
    Filter(String),
    Audit(String),
    VerifyTrail,
    Export,
}

impl Palette {
    pub(crate) fn chosen(&self) -> Option<&PaletteEntry> {
        self.entries.get(self.selected)
    }

    /// What the input becomes when the chosen entry is completed.
    pub(crate) fn completed(&self) -> Option<String> {
        let entry = self.chosen()?;
        Some(match &entry.run {
            Run::Ask(name) => format!("{name} "),
            _ => entry.name.clone(),
        })
    }
}
