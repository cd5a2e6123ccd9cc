//! Drawing. `view` is a function of the state: no I/O, no clock, no changes.
//!
//! Every screen has one top line (the present screen, and the target, label and role), a second one if the audit trail has
//! changed, a body, one line for a notice, and the keys that work now. Below 40 columns or 10 rows, what does not fit is
//! cut and never wrapped.

mod audit;
mod bulk;
mod credentials;
mod export;
mod fleet;
mod help;
mod isolation;
mod operation;
mod operations;
mod palette;
mod plan;
mod record;
mod rollback;
mod tenant;
mod tenants;
#[cfg(test)]
mod tests;
mod theme;
mod upgrade;
mod upgrades;
mod wizard;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use fit::{cut, width};
use theme::Theme;

use super::action::Action;
use super::fit;
use super::keymap::{self, Binding, Prominence};
use super::state::audit::record::Record;
use super::state::tenants::Loaded;
use super::state::{Connection, Overlay, Screen, State};
use crate::{format, trail};

pub(crate) fn view(state: &State, frame: &mut Frame<'_>) {
    let [top, alarm, body, notice, hints] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(u16::from(state.is_alarmed())),
        Constraint::Fill(1),
        Constraint::Length(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(top_line(state, top.width), top);
    frame.render_widget(alarm_line(state, alarm.width), alarm);
    match state.screen() {
        Screen::Tenants => tenants::draw(state, frame, body),
        Screen::Tenant(screen) => tenant::draw(state, screen, frame, body),
        Screen::Wizard(wizard) => wizard::draw(state, wizard, frame, body),
        Screen::Operation(screen) => operation::draw(state, screen, frame, body),
        Screen::Credentials(screen) => credentials::draw(state, screen, frame, body),
        Screen::Rollback(dialog) => rollback::draw(state, dialog, frame, body),
        Screen::Bulk(bulk) => bulk::draw(state, bulk, frame, body),
        Screen::Operations(screen) => operations::draw(state, screen, frame, body),
        Screen::Audit(screen) => audit::draw(state, screen, frame, body),
        Screen::Record(screen) => record::draw(state, screen, frame, body),
        Screen::Export(screen) => export::draw(state, screen, frame, body),
        Screen::Isolation(screen) => isolation::draw(state, screen, frame, body),
        Screen::Fleet(screen) => fleet::draw(state, screen, frame, body),
        Screen::Upgrades(screen) => upgrades::draw(state, screen, frame, body),
        Screen::Upgrade(screen) => upgrade::draw(state, screen, frame, body),
        Screen::UpgradePlan(screen) => upgrade::plan::draw(state, screen, frame, body),
    }
    frame.render_widget(notice_line(state), notice);
    frame.render_widget(hint_line(state, hints.width), hints);
    match &state.overlay {
        Overlay::None => {}
        Overlay::Help { top } => help::draw(state, *top, frame, body),
        Overlay::Palette(palette) => palette::draw(palette, frame, body),
    }
}

/// Draws lines from the top of an area; the widget cuts each at its edge.
fn lines(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'_>>) {
    frame.render_widget(Paragraph::new(lines), area);
}

fn top_line(state: &State, columns: u16) -> Line<'static> {
    let theme = Theme(state.colours);
    let columns = usize::from(columns);
    let (connection, style) = match &state.connection {
        Connection::Live => ("● live".to_owned(), theme.good()),
        Connection::Connecting => ("◐ connecting".to_owned(), theme.busy()),
        Connection::Lost { since, .. } => (format!("✗ lost {}", format::age(*since, state.now)), theme.bad()),
    };
    let mut about = whereabouts(state);
    let mut crumbs = breadcrumb(state);
    // The connection is always shown. The target, label and role give way to the path only on a narrow screen.
    let room = columns.saturating_sub(width(&connection) + 3);
    if columns < 60 && width(&crumbs) + width(&about) + 1 > room {
        about = cut(&about, room.saturating_sub(width(&crumbs) + 1));
    }
    // A label as long as the line would leave no room for the path.
    about = cut(&about, room.saturating_sub(12));
    if width(&crumbs) + width(&about) + 1 > room && !about.is_empty() {
        crumbs = cut(&crumbs, room.saturating_sub(width(&about) + 1));
    }
    crumbs = cut(&crumbs, room.saturating_sub(width(&about)));
    let gap = room.saturating_sub(width(&crumbs) + width(&about));
    Line::from(vec![
        Span::styled(format!(" {crumbs}"), Theme::strong()),
        Span::raw(" ".repeat(gap)),
        Span::styled(format!("{about} "), Theme::dim()),
        Span::styled(connection, style),
    ])
}

/// While the trail is in trouble nothing can be changed, and an operator should know why before trying.
fn alarm_line(state: &State, columns: u16) -> Line<'static> {
    let Some(broken) = state.chain.wrong() else { return Line::default() };
    let what = match &state.chain.status.trouble {
        Some(_) => ": nothing is changed until that is settled",
        None => "",
    };
    let text = format!("✗ audit trail {}{what}", trail::trouble(broken));
    let how = " · :audit says how";
    let room = usize::from(columns).saturating_sub(1);
    let text = if width(&text) + width(how) <= room { text + how } else { cut(&text, room) };
    Line::styled(format!(" {text}"), Theme(state.colours).bad())
}

