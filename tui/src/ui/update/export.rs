//! Exports of the trail: the dialog, the export that runs, and its result.
//!
//! Invariant: one export at a time, and its end is reported whatever screen is open. The dialog closes once its file exists.

use tenantry_protocol::audit::AuditExportRequest;

use crate::ui::event::Effect;
use crate::ui::state::audit::export::{ExportProgress, ExportScreen, Exporting};
use crate::ui::state::{Screen, State};
use crate::ui::ticket::Ticket;

/// Exports what the filter in force matches, or everything without a filter.
pub(super) fn open(state: &mut State) -> Vec<Effect> {
    if matches!(state.screen(), Screen::Export(_)) {
        return Vec::new();
    }
    let (words, query) = match state.screen() {
        Screen::Audit(screen) => (screen.words.clone(), screen.query.clone()),
        _ => Default::default(),
    };
    let screen = ExportScreen::new(words, query, state.now);
    state.screens.push(Screen::Export(Box::new(screen)));
    Vec::new()
}

pub(super) fn begin(state: &mut State) -> Vec<Effect> {
    let ticket = state.ticket();
    let Some(Screen::Export(screen)) = state.screens.last_mut() else { return Vec::new() };
    let path = screen.name.value().trim().to_owned();
    if path.is_empty() {
        screen.refusal = Some("it needs a name: type one".to_owned());
        return Vec::new();
    }
    screen.refusal = None;
    let request = AuditExportRequest { filter: screen.query.clone(), format: screen.format };
    state.exporting = Some(Exporting { ticket, name: path.clone(), progress: None });
    vec![Effect::Export { ticket, request: Box::new(request), path }]
}

pub(super) fn stop(state: &mut State) -> Vec<Effect> {
    let Some(exporting) = state.exporting.take() else { return Vec::new() };
    state.notice = Some(format!("stopped: nothing is left of {}", exporting.name));
    vec![Effect::StopExport]
}

pub(super) fn progressed(state: &mut State, ticket: Ticket, progress: ExportProgress) {
    if let Some(exporting) = state.exporting.as_mut().filter(|exporting| exporting.ticket == ticket) {
        exporting.progress = Some(progress);
    }
}

pub(super) fn ended(state: &mut State, ticket: Ticket, result: Result<String, String>) {
    if state.exporting.take_if(|exporting| exporting.ticket == ticket).is_none() {
        return;
    }
    match result {
        Ok(said) => {
            if matches!(state.screen(), Screen::Export(_)) {
                state.screens.pop();
            }
            state.notice = Some(format!("✓ {said}"));
        }
        Err(why) => match state.screens.last_mut() {
            // The dialog keeps what was typed.
            Some(Screen::Export(screen)) => screen.refusal = Some(why),
            _ => state.notice = Some(format!("✗ {why}")),
        },
    }
}
