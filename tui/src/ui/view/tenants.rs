//! The list of tenants. Only the rows on the screen are looked at, however many there are.
//! Columns give way as the width shrinks; the name and the state never do.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use tenantry_protocol::isolation::Grade;
use tenantry_protocol::tenant::{Tenant, TenantState};

use super::fit::{cell, cut, width, wrap};
use super::theme::Theme;
use crate::format;
use crate::ui::state::sorting::Column;
use crate::ui::state::tenants::{Loaded, Mark, Selection, Typing};
use crate::ui::state::{Connection, State};

/// Beside the version of a tenant for which there is a newer one.
const BEHIND: &str = "↑";
/// Columns of the last operation and its age.
const LAST: usize = 18;

/// Columns of the table for the width available; a width of 0 leaves one out.
struct TenantColumns {
    tenant: usize,
    state: usize,
    blueprint: usize,
    target: usize,
    isolation: usize,
    last: usize,
}

impl TenantColumns {
    fn for_width(columns: u16) -> Self {
        let room = usize::from(columns).saturating_sub(2);
        let state = 15;
        let (blueprint, target, last) = match room {
            96.. => (16, 12, LAST + 4),
            76.. => (14, 9, LAST),
            60.. => (14, 9, 0),
            48.. => (14, 0, 0),
            _ => (0, 0, 0),
        };
        let isolation = if room < 30 { 0 } else { 6 };
        let tenant = room.saturating_sub(state + blueprint + target + isolation + last).max(8);
        Self { tenant, state, blueprint, target, isolation, last }
    }
}

pub(super) fn draw(state: &State, frame: &mut Frame<'_>, area: Rect) {
    let tenants = &state.tenants;
    let mut lines = vec![filter_line(state)];
    let rows = usize::from(area.height).saturating_sub(2);
    if tenants.visible_len() == 0 {
        lines.push(Line::default());
        lines.push(Line::styled(format!("   {}", nothing(state)), Theme::dim()));
        if let (Connection::Lost { reason, .. }, Loaded::NotYet) = (&state.connection, tenants.loaded) {
            let columns = usize::from(area.width).saturating_sub(6);
            lines.push(Line::default());
            lines.extend(wrap(reason, columns).into_iter().map(|text| Line::raw(format!("   {text}"))));
        }
    } else {
        let columns = TenantColumns::for_width(area.width);
        lines.push(header(state, &columns));
        lines.extend(tenants.window(rows).map(|shown| row(state, shown, &columns)));
    }
    super::lines(frame, area, lines);
    if tenants.typing == Typing::Filter && area.height > 0 {
        let column = 9 + tenants.filter.visual_cursor() as u16;
        frame.set_cursor_position(Position::new(
            (area.x + column).min(area.right().saturating_sub(1)),
            area.y,
        ));
    }
}

fn filter_line(state: &State) -> Line<'static> {
    let tenants = &state.tenants;
    if tenants.loaded == Loaded::NotYet {
        return Line::default();
    }
    let count = if tenants.visible_len() == tenants.len() {
        format!("{} tenant{}", tenants.len(), if tenants.len() == 1 { "" } else { "s" })
    } else {
        format!("{} of {} tenants", tenants.visible_len(), tenants.len())
    };
    let marks = match (tenants.marks(), tenants.hidden_marks()) {
        (0, _) => String::new(),
        (marks, 0) => format!(" · {marks} marked"),
        (marks, hidden) => format!(" · {marks} marked, {hidden} not shown"),
    };
    let behind = match tenants.behind() {
        0 => String::new(),
        behind => format!(" · {behind} behind {BEHIND}"),
    };
    let count = count + &behind + &marks;
    let filter = tenants.filter.value();
    if filter.is_empty() && tenants.typing == Typing::No {
        return Line::styled(format!(" {count}"), Theme::dim());
    }
    Line::from(vec![
        Span::raw(format!(" filter: {filter}")),
        Span::styled(format!("    {count}"), Theme::dim()),
    ])
}

fn nothing(state: &State) -> &'static str {
    match (&state.connection, state.tenants.loaded) {
        (Connection::Lost { .. }, Loaded::NotYet) => "the daemon cannot be reached; trying again",
        (_, Loaded::NotYet) => "loading …",
        _ if state.tenants.len() > 0 => "no tenant matches the filter; esc clears it",
        _ => "no tenants yet; n makes the first",
    }
}

