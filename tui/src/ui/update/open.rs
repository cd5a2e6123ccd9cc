//! Opening a screen, and asking the daemon for what it shows.
//!
//! Invariant: the code that opens a screen says which tenant it is about; nothing is looked up later by its place in a list.

use tenantry_protocol::id::{OperationId, TenantId};
use tenantry_protocol::name::Slug;

use super::{audit, upgrade_plan, upgrades, wizard};
use crate::ui::action::Place;
use crate::ui::event::Effect;
use crate::ui::state::credentials::{CredentialsScreen, Secret};
use crate::ui::state::fleet::{self, FleetScreen};
use crate::ui::state::isolation::IsolationScreen;
use crate::ui::state::operation::OperationScreen;
use crate::ui::state::operations::{self, OperationsScreen};
use crate::ui::state::rollback::RollbackDialog;
use crate::ui::state::wizard::{Step, Wizard};
use crate::ui::state::{Answer, Screen, State, TenantScreen};

pub(super) fn tenant_at_hand(state: &mut State) -> Vec<Effect> {
    let known = state.tenant_at_hand().map(|tenant| (tenant.id, tenant.slug.clone()));
    let found = known.or_else(|| match state.screen() {
        // A tenant that is no longer listed can still be requested.
        Screen::Operation(screen) => {
            state.live(screen).map(|live| (live.operation.tenant_id, live.operation.slug.clone()))
        }
        _ => None,
    });
    found.map(|(id, slug)| tenant(state, id, slug)).unwrap_or_default()
}

/// Opens the tenant from any screen; from there the way back leads to the list.
pub(super) fn tenant(state: &mut State, id: TenantId, slug: Slug) -> Vec<Effect> {
    state.leave_to_list();
    state.screens.push(Screen::Tenant(Box::new(TenantScreen { id, slug, detail: Answer::Awaited, top: 0 })));
    vec![Effect::LoadDetail(id.to_string())]
}

pub(super) fn operation(state: &mut State, id: Option<OperationId>) -> Vec<Effect> {
    let Some(id) = id else { return Vec::new() };
    state.screens.push(Screen::Operation(Box::new(OperationScreen::new(id, None))));
    vec![Effect::LoadOperation(id)]
}

pub(super) fn rollback(state: &mut State, id: Option<TenantId>) -> Vec<Effect> {
    let Some(tenant) = id.and_then(|id| state.tenants.get(id)).cloned() else { return Vec::new() };
    let id = tenant.id;
    state.screens.push(Screen::Rollback(Box::new(RollbackDialog::new(tenant))));
    vec![Effect::DropInput, Effect::LoadPreview(id)]
}

/// Opens the place that a key or a command names, from any screen; the way back leads to that screen.
pub(super) fn place(state: &mut State, place: Place) -> Vec<Effect> {
    match place {
        Place::Tenants => {
            state.leave_to_list();
            Vec::new()
        }
        Place::Operations => operations(state),
        Place::Isolation => fleet(state),
        Place::Upgrades => upgrades::list(state),
    }
}

/// Opens the list of operations.
fn operations(state: &mut State) -> Vec<Effect> {
    if matches!(state.screen(), Screen::Operations(_)) {
        return reload(state);
    }
    state.screens.push(Screen::Operations(OperationsScreen::new()));
    vec![Effect::LoadOperations]
}

/// On the newest operation, the selection follows the newest.
fn select_operation(state: &mut State, by: isize) {
    let Screen::Operations(screen) = state.screen() else { return };
    let last = state.operations.len().saturating_sub(1);
    let row = screen.selected_row(state).saturating_add_signed(by).min(last);
    let there = operations::newest_first(state).nth(row).map(|live| live.operation.id);
    if let Some(Screen::Operations(screen)) = state.screens.last_mut() {
        screen.selection = there.filter(|_| row > 0);
    }
}

/// A tenant without a login gets one; if it has one already, the screen says so first.
pub(super) fn credentials(state: &mut State, id: Option<TenantId>) -> Vec<Effect> {
    let Some(tenant) = id.and_then(|id| state.tenants.get(id)) else { return Vec::new() };
    let screen = CredentialsScreen::new(tenant);
    let first = screen.login.is_none();
    state.screens.push(Screen::Credentials(Box::new(screen)));
    if first { issue_credentials(state) } else { Vec::new() }
}

