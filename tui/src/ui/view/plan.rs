//! The third step: what will be done, before anything is done.
//! What is drawn is what `ctrl-s` approves: the plan in the state, whose hash is sent with the request.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use tenantry_protocol::plan::Plan;

use super::fit::{cut, wrap};
use super::theme::Theme;
use crate::format;
use crate::ui::state::State;
use crate::ui::state::plan_text::{self, LineKind, PlanLine};
use crate::ui::state::wizard::{Confirmation, Wizard, is_runnable};

pub(super) fn draw(
    state: &State,
    wizard: &Wizard,
    frame: &mut Frame<'_>,
    area: Rect,
    mut lines: Vec<Line<'static>>,
) {
    let theme = Theme(state.colours);
    let columns = usize::from(area.width).saturating_sub(2);
    lines.extend(refusal(state, wizard, area.width));
    match &wizard.confirmation {
        Confirmation::NotPlanned if wizard.refusal.is_none() => {
            lines.push(Line::styled(" not planned yet; r plans it", Theme::dim()));
        }
        Confirmation::NotPlanned => {
            lines.push(Line::styled(" esc goes back to the input, r plans again", Theme::dim()))
        }
        Confirmation::Planning(_) => lines.push(Line::styled(" ◐ planning …", theme.busy())),
        Confirmation::Planned { plan, .. } => summary(state, plan, columns, &mut lines),
        Confirmation::Starting { plan, .. } => {
            summary(state, plan, columns, &mut lines);
            lines.push(Line::styled(" ◐ starting …", theme.busy()));
        }
    }
    if let Some(plan) = wizard.plan() {
        let room = usize::from(area.height).saturating_sub(lines.len());
        let text = plan_text::lines(plan, wizard.sql);
        let top = wizard.top.min(text.len().saturating_sub(room));
        let columns = usize::from(area.width).saturating_sub(2);
        lines.extend(
            text.iter()
                .skip(top)
                .take(room)
                .map(|line| Line::styled(format!(" {}", cut(&line.text, columns)), style(theme, line))),
        );
    }
    super::lines(frame, area, lines);
}

fn summary(state: &State, plan: &Plan, columns: usize, lines: &mut Vec<Line<'static>>) {
    let settings: String = plan.settings.iter().map(|(name, value)| format!(" · {name} {value}")).collect();
    let labels: String = plan.labels.iter().map(|(key, value)| format!(" · {key}={value}")).collect();
    let seed = if plan.seed { "with seed" } else { "no seed" };
    let what = format!(
        "{} · \"{}\" · {} {} on {}{settings}{labels} · {seed}",
        plan.slug, plan.display_name, plan.blueprint, plan.version, plan.target
    );
    lines.extend(wrap(&what, columns).into_iter().map(|text| Line::raw(format!(" {text}"))));
    let hash: String = plan.hash.chars().take(12).collect();
    lines.push(Line::styled(
        format!(
            " plan {hash}  {} steps, ┃ one transaction, budget {}",
            plan.steps.len(),
            format::duration(plan.budget_ms as f64)
        ),
        Theme::strong(),
    ));
    if !is_runnable(plan) {
        lines.push(Line::styled(
            " ✗ it cannot run until the errors below are mended",
            Theme(state.colours).bad(),
        ));
    }
}

fn style(theme: Theme, line: &PlanLine) -> Style {
    match line.kind {
        LineKind::Fine => theme.good(),
        LineKind::Warning => theme.warning(),
        LineKind::Error => theme.bad(),
        LineKind::Step => Theme::text(),
        LineKind::File => Theme::strong(),
        LineKind::Sql => Theme::dim(),
    }
}

/// Why the daemon refused it.
pub(super) fn refusal(state: &State, wizard: &Wizard, columns: u16) -> Vec<Line<'static>> {
    let Some(error) = &wizard.refusal else { return Vec::new() };
    let field = error.field.as_ref().map(|field| format!("{field}: ")).unwrap_or_default();
    wrap(
        &format!("✗ {field}{}. Your input is kept.", error.message.trim_end_matches('.')),
        usize::from(columns).saturating_sub(2),
    )
    .into_iter()
    .map(|text| Line::styled(format!(" {text}"), Theme(state.colours).bad()))
    .collect()
}
