//! Moving about on a screen: moves the selection if there is one, else the lines.
//!
//! Invariant: nobody scrolls past the end, so that the first key back moves something.

use super::{help_rows, list_rows, open, palette};
use crate::ui::event::Effect;
use crate::ui::state::isolation::report_columns;
use crate::ui::state::wizard::Step;
use crate::ui::state::{Overlay, Screen, State, plan_text};

/// Lines of a rollback's explanation on a narrow screen.
const EXPLANATION: usize = 14;

pub(super) fn scroll(state: &mut State, by: isize) -> Vec<Effect> {
    let page = list_rows(state);
    let body = state.body_rows();
    let help = help_rows(state);
    match &mut state.overlay {
        Overlay::Help { top } => {
            *top = top.saturating_add_signed(by).min(help.saturating_sub(body.saturating_sub(2)));
            return Vec::new();
        }
        Overlay::Palette(palette) => {
            palette::scroll(palette, by);
            return Vec::new();
        }
        Overlay::None => {}
    }
    let columns = report_columns(state);
    if let Some((top, last)) = state.screens.last_mut().and_then(|screen| screen.lines_at(body, columns)) {
        *top = top.saturating_add_signed(by).min(last);
        return Vec::new();
    }
    match state.screens.last_mut() {
        Some(Screen::Tenants) => {
            let row = state.tenants.selected_row().unwrap_or(0).saturating_add_signed(by);
            state.tenants.select_row(row, page);
        }
        Some(Screen::Wizard(wizard)) if wizard.step == Step::Confirmation => {
            let lines = wizard.plan().map_or(0, |plan| plan_text::lines(plan, wizard.sql).len());
            wizard.top = wizard.top.saturating_add_signed(by).min(lines.saturating_sub(page));
        }
        Some(Screen::Operation(screen)) => {
            let lines = state.operations.get(&screen.id).map_or(0, |live| live.log.len());
            screen.top = screen.top.saturating_add_signed(by).min(lines.saturating_sub(1));
        }
        Some(Screen::Rollback(dialog)) => {
            dialog.top = dialog.top.saturating_add_signed(by).min(EXPLANATION);
        }
        Some(Screen::Bulk(bulk)) => {
            // Scrolling a little too far is better than a tenant that cannot be reached.
            let last = bulk.parts.len().saturating_sub(body.saturating_sub(9).max(1));
            bulk.top = bulk.top.saturating_add_signed(by).min(last);
        }
        _ => return open::select(state, by),
    }
    Vec::new()
}
