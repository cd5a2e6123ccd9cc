//! What the command palette's keys do: choosing, completing, running.
//!
//! Invariant: it is closed before the chosen entry runs, so that the entry sees the same screens as its key would.

use tenantry_protocol::id::TenantId;
use tui_input::Input;

use super::{audit, begin, export, open, verify, wizard};
use crate::ui::action::Action;
use crate::ui::commands;
use crate::ui::event::Effect;
use crate::ui::state::palette::{Palette, Run};
use crate::ui::state::tenants::Typing;
use crate::ui::state::{Overlay, State};

pub(super) fn open_it(state: &mut State) {
    let entries = commands::matching(state, "");
    state.overlay = Overlay::Palette(Box::new(Palette { input: Input::default(), entries, selected: 0 }));
}

/// The input changed: the list follows it.
pub(super) fn search(state: &mut State) {
    let Overlay::Palette(mut palette) = std::mem::replace(&mut state.overlay, Overlay::None) else { return };
    palette.selected = 0;
    palette.entries = commands::matching(state, palette.input.value());
    state.overlay = Overlay::Palette(palette);
}

pub(super) fn scroll(palette: &mut Palette, by: isize) {
    let last = palette.entries.len().saturating_sub(1);
    palette.selected = palette.selected.saturating_add_signed(by).min(last);
}

pub(super) fn complete(state: &mut State) {
    if let Overlay::Palette(palette) = &mut state.overlay
        && let Some(text) = palette.completed()
    {
        palette.input = Input::new(text);
        search(state);
    }
}

/// What the chosen entry leads to.
pub(super) enum Chosen {
    /// The same as pressing its key.
    Action(Action),
    Effects(Vec<Effect>),
}

pub(super) fn choose(state: &mut State) -> Chosen {
    let Overlay::Palette(palette) = &state.overlay else { return Chosen::Effects(Vec::new()) };
    if let Some(Run::Act(action)) = palette.chosen().map(|entry| entry.run.clone()) {
        state.overlay = Overlay::None;
        return Chosen::Action(action);
    }
    Chosen::Effects(run(state))
}

fn run(state: &mut State) -> Vec<Effect> {
    let Overlay::Palette(palette) = &state.overlay else { return Vec::new() };
    let Some(entry) = palette.chosen().cloned() else {
        state.notice = Some("no command of this name; esc closes".to_owned());
        return Vec::new();
    };
    if matches!(entry.run, Run::Ask(_)) {
        complete(state);
        return Vec::new();
    }
    state.overlay = Overlay::None;
    match entry.run {
        Run::Act(_) | Run::Ask(_) => Vec::new(),
        Run::Show(place) => open::place(state, place),
        Run::Open(id) => {
            let slug = state.tenants.get(id).map(|tenant| tenant.slug.clone());
            slug.map(|slug| open::tenant(state, id, slug)).unwrap_or_default()
        }
        Run::Operation(id) => {
            let last = state.tenants.get(id).and_then(|tenant| tenant.last_operation.as_ref());
            let last = last.map(|last| last.id);
            beside_the_list(state, id);
            open::operation(state, last)
        }
        Run::Credentials(id) => {
            beside_the_list(state, id);
            open::credentials(state, Some(id))
        }
        Run::Rollback(id) => {
            beside_the_list(state, id);
            open::rollback(state, Some(id))
        }
        Run::SuspendTenant(id) => {
            beside_the_list(state, id);
            begin(state, |ticket, _| Some(Effect::SuspendTenant { ticket, id }))
        }
        Run::ResumeTenant(id) => {
            beside_the_list(state, id);
            begin(state, |ticket, _| Some(Effect::ResumeTenant { ticket, id }))
        }
        Run::Verify(id) => verify::one(state, id),
        Run::VerifyAll => verify::all(state),
        Run::Isolation(id) => {
            beside_the_list(state, id);
            open::isolation(state, Some(id))
        }
        Run::New(name) => {
            state.leave_to_list();
            wizard::open_named(state, &name);
            Vec::new()
        }
        Run::Filter(text) => {
            state.leave_to_list();
            state.tenants.typing = if text.is_empty() { Typing::Filter } else { Typing::No };
            state.tenants.filter = Input::new(text);
            state.tenants.filter_changed();
            Vec::new()
        }
        Run::Audit(words) if words.is_empty() => audit::open_here(state),
        Run::Audit(words) => audit::open(state, words),
        Run::VerifyTrail => audit::verify(state),
        Run::Export => export::open(state),
    }
}

/// A command about a tenant that is not the screen's leads back to the list, not to an unrelated screen.
fn beside_the_list(state: &mut State, id: TenantId) {
    if state.tenant_at_hand().map(|tenant| tenant.id) != Some(id) {
        state.leave_to_list();
    }
}