/// The column that orders the rows has an arrow; if there is no room for that column, the TENANT title names it.
fn header(state: &State, columns: &TenantColumns) -> Line<'static> {
    let sort = state.tenants.sort();
    let titles = [
        ("TENANT", Column::Tenant, columns.tenant.saturating_sub(1)),
        ("STATE", Column::State, columns.state),
        ("BLUEPRINT", Column::Blueprint, columns.blueprint),
        ("TARGET", Column::Target, columns.target),
        ("ISOL", Column::Isolation, columns.isolation),
        ("LAST OPERATION", Column::Last, columns.last),
    ];
    let hidden =
        titles.iter().find(|(_, column, room)| *room == 0 && sort.is_some_and(|sort| sort.column == *column));
    let mut text = "   ".to_owned();
    for (title, column, room) in titles {
        let title = match (sort, hidden) {
            (Some(sort), _) if sort.column == column => {
                let gap = if room > width(title) + 2 { " " } else { "" };
                format!("{title}{gap}{}", sort.arrow())
            }
            (Some(sort), Some((by, ..))) if column == Column::Tenant => {
                let order = format!("by {} {}", by.to_lowercase(), sort.arrow());
                let whole = format!("{title}, {order}");
                if width(&whole) > room { order } else { whole }
            }
            _ => title.to_owned(),
        };
        text += &cell(&title, room);
    }
    Line::styled(text, Theme::strong())
}

fn row(
    state: &State,
    (tenant, selection, mark): (&Tenant, Selection, Mark),
    columns: &TenantColumns,
) -> Line<'static> {
    let tick = if mark == Mark::Set { '✓' } else { ' ' };
    let (bar, base) = match selection {
        Selection::Here => ('▌', Theme::selected()),
        Selection::Elsewhere => (' ', Theme::text()),
    };
    let mark = format!("{tick}{bar} ");
    let name = cell(tenant.slug.as_str(), columns.tenant.saturating_sub(2)) + " ";
    // The mark is never cut.
    let behind = if state.tenants.ahead_of(tenant).is_some() { BEHIND } else { "" };
    let blueprint = format!("{} {}", tenant.blueprint, tenant.version);
    let blueprint = cut(&blueprint, columns.blueprint.saturating_sub(1 + width(behind))) + behind;
    let blueprint = cell(&blueprint, columns.blueprint);
    let (grade, style) = badge(state, tenant);
    let isolation = Span::styled(cell(grade, columns.isolation), base.patch(style));
    Line::from(vec![
        Span::styled(mark, base),
        Span::styled(name, base),
        Span::styled(
            cell(&format::tenant_state(&tenant.state), columns.state),
            base.patch(colour(state, tenant)),
        ),
        Span::styled(blueprint, base),
        Span::styled(cell(tenant.target.as_str(), columns.target.saturating_sub(1)), base),
        Span::styled(if columns.target > 0 { " " } else { "" }, base),
        isolation,
        Span::styled(cell(&last(state, tenant, columns.last), columns.last), base.patch(Theme::dim())),
    ])
}

/// The running step, else the last operation and its age.
fn last(state: &State, tenant: &Tenant, columns: usize) -> String {
    let Some(last) = &tenant.last_operation else { return "–".to_owned() };
    let live = state.operations.get(&last.id).filter(|live| !live.operation.state.is_final());
    if let Some(live) = live {
        let (done, all) = live.progress();
        return format!("step {} of {all}", (done + 1).min(all));
    }
    let kind = last.kind.replace('_', " ");
    let age = format::age(last.requested_at, state.now);
    // The age is never cut.
    let kind = cut(&kind, columns.saturating_sub(2 + width(&age)));
    let gap = columns.saturating_sub(1 + width(&kind) + width(&age)).max(1);
    format!("{kind}{}{age}", " ".repeat(gap))
}

/// The letter of the newest verdict; an ellipsis while a new one is being made.
pub(super) fn badge(state: &State, tenant: &Tenant) -> (&'static str, Style) {
    let theme = Theme(state.colours);
    let is_verifying = state.verifying.as_ref().is_some_and(|verifying| verifying.is_at(tenant.id));
    if is_verifying || tenant.state == TenantState::Provisioning {
        return ("…", theme.busy());
    }
    match tenant.isolation.as_ref().map(|badge| badge.grade) {
        Some(Grade::A) => ("A", theme.good()),
        Some(Grade::B) => ("B", theme.warning()),
        Some(Grade::F) => ("F", theme.bad()),
        Some(Grade::Other) => ("?", theme.warning()),
        None => ("–", Theme::dim()),
    }
}

pub(super) fn colour(state: &State, tenant: &Tenant) -> Style {
    let theme = Theme(state.colours);
    match tenant.state {
        TenantState::Active => theme.good(),
        TenantState::Provisioning | TenantState::RollingBack | TenantState::Retiring { .. } => theme.busy(),
        TenantState::NeedsAttention { .. } => theme.bad(),
        TenantState::RolledBack { .. } => theme.warning(),
        _ => Theme::text(),
    }
}