fn breadcrumb(state: &State) -> String {
    let here = match state.screen() {
        Screen::Tenants => "tenants".to_owned(),
        Screen::Tenant(screen) => format!("tenants › {}", screen.slug),
        Screen::Wizard(_) => "new tenant".to_owned(),
        Screen::Operation(screen) => state.live(screen).map_or_else(
            || "operation".to_owned(),
            |live| {
                let kind = live.operation.kind.name().replace('_', " ");
                format!("{kind} {}", live.operation.slug)
            },
        ),
        Screen::Credentials(screen) => format!("{} › credentials", screen.slug),
        Screen::Rollback(dialog) => format!("{} › rollback", dialog.tenant.slug),
        Screen::Bulk(bulk) => format!("rollback of {} tenants", bulk.parts.len()),
        Screen::Operations(_) => "operations".to_owned(),
        Screen::Audit(_) => "audit".to_owned(),
        Screen::Record(screen) => match &screen.record {
            Record::Event(event) => format!("audit › {}", trail::seq(event.seq)),
            Record::Verdict(_) => "audit › verification".to_owned(),
        },
        Screen::Export(_) => "audit › export".to_owned(),
        Screen::Isolation(screen) => format!("{} › isolation", screen.slug),
        Screen::Fleet(_) => "isolation".to_owned(),
        Screen::Upgrades(_) => "upgrades".to_owned(),
        Screen::UpgradePlan(screen) => format!("upgrades › plan for {}", screen.blueprint),
        Screen::Upgrade(screen) => state.upgrades.get(screen.id).map_or_else(
            || "upgrade".to_owned(),
            |followed| format!("upgrades › {}", followed.upgrade.destination()),
        ),
    };
    format!("tenantry › {here}")
}

/// The target, the label and the role.
fn whereabouts(state: &State) -> String {
    let mut parts = Vec::new();
    match state.targets.as_slice() {
        [] => {}
        [only] => parts.push(only.health.name.to_string()),
        several => parts.push(format!("{} targets", several.len())),
    }
    if let Some(session) = &state.session {
        if !session.label.is_empty() {
            parts.push(session.label.clone());
        }
        parts.push(format::role(session.role).to_owned());
    }
    parts.join(" · ")
}

fn notice_line(state: &State) -> Line<'_> {
    let theme = Theme(state.colours);
    match (&state.notice, &state.connection) {
        (Some(notice), _) => Line::styled(format!(" {notice}"), theme.warning()),
        // Before anything was loaded, the list itself says it in full.
        (None, Connection::Lost { reason, .. }) if state.tenants.loaded == Loaded::Yes => {
            // The first clause says what happened; the advice after it is for someone who has no console open.
            let what = reason.split("; ").next().unwrap_or(reason);
            let room = usize::from(state.size.0).saturating_sub(1);
            Line::styled(format!(" {}", cut(&format!("trying again: {what}"), room)), theme.bad())
        }
        (None, _) => background(state).map_or_else(Line::default, |text| Line::styled(text, theme.busy())),
    }
}

/// What was requested and is still running, whatever screen is open.
fn background(state: &State) -> Option<String> {
    if let Some(verifying) = &state.verifying {
        return Some(format!(" ◐ {}", verifying.progress()));
    }
    if let Some(exporting) = state.exporting.as_ref().filter(|_| !matches!(state.screen(), Screen::Export(_)))
    {
        return Some(format!(" ◐ {}", exporting.progress()));
    }
    let elsewhere = state.chain.checking.is_some() && !matches!(state.screen(), Screen::Audit(_));
    elsewhere.then(|| format!(" {}", state.chain.line(state.now).0))
}

/// As many of the working keys as fit: first the way out, then the main key of the screen, then the help, then all others.
fn hint_line(state: &State, columns: u16) -> Line<'static> {
    let needed = |binding: &Binding| width(binding.shown) + width(binding.hint) + 3;
    let hints: Vec<&Binding> = keymap::bindings(state, keymap::mode(state))
        .filter(|binding| binding.prominence == Prominence::Hint)
        .collect();
    let rank = |(at, binding): (usize, &Binding)| match binding.action {
        Action::Back => 0,
        _ if at == 0 => 1,
        Action::Help => 2,
        _ => 3,
    };
    // The last hint's closing space may fall off the edge of the screen.
    let mut room = usize::from(columns);
    let mut fits = vec![false; hints.len()];
    for wanted in 0..=3 {
        for (at, binding) in hints.iter().enumerate().filter(|(at, binding)| rank((*at, binding)) == wanted) {
            if needed(binding) <= room {
                room -= needed(binding);
                fits[at] = true;
            }
        }
    }
    let shown = hints.iter().zip(fits).filter(|(_, fits)| *fits);
    Line::from_iter(shown.flat_map(|(binding, _)| {
        [
            Span::styled(format!(" {}", binding.shown), Theme::strong()),
            Span::styled(format!(" {} ", binding.hint), Theme::dim()),
        ]
    }))
}
