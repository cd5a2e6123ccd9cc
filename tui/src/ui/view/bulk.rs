//! The dialog that removes several tenants: each with what it takes along, the sums, and the text to type.
//! Shows the tenants that were frozen when it opened, and the progress of each.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use tenantry_protocol::tenant::{RollbackPreview, RowCount};

use super::fit::{cell, cut, wrap};
use super::rollback;
use super::theme::Theme;
use crate::format;
use crate::ui::state::bulk::{BulkPhase, BulkRollback, Part, PartProgress};
use crate::ui::state::{Answer, State};

pub(super) fn draw(state: &State, bulk: &BulkRollback, frame: &mut Frame<'_>, area: Rect) {
    let columns = usize::from(area.width).saturating_sub(2);
    let height = usize::from(area.height);
    let mut above = headline(bulk, columns);
    let (below, question) = match bulk.phase {
        BulkPhase::Asking => asking(bulk, columns),
        _ => (progress(state, bulk, columns), None),
    };
    let room = height.saturating_sub(above.len() + below.len()).max(1);
    let hidden = bulk.parts.len().saturating_sub(room);
    // At least one of them is always on the screen, and the last page is full.
    let top =
        if bulk.phase == BulkPhase::Running { at_work(bulk).saturating_sub(room / 2) } else { bulk.top };
    let top = top.min(hidden);
    above.extend(bulk.parts.iter().skip(top).take(room).map(|part| row(state, part, columns)));
    if hidden > 0 {
        let last = bulk.parts.len();
        let shown = format!(" {} to {} of {last}: ↑ ↓", top + 1, (top + room).min(last));
        if let Some(first) = above.first_mut() {
            first.spans.push(Span::styled(shown, Theme::dim()));
        }
    }
    let question = question.map(|(row, column)| (above.len() + row, column));
    above.extend(below);
    if let Some((row, column)) = question.filter(|(row, _)| *row < height) {
        let column = column.min(usize::from(area.width).saturating_sub(1)) as u16;
        frame.set_cursor_position(Position::new(area.x + column, area.y + row as u16));
    }
    super::lines(frame, area, above);
}

fn headline(bulk: &BulkRollback, columns: usize) -> Vec<Line<'static>> {
    let all = bulk.parts.len();
    let mut lines =
        vec![Line::raw(cut(&format!(" This removes {all} tenants, one after the other:"), columns))];
    if !bulk.left_out.is_empty() {
        let names: Vec<&str> = bulk.left_out.iter().map(|slug| slug.as_str()).collect();
        let text = format!(" Not of them, in a state without rollback: {}", names.join(", "));
        lines.push(Line::styled(cut(&text, columns), Theme::dim()));
    }
    lines
}

fn at_work(bulk: &BulkRollback) -> usize {
    let ended = |part: &Part| matches!(part.progress, PartProgress::Done | PartProgress::Failed(_));
    bulk.parts.iter().position(|part| !ended(part)).unwrap_or(0)
}

fn row(state: &State, part: &Part, columns: usize) -> Line<'static> {
    let theme = Theme(state.colours);
    let name = (columns / 3).clamp(10, 24);
    let (text, style): (String, Style) = match &part.progress {
        PartProgress::Waiting => effects(&part.effects),
        PartProgress::Asked(_) | PartProgress::Running(_) => ("◐ rolling back".to_owned(), theme.busy()),
        PartProgress::Done => ("✓ rolled back: nothing is left".to_owned(), theme.good()),
        PartProgress::Failed(cause) => (format!("✗ {cause}"), theme.bad()),
    };
    Line::from(vec![
        Span::raw(format!("   {} ", cell(part.tenant.slug.as_str(), name))),
        Span::styled(cut(&text, columns.saturating_sub(name + 4)), style),
    ])
}

