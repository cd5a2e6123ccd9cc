//! From the list of tenants to an upgrade of a whole blueprint: the plan is asked for, read, and approved.
//!
//! Invariant: an answer is taken by the screen that asked for it, and by no other.

use tenantry_protocol::ApiError;
use tenantry_protocol::name::BlueprintName;
use tenantry_protocol::upgrade::{Upgrade, UpgradePlan, UpgradeRequest};

use crate::ui::event::Effect;
use crate::ui::state::upgrade_plan::{PlanPhase, UpgradePlanScreen, request};
use crate::ui::state::upgrades::UpgradeScreen;
use crate::ui::state::{Screen, State};
use crate::ui::ticket::Ticket;

/// Asks for the plan of the blueprint of the tenant at hand.
pub(super) fn open(state: &mut State) -> Vec<Effect> {
    let Some(blueprint) = state.tenant_at_hand().map(|tenant| tenant.blueprint.clone()) else {
        return Vec::new();
    };
    let ticket = state.ticket();
    state.screens.push(Screen::UpgradePlan(Box::new(UpgradePlanScreen::new(blueprint.clone(), ticket))));
    vec![asked(ticket, &blueprint)]
}

fn asked(ticket: Ticket, blueprint: &BlueprintName) -> Effect {
    Effect::PlanUpgrade { ticket, request: Box::new(request(blueprint)) }
}

/// Plans again; an upgrade that is being begun is not asked for twice.
pub(super) fn again(state: &mut State) -> Vec<Effect> {
    let ticket = state.ticket();
    let Some(Screen::UpgradePlan(screen)) = state.screens.last_mut() else { return Vec::new() };
    if matches!(screen.phase, PlanPhase::Beginning { .. } | PlanPhase::Rehearsing { .. }) {
        return Vec::new();
    }
    screen.phase = PlanPhase::Asked(ticket);
    vec![asked(ticket, &screen.blueprint)]
}

/// Has the plan on the screen tried on blank placements.
pub(super) fn rehearse(state: &mut State) -> Vec<Effect> {
    let ticket = state.ticket();
    let Some(Screen::UpgradePlan(screen)) = state.screens.last_mut() else { return Vec::new() };
    let PlanPhase::Planned { plan, key, .. } = &screen.phase else { return Vec::new() };
    let request = UpgradeRequest { version: Some(plan.version.to_string()), ..request(&screen.blueprint) };
    screen.phase = PlanPhase::Rehearsing { ticket, plan: plan.clone(), key: key.clone() };
    vec![Effect::RehearseUpgrade { ticket, request: Box::new(request) }]
}

pub(super) fn arrived(
    state: &mut State,
    ticket: Ticket,
    key: String,
    result: Result<Box<UpgradePlan>, ApiError>,
) {
    let Some(screen) = waiting(state, ticket) else { return };
    let before = std::mem::replace(&mut screen.phase, PlanPhase::Asked(ticket));
    screen.phase = match (result, before) {
        (Ok(plan), _) => PlanPhase::Planned { plan, key, refusal: None },
        // What was planned stays, though nobody could try it.
        (Err(error), PlanPhase::Rehearsing { plan, key, .. }) => {
            PlanPhase::Planned { plan, key, refusal: Some(error) }
        }
        (Err(error), _) => PlanPhase::Refused(error),
    };
}

/// Begins the upgrade as it was planned.
pub(super) fn approve(state: &mut State) -> Vec<Effect> {
    let ticket = state.ticket();
    let Some(Screen::UpgradePlan(screen)) = state.screens.last_mut() else { return Vec::new() };
    let PlanPhase::Planned { plan, key, .. } = &screen.phase else { return Vec::new() };
    let request = UpgradeRequest {
        version: Some(plan.version.to_string()),
        approve: Some(plan.hash.clone()),
        idempotency_key: Some(key.clone()),
        ..request(&screen.blueprint)
    };
    screen.phase = PlanPhase::Beginning { ticket, plan: plan.clone(), key: key.clone() };
    vec![Effect::BeginUpgrade { ticket, request: Box::new(request) }]
}

/// The upgrade was begun, or refused. Its screen replaces the one that asked.
pub(super) fn begun(
    state: &mut State,
    ticket: Ticket,
    result: Result<Box<Upgrade>, ApiError>,
) -> Vec<Effect> {
    let Some(screen) = waiting(state, ticket) else {
        state.notice = Some(match result {
            Ok(upgrade) => format!("the upgrade to {} {} has begun", upgrade.blueprint, upgrade.version),
            Err(error) => error.message,
        });
        return Vec::new();
    };
    match result {
        Err(error) => {
            let before = std::mem::replace(&mut screen.phase, PlanPhase::Asked(ticket));
            if let PlanPhase::Beginning { plan, key, .. } = before {
                // The key stays the same, so that trying again cannot begin it twice.
                screen.phase = PlanPhase::Planned { plan, key, refusal: Some(error) };
            }
            Vec::new()
        }
        Ok(upgrade) => {
            // What was opened above it gives way, too, like above any dialog that is answered.
            let at = state.screens.iter().position(|screen| matches!(screen, Screen::UpgradePlan(_)));
            state.screens.truncate(at.unwrap_or(1).max(1));
            let (ticket, id) = (state.ticket(), upgrade.id);
            state.upgrades.put(*upgrade, None);
            state.screens.push(Screen::Upgrade(Box::new(UpgradeScreen::new(id, ticket))));
            vec![Effect::LoadUpgrade { ticket, id }]
        }
    }
}

fn waiting(state: &mut State, ticket: Ticket) -> Option<&mut UpgradePlanScreen> {
    state.screens.iter_mut().find_map(|screen| match screen {
        Screen::UpgradePlan(screen) => match screen.phase {
            PlanPhase::Asked(asked)
            | PlanPhase::Rehearsing { ticket: asked, .. }
            | PlanPhase::Beginning { ticket: asked, .. }
                if asked == ticket =>
            {
                Some(&mut **screen)
            }
            _ => None,
        },
        _ => None,
    })
}
