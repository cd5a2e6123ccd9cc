//! The audit trail: the state of the chain, the events that match the filter, and the selected event in a few lines.
//! Shows what the daemon found. The daemon says whether the chain holds, and that is always drawn with a word.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use tenantry_protocol::audit::AuditEvent;

use super::fit::{cell, cut, width, wrap};
use super::theme::Theme;
use crate::ui::state::audit::{AuditScreen, Older, Reading, Tail};
use crate::ui::state::isolation::Tone;
use crate::ui::state::tenants::Typing;
use crate::ui::state::{Answer, State};
use crate::{format, trail};

const FILTER: &str = " filter: ";
/// The most lines for what is wrong with the trail.
const MOST_TROUBLE: usize = 4;

pub(super) fn draw(state: &State, screen: &AuditScreen, frame: &mut Frame<'_>, area: Rect) {
    let columns = usize::from(area.width).saturating_sub(2);
    let height = usize::from(area.height);
    let mut lines = chain(state, columns, height);
    let filter_row = lines.len() as u16;
    lines.push(filter_line(screen, columns));
    match &screen.events {
        Answer::Awaited => lines.push(Line::styled(" loading …", Theme::dim())),
        Answer::Refused(error) => lines.extend(
            wrap(&error.message, columns)
                .into_iter()
                .map(|text| Line::styled(format!(" {text}"), Theme(state.colours).bad())),
        ),
        Answer::Given(events) => {
            let rows = height.saturating_sub(lines.len());
            lines.extend(list(state, screen, events, columns, rows));
        }
    }
    super::lines(frame, area, lines);
    if screen.typing == Typing::Filter && area.height > filter_row {
        let column = FILTER.len() + screen.input.visual_cursor();
        let column = column.min(usize::from(area.width).saturating_sub(1)) as u16;
        frame.set_cursor_position(Position::new(area.x + column, area.y + filter_row));
    }
}

/// The state of the trail as a whole: one line, or more if something is wrong.
fn chain(state: &State, columns: usize, height: usize) -> Vec<Line<'static>> {
    let (text, tone) = state.chain.line(state.now);
    let style = Theme(state.colours).tone(tone);
    if tone != Tone::Bad {
        return vec![Line::styled(format!(" {}", cut(&text, columns)), style)];
    }
    let most = if height < 12 { 2 } else { MOST_TROUBLE };
    let mut parts = wrap(&text, columns);
    if parts.len() > most {
        parts.truncate(most);
        if let Some(last) = parts.last_mut() {
            *last = cut(&format!("{last} …"), columns);
        }
    }
    parts.into_iter().map(|part| Line::styled(format!(" {part}"), style)).collect()
}

fn filter_line(screen: &AuditScreen, columns: usize) -> Line<'static> {
    let is_typed = screen.typing == Typing::Filter;
    let words = if is_typed { screen.input.value() } else { &screen.words };
    if words.is_empty() && is_typed {
        let help = "words, or tenant: actor: action: outcome: since:1d until: operation:";
        return Line::from(vec![Span::raw(FILTER), Span::styled(format!(" {help}"), Theme::dim())]);
    }
    let status = status(screen);
    if words.is_empty() {
        return Line::styled(format!(" {}", cut(&status, columns)), Theme::dim());
    }
    let shown = if is_typed { words.to_owned() } else { cut(words, columns.saturating_sub(FILTER.len())) };
    let room = columns.saturating_sub(FILTER.len() + width(&shown) + 3);
    let status = if is_typed { String::new() } else { cut(&status, room) };
    Line::from(vec![
        Span::raw(format!("{FILTER}{shown}")),
        Span::styled(format!("    {status}"), Theme::dim()),
    ])
}

/// How many were found, whether the search continues, and whether new ones are shown as they come.
fn status(screen: &AuditScreen) -> String {
    let count = screen.events().len() as u64;
    let more = match screen.older {
        Older::Unread { .. } => " so far",
        Older::TooMany => ", no more are kept: narrow it with until:",
        Older::Asked { .. } | Older::None => "",
    };
    let search = match (screen.older, screen.reading, &screen.problem) {
        (Older::Asked { before }, ..) => format!(" · searching before {} …", trail::seq(before)),
        (_, Reading::Asked | Reading::Outdated, _) if count == 0 => " · searching …".to_owned(),
        (Older::Unread { before }, _, Some(problem)) => {
            format!(" · stopped at {}: {problem}", trail::seq(before))
        }
        _ => String::new(),
    };
    let tail = match (screen.tail, screen.is_live(), screen.is_behind) {
        (_, true, _) => "live",
        (Tail::On, _, true) => "paused, there are newer: g goes on",
        (Tail::On, _, false) => "paused",
        (Tail::Off, _, true) => "tail off, there are newer: t shows them",
        (Tail::Off, _, false) => "tail off",
    };
    format!("{}{more}{search} · {tail}", format::counted(count, "event"))
}