fn effects(effects: &Answer<Box<RollbackPreview>>) -> (String, Style) {
    match effects {
        Answer::Awaited => ("counting …".to_owned(), Theme::dim()),
        Answer::Refused(error) => (format!("! not known: {}", error.message), Theme::dim()),
        Answer::Given(preview) => {
            let size = preview.size_bytes.map_or_else(|| "size ?".to_owned(), format::bytes);
            let (rows, sessions) = (format::rows(preview.rows), format::counted(preview.sessions, "session"));
            let text = match preview.pool {
                Some(_) => format!("{rows} of shared tables, {sessions}"),
                None => format!("{}, {rows}, {size}, {sessions}", format::counted(preview.tables, "table")),
            };
            (text, Theme::text())
        }
    }
}

/// The sums, the warning, the question and the buttons; and where the cursor is in them.
fn asking(bulk: &BulkRollback, columns: usize) -> (Vec<Line<'static>>, Option<(usize, usize)>) {
    let mut lines = vec![Line::raw(cut(&format!(" {}", sum(bulk)), columns))];
    lines.extend(wrap(rollback::ARCHIVE, columns).into_iter().map(|text| Line::raw(format!(" {text}"))));
    let phrase = bulk.phrase();
    let question = format!(" Type  {phrase}  to go on: ");
    let (question, (row, column)) = rollback::question(&question, &phrase, &bulk.typed, columns);
    let at = (lines.len() + row, column);
    lines.extend(question);
    let roll_back = match (bulk.is_confirmed(), bulk.is_known()) {
        (true, true) => (Theme::strong(), "Roll back: ctrl-x"),
        (true, false) => (Theme::dim(), "Roll back: being counted"),
        (false, _) => (Theme::dim(), "Roll back: type the words first"),
    };
    lines.push(rollback::buttons(roll_back));
    (lines, Some(at))
}

fn sum(bulk: &BulkRollback) -> String {
    let known = || {
        bulk.parts.iter().filter_map(|part| match &part.effects {
            Answer::Given(preview) => Some(preview),
            _ => None,
        })
    };
    let (mut rows, mut about) = (0, "");
    for preview in known() {
        match preview.rows {
            RowCount::Exact { rows: counted } => rows += counted,
            RowCount::Estimated { rows: counted } => {
                rows += counted;
                about = "≈ ";
            }
            RowCount::Other => about = "more than ",
        }
    }
    let sessions: u64 = known().map(|preview| preview.sessions).sum();
    let unknown = bulk.parts.len() - known().count();
    let without = if unknown > 0 { format!(", without {unknown} not known") } else { String::new() };
    format!(
        "Together {}, {about}{}, {}, {} cut{without}.",
        format::counted(known().map(|preview| preview.tables).sum(), "table"),
        format::counted(rows, "row"),
        format::bytes(known().filter_map(|preview| preview.size_bytes).sum()),
        format::counted(sessions, "session"),
    )
}

fn progress(state: &State, bulk: &BulkRollback, columns: usize) -> Vec<Line<'static>> {
    let theme = Theme(state.colours);
    let (done, all, waiting) = (bulk.done(), bulk.parts.len(), bulk.waiting());
    let (text, style) = match bulk.phase {
        BulkPhase::Done if done == all => (format!("✓ all {all} tenants are rolled back"), theme.good()),
        BulkPhase::Done => (format!("! {done} of {all} tenants are rolled back"), theme.warning()),
        BulkPhase::Stopped if waiting == 0 => {
            (format!("! {done} of {all} tenants are rolled back"), theme.bad())
        }
        BulkPhase::Stopped => (
            format!("! stopped, {waiting} waiting: ctrl-x goes on, esc leaves the rest as it is"),
            theme.bad(),
        ),
        _ => (format!("◐ {done} of {all} are rolled back, {waiting} waiting"), theme.busy()),
    };
    std::iter::once(Line::default())
        .chain(wrap(&text, columns).into_iter().map(|line| Line::styled(format!(" {line}"), style)))
        .collect()
}
