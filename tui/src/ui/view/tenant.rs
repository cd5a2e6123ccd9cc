//! One tenant: facts, isolation, operations.
//! The facts follow the events. Isolation and operations are shown as they were read, and are read again when an operation
//! ends.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use tenantry_protocol::isolation::IsolationReport;
use tenantry_protocol::tenant::{Tenant, TenantDetail, TenantState};

use super::fit::{cell, cut, wrap};
use super::theme::Theme;
use crate::format;
use crate::ui::state::isolation as report;
use crate::ui::state::{Answer, MOST_WRONG, State, TenantScreen};

pub(super) fn draw(state: &State, screen: &TenantScreen, frame: &mut Frame<'_>, area: Rect) {
    let columns = usize::from(area.width).saturating_sub(2);
    let mut lines = Vec::new();
    // Events keep the list up to date; the detail is as it was read.
    let detail = match &screen.detail {
        Answer::Given(detail) => Some(detail.as_ref()),
        Answer::Awaited | Answer::Refused(_) => None,
    };
    if let Some(tenant) = state.tenants.get(screen.id).or(detail.map(|detail| &detail.tenant)) {
        facts(state, tenant, columns, &mut lines);
    }
    match &screen.detail {
        Answer::Awaited => lines.push(Line::styled(" loading …", Theme::dim())),
        Answer::Refused(error) => lines.extend(
            wrap(&error.message, columns)
                .into_iter()
                .map(|text| Line::styled(format!(" {text}"), Theme(state.colours).bad())),
        ),
        Answer::Given(detail) => more(state, detail, columns, &mut lines),
    }
    let top = screen.top.min(lines.len().saturating_sub(usize::from(area.height)));
    super::lines(frame, area, lines.split_off(top));
}

fn facts(state: &State, tenant: &Tenant, columns: usize, lines: &mut Vec<Line<'static>>) {
    let theme = Theme(state.colours);
    let mut fact = |name: &str, value: String| {
        lines.push(Line::from(vec![
            Span::styled(format!(" {}", cell(name, 12)), Theme::dim()),
            Span::raw(cut(&value, columns.saturating_sub(12))),
        ]));
    };
    fact("name", format!("{} \"{}\"", tenant.slug, tenant.display_name));
    let newer = state.tenants.ahead_of(tenant).map(|newest| format!(", behind {newest}")).unwrap_or_default();
    fact("blueprint", format!("{} {}{newer}", tenant.blueprint, tenant.version));
    fact("placement", format!("{} on {}", tenant.placement, tenant.target));
    let pairs = |map: Vec<String>| if map.is_empty() { "–".to_owned() } else { map.join(", ") };
    fact(
        "settings",
        pairs(tenant.settings.iter().map(|(name, value)| format!("{name} = {value}")).collect()),
    );
    fact("labels", pairs(tenant.labels.iter().map(|(name, value)| format!("{name} = {value}")).collect()));
    fact(
        "created",
        format!(
            "{} UTC, {} ago",
            format::timestamp(tenant.created_at),
            format::age(tenant.created_at, state.now)
        ),
    );
    fact(
        "login",
        tenant.credentials.as_ref().map_or_else(
            || "none issued".to_owned(),
            |issued| format!("{}, issued {} UTC", issued.role, format::timestamp(issued.issued_at)),
        ),
    );
    lines.insert(
        1,
        Line::from(vec![
            Span::styled(format!(" {}", cell("state", 12)), Theme::dim()),
            Span::styled(format::tenant_state(&tenant.state), super::tenants::colour(state, tenant)),
        ]),
    );
    let (reason, next) = match &tenant.state {
        TenantState::RolledBack { reason } => (Some(reason), None),
        TenantState::NeedsAttention { reason, next_command } => (Some(reason), Some(next_command)),
        _ => (None, None),
    };
    for text in reason.into_iter().chain(next) {
        lines.extend(
            wrap(text, columns.saturating_sub(13))
                .into_iter()
                .map(|text| Line::styled(format!("{}{text}", " ".repeat(13)), theme.warning())),
        );
    }
}

fn more(state: &State, detail: &TenantDetail, columns: usize, lines: &mut Vec<Line<'static>>) {
    isolation(state, detail.isolation.as_ref(), columns, lines);
    lines.push(Line::styled(" operations", Theme::strong()));
    for operation in &detail.operations {
        let took = operation.duration_ms.map(format::duration).unwrap_or_default();
        let cause = operation.state.failure().map(|failure| failure.summary()).unwrap_or_default();
        lines.push(Line::from(vec![
            Span::raw(format!(
                "   {} {} {} {} ",
                cell(&operation.title(), 18),
                cell(&format::operation_state(&operation.state), 16),
                cell(&format::timestamp(operation.requested_at), 20),
                cell(&took, 8)
            )),
            Span::styled(cause, Theme::dim()),
        ]));
    }
}

/// The headline and what is wrong; the report's own screen has the rest.
fn isolation(
    state: &State,
    report: Option<&IsolationReport>,
    columns: usize,
    lines: &mut Vec<Line<'static>>,
) {
    let theme = Theme(state.colours);
    let name = Span::styled(format!(" {}", cell("isolation", 12)), Theme::dim());
    let Some(report) = report else {
        lines.push(Line::from(vec![name, Span::raw("not verified")]));
        return;
    };
    let [first, second] = report::headline(report, state.now);
    let room = columns.saturating_sub(12);
    let style = theme.tone(report::tone(report.grade()));
    lines.push(Line::from(vec![name, Span::styled(cut(&first, room), style)]));
    lines.push(Line::styled(format!("{}{}", " ".repeat(13), cut(&second, room)), Theme::dim()));
    let problems = report.problems();
    lines.extend(problems.iter().take(MOST_WRONG).map(|problem| {
        Line::styled(format!("{}✗ {}", " ".repeat(13), cut(problem, columns.saturating_sub(14))), theme.bad())
    }));
    if problems.len() > MOST_WRONG {
        let more = problems.len() - MOST_WRONG;
        lines.push(Line::styled(
            format!("{}… and {more} more: i shows the report", " ".repeat(13)),
            theme.bad(),
        ));
    }
}