fn list(
    state: &State,
    screen: &AuditScreen,
    events: &[AuditEvent],
    columns: usize,
    height: usize,
) -> Vec<Line<'static>> {
    let selected = screen.selected_row();
    let detail = events.get(selected).map(|event| detail(event, columns, height)).unwrap_or_default();
    let mut lines = vec![header(columns)];
    let rows = height.saturating_sub(lines.len() + detail.len()).max(1);
    let top = selected.saturating_sub(rows / 2).min(events.len().saturating_sub(rows));
    for (at, event) in events.iter().enumerate().skip(top).take(rows) {
        lines.push(row(state, event, at == selected, columns));
    }
    if events.is_empty() {
        let text = match (screen.older, screen.words.is_empty()) {
            (Older::Asked { .. } | Older::Unread { .. }, _) => "nothing yet …",
            (_, true) => "nothing has been recorded yet",
            (_, false) => "nothing matches; esc clears the filter",
        };
        lines.push(Line::styled(format!("   {text}"), Theme::dim()));
    }
    // The pane stays at the bottom, so that moving through the list moves nothing else.
    let gap = height.saturating_sub(lines.len() + detail.len());
    lines.extend(std::iter::repeat_n(Line::default(), gap));
    lines.extend(detail);
    lines
}

/// Columns of a row, for the width available.
struct Widths {
    seq: usize,
    time: usize,
    /// Of these three, the first is the last to be dropped.
    tenant: usize,
    action: usize,
    actor: usize,
}

const fn widths(columns: usize) -> Widths {
    match columns {
        100.. => Widths { seq: 10, time: 10, tenant: 30, action: 26, actor: 20 },
        70.. => Widths { seq: 9, time: 10, tenant: 14, action: 18, actor: 12 },
        48.. => Widths { seq: 9, time: 8, tenant: 12, action: 14, actor: 0 },
        _ => Widths { seq: 7, time: 8, tenant: 12, action: 0, actor: 0 },
    }
}

fn header(columns: usize) -> Line<'static> {
    let room = widths(columns);
    let parts = [("ACTOR", room.actor), ("ACTION", room.action), ("TENANT", room.tenant)];
    let text: String =
        parts.iter().filter(|(_, room)| *room > 0).map(|(name, room)| cell(name, *room) + " ").collect();
    let line = format!("  {:>seq$}  {} {text}OUTCOME", "SEQ", cell("UTC", room.time), seq = room.seq);
    Line::styled(line, Theme::strong())
}

fn row(state: &State, event: &AuditEvent, here: bool, columns: usize) -> Line<'static> {
    let room = widths(columns);
    let base = if here { Theme::selected() } else { Theme::text() };
    // The account's name is enough to tell actors apart; the pane and the details have its number.
    let account = event.actor.split(" (").next().unwrap_or_default();
    let parts = [
        (account, room.actor),
        (&event.action, room.action),
        (event.slug.as_deref().unwrap_or("–"), room.tenant),
    ];
    let text: String =
        parts.iter().filter(|(_, room)| *room > 0).map(|(text, room)| cell(text, *room) + " ").collect();
    // If there are few columns, only the pane below shows it.
    let took = event.duration_ms.filter(|_| columns >= 100);
    let took = took.map(|ms| format!(" {}", format::duration(ms))).unwrap_or_default();
    let mark = if here { '▌' } else { ' ' };
    let seq = if room.seq > 7 { trail::seq(event.seq) } else { event.seq.to_string() };
    let begin = format!(" {mark}{seq:>width$}  {} {text}", time(state, event, room.time), width = room.seq);
    Line::from(vec![
        Span::styled(begin, base),
        Span::styled(outcome(event).to_owned(), base.patch(colour(state, event))),
        Span::styled(took, base),
    ])
}

/// The time of day, or the date if it was before today.
fn time(state: &State, event: &AuditEvent, room: usize) -> String {
    let date = format::timestamp(event.at);
    if date.get(..10) == format::timestamp(state.now).get(..10) {
        return cell(date.get(11..).unwrap_or_default(), room);
    }
    let from = if room < 10 { 5 } else { 0 };
    cell(date.get(from..10).unwrap_or_default(), room)
}

/// For an event whose values do not match its hash, that comes before anything else.
fn outcome(event: &AuditEvent) -> &str {
    if event.intact { trail::outcome(event) } else { "CHANGED" }
}

fn colour(state: &State, event: &AuditEvent) -> Style {
    match event.outcome.as_deref() {
        None | Some("ok") if event.intact => Theme::text(),
        _ => Theme(state.colours).bad(),
    }
}

/// The selected event in a few lines; the details show all of it.
fn detail(event: &AuditEvent, columns: usize, height: usize) -> Vec<Line<'static>> {
    let and = |name: &str, value: &Option<String>| {
        value.as_ref().map(|value| format!(" · {name} {value}")).unwrap_or_default()
    };
    let took = event.duration_ms.map(|ms| format!(" · {}", format::duration(ms))).unwrap_or_default();
    let short = |hash: &str| hash.chars().take(24).collect::<String>();
    let mut said = vec![
        format!("{} at {} UTC · {}{took}", event.action, format::timestamp(event.at), outcome(event)),
        format!("by {}{}{}", event.actor, and("role", &event.role), and("tenant", &event.slug)),
    ];
    if height >= 12 {
        said.extend(event.detail.as_ref().map(|detail| detail.replace('\n', " ")));
        said.extend(event.claimed.as_ref().map(|claimed| format!("claimed: {claimed}")));
        said.extend(event.operation_id.as_ref().map(|id| format!("operation {id}")));
        said.push(format!("hash {}…  prev {}…", short(&event.hash), short(&event.prev_hash)));
    } else if height < 8 {
        return Vec::new();
    }
    let rule = Line::styled(format!(" {}", "─".repeat(columns)), Theme::dim());
    let lines = said.into_iter().map(|text| Line::raw(format!(" {}", cut(&text, columns))));
    std::iter::once(rule).chain(lines).collect()
}