pub(super) fn issue_credentials(state: &mut State) -> Vec<Effect> {
    let ticket = state.ticket();
    let Some(Screen::Credentials(screen)) = state.screens.last_mut() else { return Vec::new() };
    screen.secret = Secret::Asked(ticket);
    vec![Effect::IssueCredentials { ticket, slug: screen.slug.to_string() }]
}

/// Goes back to the draft of a failed provision, with all its input.
pub(super) fn retry(state: &mut State) -> Vec<Effect> {
    let again = match state.screen() {
        Screen::Operation(screen) => state
            .live(screen)
            .and_then(|live| state.tenants.get(live.operation.tenant_id))
            .map(|tenant| Box::new(Wizard::again(tenant))),
        _ => None,
    };
    let Some(Screen::Operation(screen)) = state.screens.pop() else { return Vec::new() };
    if let Some(mut draft) = screen.draft.or(again) {
        draft.edited();
        draft.step = Step::Configuration;
        draft.focus = crate::ui::state::wizard::WizardField::Blueprint;
        state.draft = Some(draft);
    }
    wizard::open(state);
    Vec::new()
}

/// Opens a tenant's report; what is known of it already is shown at once.
pub(super) fn isolation(state: &mut State, id: Option<TenantId>) -> Vec<Effect> {
    let (id, slug, known) = match (state.screen(), id) {
        (Screen::Tenant(screen), _) => {
            let known = match &screen.detail {
                Answer::Given(detail) => Answer::Given(detail.clone()),
                _ => Answer::Awaited,
            };
            (screen.id, screen.slug.clone(), known)
        }
        (_, Some(id)) => match state.tenants.get(id) {
            Some(tenant) => (id, tenant.slug.clone(), Answer::Awaited),
            None => return Vec::new(),
        },
        _ => return Vec::new(),
    };
    state.screens.push(Screen::Isolation(Box::new(IsolationScreen::new(id, slug, known))));
    vec![Effect::LoadDetail(id.to_string())]
}

/// Opens the isolation of all tenants; the worst one is selected.
fn fleet(state: &mut State) -> Vec<Effect> {
    if !matches!(state.screen(), Screen::Fleet(_)) {
        state.screens.push(Screen::Fleet(FleetScreen::default()));
    }
    // The list of tenants is kept up to date anyway.
    Vec::new()
}

/// On the worst tenant, the selection follows the worst.
fn select_in_fleet(state: &mut State, by: isize) {
    let Screen::Fleet(screen) = state.screen() else { return };
    let wanting = fleet::wanting(state, screen.selection);
    let row = wanting.iter().position(|tenant| Some(tenant.id) == screen.selection).unwrap_or(0);
    let row = row.saturating_add_signed(by).min(wanting.len().saturating_sub(1));
    let there = wanting.get(row).map(|tenant| tenant.id);
    if let Some(Screen::Fleet(screen)) = state.screens.last_mut() {
        screen.selection = there.filter(|_| row > 0);
    }
}

/// Moves the selection of a screen that has one, by rows.
pub(super) fn select(state: &mut State, by: isize) -> Vec<Effect> {
    match state.screen() {
        Screen::Fleet(_) => select_in_fleet(state, by),
        Screen::Operations(_) => select_operation(state, by),
        Screen::Audit(_) => return audit::select(state, by),
        Screen::Upgrades(_) | Screen::Upgrade(_) => upgrades::select(state, by),
        _ => {}
    }
    Vec::new()
}

/// The screen below a closed one may have changed while it was covered.
pub(super) fn reload(state: &mut State) -> Vec<Effect> {
    match state.screen() {
        // Which tenants are behind follows from the stored versions.
        Screen::Tenants => vec![Effect::LoadTenants, Effect::LoadBlueprints],
        Screen::Fleet(_) => vec![Effect::LoadTenants],
        Screen::Isolation(screen) => vec![Effect::LoadDetail(screen.id.to_string())],
        Screen::Tenant(screen) => vec![Effect::LoadDetail(screen.id.to_string())],
        Screen::Audit(_) => audit::read(state),
        Screen::Wizard(_) => wizard::plan_again(state),
        Screen::Operation(screen) => vec![Effect::LoadOperation(screen.id)],
        Screen::Operations(_) => vec![Effect::LoadOperations],
        Screen::Upgrades(_) | Screen::Upgrade(_) => upgrades::read(state),
        Screen::UpgradePlan(_) => upgrade_plan::again(state),
        Screen::Credentials(_)
        | Screen::Rollback(_)
        | Screen::Bulk(_)
        | Screen::Record(_)
        | Screen::Export(_) => Vec::new(),
    }
}
