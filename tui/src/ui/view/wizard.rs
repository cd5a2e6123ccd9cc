//! The wizard: its progress line, the forms of the first two steps, and the plan of the third.
//! What is wrong with a field is shown below it as it is typed; the state judges it.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::fit::{cell, cut, width, wrap};
use super::plan;
use super::theme::Theme;
use crate::ui::state::State;
use crate::ui::state::wizard::{Catalogue, Seed, SlugOrigin, Step, Wizard, WizardField};

const LABEL: usize = 20;

pub(super) fn draw(state: &State, wizard: &Wizard, frame: &mut Frame<'_>, area: Rect) {
    let above = progress(wizard, area.width);
    if wizard.step == Step::Confirmation {
        plan::draw(state, wizard, frame, area, vec![above]);
        return;
    }
    let mut lines = vec![Line::default()];
    let offer = catalogue(state);
    // The rows of the focused field, and the column of the cursor in the first of them.
    let (mut focus, mut cursor) = (0..0, None);
    for field in wizard.fields(offer) {
        let row = row(state, wizard, &field, offer, area.width);
        if field == wizard.focus {
            focus = lines.len()..lines.len() + row.len();
            cursor = wizard.input(&field).map(|input| LABEL + 3 + input.visual_cursor());
        }
        lines.extend(row);
    }
    lines.extend(plan::refusal(state, wizard, area.width));
    // If a form is taller than the screen, the focused field is shown whole.
    let room = usize::from(area.height).saturating_sub(1).max(1);
    let top = focus.end.saturating_sub(room).min(focus.start);
    let row = 1 + focus.start - top;
    if let Some(column) = cursor.filter(|_| row < usize::from(area.height)) {
        let column = (area.x as usize + column).min(usize::from(area.right().saturating_sub(1)));
        frame.set_cursor_position(Position::new(column as u16, area.y + row as u16));
    }
    super::lines(frame, area, std::iter::once(above).chain(lines.into_iter().skip(top)).collect());
}

pub(super) const fn catalogue(state: &State) -> Catalogue<'_> {
    Catalogue {
        blueprints: state.blueprints.as_slice(),
        targets: state.targets.as_slice(),
        tenants: &state.tenants,
    }
}

fn progress(wizard: &Wizard, columns: u16) -> Line<'static> {
    let steps = [
        (Step::Details, "1 details"),
        (Step::Configuration, "2 configuration"),
        (Step::Confirmation, "3 confirmation"),
    ];
    let here = steps.iter().position(|(step, _)| *step == wizard.step).unwrap_or(0);
    if columns < 60 {
        let title = steps[here].1.trim_start_matches(|c: char| !c.is_alphabetic());
        return Line::styled(format!(" step {} of 3: {title}", here + 1), Theme::strong());
    }
    let mut spans = vec![Span::raw(" ")];
    for (index, (_, title)) in steps.iter().enumerate() {
        if index > 0 {
            spans.push(Span::styled(" ─── ", Theme::dim()));
        }
        let (text, style) = match index.cmp(&here) {
            std::cmp::Ordering::Less => (format!("{title} ✓"), Theme::text()),
            std::cmp::Ordering::Equal => (format!("▸ {title}"), Theme::strong()),
            std::cmp::Ordering::Greater => ((*title).to_owned(), Theme::dim()),
        };
        spans.push(Span::styled(text, style));
    }
    Line::from(spans)
}

