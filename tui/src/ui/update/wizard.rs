//! The wizard's own moves: between fields, steps and choices.
//!
//! Invariant: only `approve` requests a change, and only with the plan that is on the screen.

use tenantry_protocol::ApiError;
use tenantry_protocol::name::BlueprintName;
use tenantry_protocol::plan::Plan;
use tui_input::Input;

use crate::ui::event::Effect;
use crate::ui::state::wizard::{Advance, Catalogue, Confirmation, Seed, Step, Wizard, WizardField};
use crate::ui::state::{Screen, State};
use crate::ui::ticket::Ticket;

/// The wizard on the screen, the lists it chooses from, and a fresh ticket.
fn at_hand(state: &mut State) -> Option<(&mut Wizard, Catalogue<'_>, Ticket)> {
    let ticket = state.ticket();
    let offer = Catalogue { blueprints: &state.blueprints, targets: &state.targets, tenants: &state.tenants };
    match state.screens.last_mut() {
        Some(Screen::Wizard(wizard)) => Some((wizard, offer, ticket)),
        _ => None,
    }
}

/// The blueprints or targets became known: an operator who went on before they were goes on now.
pub(super) fn adopt(state: &mut State) -> Vec<Effect> {
    let Some((wizard, offer, _)) = at_hand(state) else { return Vec::new() };
    wizard.adopt(offer);
    if wizard.problems(offer).next().is_some() {
        return Vec::new();
    }
    let advance = std::mem::replace(&mut wizard.advance, Advance::Asked);
    state.notice = None;
    if advance == Advance::Ahead { go_on(state) } else { Vec::new() }
}

/// Continues with the draft that was left, or begins a new one.
pub(super) fn open(state: &mut State) {
    let wizard = state.draft.take().unwrap_or_else(|| Box::new(Wizard::new()));
    state.screens.push(Screen::Wizard(wizard));
    adopt(state);
}

/// A draft with this display name; without one, the same as [`open`].
pub(super) fn open_named(state: &mut State, name: &str) {
    if !name.is_empty() {
        let mut wizard = Wizard::new();
        wizard.name = Input::new(name.to_owned());
        wizard.edited();
        state.draft = Some(Box::new(wizard));
    }
    open(state);
}

pub(super) fn move_focus(state: &mut State, by: isize) {
    if let Some((wizard, offer, _)) = at_hand(state) {
        let fields = wizard.fields(offer);
        let here = fields.iter().position(|field| *field == wizard.focus).unwrap_or(0);
        let there = here.saturating_add_signed(by).min(fields.len().saturating_sub(1));
        // After the last field the focus returns to the first, so that Tab alone reaches all of them.
        let there = if by > 0 && here + 1 == fields.len() { 0 } else { there };
        if let Some(field) = fields.into_iter().nth(there) {
            wizard.focus = field;
            wizard.advance = Advance::Asked;
        }
    }
}

pub(super) fn choose(state: &mut State, by: isize) {
    let Some((wizard, offer, _)) = at_hand(state) else { return };
    match wizard.focus {
        WizardField::Blueprint => {
            let mut names: Vec<&BlueprintName> = offer.blueprints.iter().map(|other| &other.name).collect();
            names.dedup();
            let chosen =
                wizard.blueprint.as_ref().and_then(|(name, _)| names.iter().position(|other| *other == name));
            if let Some(name) = cycled(&names, chosen, by) {
                let newest = offer.blueprints.iter().find(|other| other.name == **name);
                wizard.blueprint = newest.map(|other| (other.name.clone(), other.version));
            }
        }
        WizardField::Version => {
            if let Some((name, version)) = wizard.blueprint.clone() {
                let versions: Vec<_> = offer
                    .blueprints
                    .iter()
                    .filter(|other| other.name == name)
                    .map(|other| other.version)
                    .collect();
                let chosen = versions.iter().position(|other| *other == version);
                if let Some(version) = cycled(&versions, chosen, by) {
                    wizard.blueprint = Some((name, *version));
                }
            }
        }
        WizardField::Target => {
            let names: Vec<_> = offer.targets.iter().map(|other| other.health.name.clone()).collect();
            let chosen = wizard.target.as_ref().and_then(|name| names.iter().position(|other| other == name));
            if let Some(name) = cycled(&names, chosen, by) {
                wizard.target = Some(name.clone());
            }
        }
        WizardField::Seed => wizard.seed = if wizard.seed == Seed::Yes { Seed::No } else { Seed::Yes },
        _ => return,
    }
    wizard.edited();
    wizard.adopt(offer);
}

