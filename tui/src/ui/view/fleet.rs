//! The isolation of all tenants: how many have which grade, and which need attention, worst first.
//! Only the rows on the screen are drawn. The verdicts come from the list of tenants.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use tenantry_protocol::isolation::{Depth, Grade};
use tenantry_protocol::tenant::Tenant;

use super::fit::{cell, cut, wrap};
use super::tenants;
use super::theme::Theme;
use crate::format;
use crate::ui::state::State;
use crate::ui::state::fleet::{self, Counts, FleetScreen};
use crate::ui::state::tenants::Loaded;

/// Columns of the verdict's age and depth.
const VERIFIED: usize = 18;

pub(super) fn draw(state: &State, screen: &FleetScreen, frame: &mut Frame<'_>, area: Rect) {
    let columns = usize::from(area.width).saturating_sub(2);
    if state.tenants.loaded == Loaded::NotYet {
        super::lines(frame, area, vec![Line::styled(" loading …", Theme::dim())]);
        return;
    }
    let wanting = fleet::wanting(state, screen.selection);
    let counts = fleet::counts(state);
    let mut lines = head(state, counts, columns);
    if wanting.is_empty() {
        lines.push(Line::default());
        let text = match counts.standing {
            0 => "no tenant is active or suspended, so there is nothing to verify",
            _ => "nobody to look at: all of them held against the whole battery",
        };
        lines.extend(
            wrap(text, columns.saturating_sub(2)).into_iter().map(|part| Line::raw(format!("   {part}"))),
        );
        super::lines(frame, area, lines);
        return;
    }
    let name = columns.saturating_sub(6 + VERIFIED).min(columns / 3).max(8);
    let title = format!("   {}{}{}TO DO", cell("ISOL", 6), cell("TENANT", name), cell("VERIFIED", VERIFIED));
    lines.push(Line::styled(cut(&title, columns + 2), Theme::strong()));
    let rows = usize::from(area.height).saturating_sub(lines.len()).max(1);
    let selected = wanting.iter().position(|tenant| Some(tenant.id) == screen.selection).unwrap_or(0);
    let top = selected.saturating_sub(rows / 2).min(wanting.len().saturating_sub(rows));
    for (at, tenant) in wanting.into_iter().enumerate().skip(top).take(rows) {
        lines.push(row(state, tenant, at == selected, name, columns));
    }
    super::lines(frame, area, lines);
}

fn head(state: &State, counts: Counts, columns: usize) -> Vec<Line<'static>> {
    let theme = Theme(state.colours);
    let mut spans = vec![Span::raw(format!(" {} standing", format::count(counts.standing as u64)))];
    for (number, what, style) in [
        (counts.f, "F", theme.bad()),
        (counts.b, "B", theme.warning()),
        (counts.a, "A", theme.good()),
        (counts.other, "?", theme.warning()),
        (counts.never, "never verified", theme.warning()),
    ] {
        if number > 0 {
            spans.push(Span::raw(" · "));
            spans.push(Span::styled(format!("{number} {what}"), style));
        }
    }
    let wanting = counts.wanting;
    let text = match counts.core + counts.never {
        0 => format!("{wanting} to look at"),
        todo => format!("{wanting} to look at · {todo} not by the whole battery yet: V verifies all"),
    };
    vec![Line::from(spans), Line::styled(format!(" {}", cut(&text, columns)), Theme::dim())]
}

fn row(state: &State, tenant: &Tenant, here: bool, name: usize, columns: usize) -> Line<'static> {
    let (mark, base) = if here { (" ▌ ", Theme::selected()) } else { ("   ", Theme::text()) };
    let (grade, style) = tenants::badge(state, tenant);
    let verified = match &tenant.isolation {
        Some(badge) => format!("{} · {}", format::age(badge.at, state.now), badge.depth.name()),
        None => "never".to_owned(),
    };
    let todo = match tenant.isolation.as_ref().map(|badge| (badge.grade, badge.depth)) {
        Some((Grade::F, _)) => "enter: what is wrong",
        Some((Grade::B, _)) => "enter: what closes it",
        Some((Grade::A, Depth::Full)) => "nothing: it held",
        Some((Grade::Other, _)) => "this release does not know the grade",
        Some((Grade::A, _)) | None => "v verifies it",
    };
    let room = columns.saturating_sub(7 + name + VERIFIED);
    Line::from(vec![
        Span::styled(mark, base),
        Span::styled(cell(grade, 6), base.patch(style)),
        Span::styled(cell(tenant.slug.as_str(), name.saturating_sub(1)) + " ", base),
        Span::styled(cell(&verified, VERIFIED), base),
        Span::styled(cut(todo, room), base.patch(Theme::dim())),
    ])
}