/// The field itself, and below it what is wrong with it or what it means.
fn row(
    state: &State,
    wizard: &Wizard,
    field: &WizardField,
    offer: Catalogue<'_>,
    columns: u16,
) -> Vec<Line<'static>> {
    let theme = Theme(state.colours);
    let focused = *field == wizard.focus;
    let room = usize::from(columns).saturating_sub(LABEL + 4);
    let mark = if focused { '▌' } else { ' ' };
    let label = format!("{mark}{} ", cell(&label(field), LABEL));
    let style = if focused { Theme::strong() } else { Theme::text() };
    let value = match wizard.input(field) {
        Some(input) => Span::styled(format!(" {}", tail(input.value(), room)), style),
        None => Span::styled(choice(wizard, field, focused), style),
    };
    let mut lines = vec![Line::from(vec![Span::styled(label, style), value])];
    let below = " ".repeat(LABEL + 3);
    // An empty field that has not been reached is not a mistake yet.
    let untouched = *field == WizardField::Slug
        && wizard.slug.value().is_empty()
        && !focused
        && wizard.name.value().is_empty();
    match wizard.problem(field, offer).filter(|_| !untouched) {
        Some(problem) => lines.extend(wrap(&problem, room).into_iter().enumerate().map(|(at, text)| {
            let glyph = if at == 0 { "✗ " } else { "  " };
            Line::styled(format!("{below}{glyph}{text}"), theme.bad())
        })),
        None => lines.push(Line::styled(
            format!("{below}{}", cut(&meaning(wizard, field, offer), room)),
            Theme::dim(),
        )),
    }
    lines
}

/// The end of a text that is too long, because the cursor is there.
fn tail(text: &str, columns: usize) -> String {
    let mut from = 0;
    while width(&text[from..]) > columns {
        let Some(first) = text[from..].chars().next() else { break };
        from += first.len_utf8();
    }
    text[from..].to_owned()
}

fn label(field: &WizardField) -> String {
    match field {
        WizardField::Name => "display name".to_owned(),
        WizardField::Slug => "name".to_owned(),
        WizardField::Labels => "labels".to_owned(),
        WizardField::Blueprint => "blueprint".to_owned(),
        WizardField::Version => "version".to_owned(),
        WizardField::Target => "target".to_owned(),
        WizardField::Setting(name) => name.replace('_', " "),
        WizardField::Seed => "seed".to_owned(),
    }
}

fn choice(wizard: &Wizard, field: &WizardField, focused: bool) -> String {
    let text = match field {
        WizardField::Blueprint => wizard.blueprint.as_ref().map(|(name, _)| name.to_string()),
        WizardField::Version => wizard.blueprint.as_ref().map(|(_, version)| version.to_string()),
        WizardField::Target => wizard.target.as_ref().map(ToString::to_string),
        WizardField::Seed => Some(if wizard.seed == Seed::Yes { "yes" } else { "no" }.to_owned()),
        _ => None,
    };
    let text = text.unwrap_or_else(|| "…".to_owned());
    if focused { format!("◂ {text} ▸") } else { format!(" {text}") }
}

fn meaning(wizard: &Wizard, field: &WizardField, offer: Catalogue<'_>) -> String {
    let blueprint = wizard.chosen(offer);
    match field {
        WizardField::Name => "any text; people read it".to_owned(),
        WizardField::Slug if wizard.slug_origin == SlugOrigin::Derived => {
            "derived from the display name".to_owned()
        }
        WizardField::Slug => "✓ free".to_owned(),
        WizardField::Labels => "name=value, name=value".to_owned(),
        WizardField::Blueprint => blueprint.map(|chosen| chosen.title.clone()).unwrap_or_default(),
        WizardField::Version => {
            blueprint.map(|chosen| format!("{} migrations", chosen.migrations.len())).unwrap_or_default()
        }
        WizardField::Target => {
            let chosen =
                offer.targets.iter().find(|other| Some(&other.health.name) == wizard.target.as_ref());
            chosen.map_or_else(String::new, |target| match &target.health.problem {
                Some(problem) => format!("✗ {problem}"),
                None => format!("{}, {} tenants", target.address, target.health.tenants),
            })
        }
        WizardField::Setting(name) => blueprint
            .and_then(|chosen| chosen.settings.get(name))
            .map(|setting| format!("{}, {} to {}", setting.title, setting.min, setting.max))
            .unwrap_or_default(),
        WizardField::Seed => "sample data from the blueprint".to_owned(),
    }
}