fn cycled<T>(choices: &[T], chosen: Option<usize>, by: isize) -> Option<&T> {
    let count = choices.len().max(1) as isize;
    let next = chosen.map_or(0, |index| (index as isize + by).rem_euclid(count));
    choices.get(next as usize)
}

/// Goes to the next step, or to the first field that is not valid.
pub(super) fn go_on(state: &mut State) -> Vec<Effect> {
    let Some((wizard, offer, ticket)) = at_hand(state) else { return Vec::new() };
    let problems: Vec<_> = wizard.problems(offer).collect();
    if let Some(field) = problems.iter().find(|field| !wizard.is_awaited(field)) {
        wizard.focus = field.clone();
        state.notice = Some("fix the marked field first".to_owned());
        return Vec::new();
    }
    if !problems.is_empty() {
        wizard.advance = Advance::Ahead;
        state.notice = Some("goes on as soon as the blueprints and targets are known".to_owned());
        return Vec::new();
    }
    match wizard.step {
        Step::Details => {
            wizard.step = Step::Configuration;
            wizard.focus = WizardField::Blueprint;
            Vec::new()
        }
        Step::Configuration => {
            wizard.step = Step::Confirmation;
            if wizard.plan().is_some() {
                return Vec::new();
            }
            plan(wizard, offer, ticket)
        }
        Step::Confirmation => Vec::new(),
    }
}

fn plan(wizard: &mut Wizard, offer: Catalogue<'_>, ticket: Ticket) -> Vec<Effect> {
    wizard.confirmation = Confirmation::Planning(ticket);
    wizard.refusal = None;
    wizard.top = 0;
    vec![Effect::Plan { ticket, request: Box::new(wizard.request(offer)) }]
}

pub(super) fn plan_again(state: &mut State) -> Vec<Effect> {
    at_hand(state).map(|(wizard, offer, ticket)| plan(wizard, offer, ticket)).unwrap_or_default()
}

pub(super) fn plan_arrived(
    state: &mut State,
    ticket: Ticket,
    key: String,
    result: Result<Box<Plan>, ApiError>,
) {
    let open = state.screens.iter_mut().filter_map(|screen| match screen {
        Screen::Wizard(wizard) => Some(wizard),
        _ => None,
    });
    let waiting = open
        .chain(&mut state.draft)
        .find(|wizard| matches!(wizard.confirmation, Confirmation::Planning(asked) if asked == ticket));
    let Some(wizard) = waiting else { return };
    match result {
        Ok(plan) => wizard.confirmation = Confirmation::Planned { plan, key },
        Err(error) => {
            wizard.confirmation = Confirmation::NotPlanned;
            wizard.refusal = Some(error);
        }
    }
}

/// Goes one step back; from the first step it leaves the wizard and keeps the draft.
pub(super) fn go_back(state: &mut State) {
    let Some((wizard, _, _)) = at_hand(state) else { return };
    match wizard.step {
        Step::Confirmation => {
            wizard.step = Step::Configuration;
            wizard.focus = WizardField::Blueprint;
        }
        Step::Configuration => {
            wizard.step = Step::Details;
            wizard.focus = WizardField::Name;
            wizard.advance = Advance::Asked;
        }
        Step::Details => {
            if let Some(Screen::Wizard(wizard)) = state.screens.pop() {
                state.draft = Some(wizard);
                state.notice = Some("the draft is kept; n goes on with it".to_owned());
            }
        }
    }
}

pub(super) fn approve(state: &mut State) -> Vec<Effect> {
    let Some((wizard, offer, ticket)) = at_hand(state) else { return Vec::new() };
    let Some(request) = wizard.approved(offer) else { return Vec::new() };
    if let Confirmation::Planned { plan, key } = wizard.confirmation.clone() {
        wizard.confirmation = Confirmation::Starting { plan, key, ticket };
        wizard.refusal = None;
    }
    vec![Effect::Provision { ticket, request: Box::new(request) }]
}
