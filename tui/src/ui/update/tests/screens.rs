//! Palette, retry and credentials: the ways between screens, driven by events alone.
//! As in the parent module, nothing is drawn and no daemon is asked.

use crossterm::event::{KeyCode, KeyEvent};
use tenantry_protocol::blueprint::Blueprint;
use tenantry_protocol::name::BlueprintVersion;
use tenantry_protocol::operation::{Failure, OperationState};
use tenantry_protocol::tenant::{CredentialsIssued, TenantDetail, TenantState};
use tenantry_protocol::upgrade::UpgradeState;
use tenantry_protocol::watch::EventBody;

use super::{watched, wizard};
use crate::ui::event::{Effect, Event};
use crate::ui::keymap;
use crate::ui::state::credentials::Secret;
use crate::ui::state::palette::Run;
use crate::ui::state::wizard::Step;
use crate::ui::state::{Overlay, Screen};
use crate::ui::testing::{blueprint, console, ctrl, now, operation, press, tenant, type_text, upgrade};
use crate::ui::update::update;

#[test]
fn a_failure_of_somebody_elses_is_retried_from_the_registry() {
    let mut state = console(&[]);
    let mut failed = operation("acme", OperationState::RolledBack { failure: Failure::default() });
    let mut gone = tenant("acme");
    gone.state = TenantState::RolledBack { reason: "syntax error".into() };
    gone.settings = [("connection_limit".to_owned(), 42)].into();
    failed.tenant_id = gone.id;
    gone.last_operation.as_mut().unwrap().id = failed.id;
    update(&mut state, Event::Tenants(vec![gone]));
    update(&mut state, Event::Operation(Box::new(failed)));
    press(&mut state, KeyCode::Char('o'));
    press(&mut state, KeyCode::Char('r'));
    assert_eq!((wizard(&state).slug.value(), wizard(&state).name.value()), ("acme", "acme Ltd"));
    let effects = press(&mut state, KeyCode::Enter);
    let Some(Effect::Plan { request, .. }) = effects.first() else { panic!("{effects:?}") };
    assert_eq!(request.settings.get("connection_limit"), Some(&42));
}

#[test]
fn a_login_in_use_gets_a_new_secret_only_when_that_was_confirmed() {
    let mut state = console(&[]);
    let mut used = tenant("acme");
    used.credentials =
        Some(CredentialsIssued { role: "t_x_a".into(), issued_at: now(), previous_role: None });
    update(&mut state, Event::Tenants(vec![used, tenant("fresh")]));
    assert!(press(&mut state, KeyCode::Char('c')).is_empty(), "there is a login already");
    assert!(press(&mut state, KeyCode::Enter).is_empty());
    let effects = ctrl(&mut state, 's');
    assert!(matches!(effects.as_slice(), [Effect::IssueCredentials { slug, .. }] if slug == "acme"));
    press(&mut state, KeyCode::Esc);
    press(&mut state, KeyCode::Char('j'));
    let effects = press(&mut state, KeyCode::Char('c'));
    assert!(matches!(effects.as_slice(), [Effect::IssueCredentials { slug, .. }] if slug == "fresh"));
    let Screen::Credentials(screen) = state.screen() else { panic!() };
    assert!(matches!(screen.secret, Secret::Asked(_)));
}

#[test]
fn the_palette_runs_what_was_typed() {
    let mut state = console(&["acme", "globex"]);
    press(&mut state, KeyCode::Char(':'));
    type_text(&mut state, "rollback glob");
    let opened = press(&mut state, KeyCode::Enter);
    assert!(matches!(opened.as_slice(), [Effect::DropInput, Effect::LoadPreview(_)]), "{opened:?}");
    let Screen::Rollback(dialog) = state.screen() else { panic!("{:?}", state.screen()) };
    assert_eq!(dialog.tenant.slug.as_str(), "globex");
    press(&mut state, KeyCode::Char(':'));
    let Screen::Rollback(dialog) = state.screen() else { panic!() };
    assert_eq!(dialog.typed.value(), ":", "a dialog has no palette over it");
}

#[test]
fn the_palette_asks_for_the_tenant_and_offers_the_selected_one_first() {
    let mut state = console(&["acme", "globex"]);
    press(&mut state, KeyCode::Char('j'));
    press(&mut state, KeyCode::Char(':'));
    type_text(&mut state, "cred");
    assert!(press(&mut state, KeyCode::Enter).is_empty());
    let effects = press(&mut state, KeyCode::Enter);
    assert!(matches!(effects.as_slice(), [Effect::IssueCredentials { slug, .. }] if slug == "globex"));
}

#[test]
fn the_palette_has_every_action_of_each_screen_and_no_hint_promises_a_dead_key() {
    for way in [
        &[][..],
        &[' '],
        &['\n'],
        &['\n', 'a'],
        &['a'],
        &['O'],
        &['O', '\n'],
        &['o'],
        &['i'],
        &['\n', 'i'],
        &['v'],
        &['u'],
        &['u', '\n'],
        &['U'],
    ] {
        let mut state = console(&["acme", "globex"]);
        update(&mut state, Event::Upgrades(Ok(vec![upgrade(UpgradeState::Running)])));
        let newer = Blueprint { version: BlueprintVersion::new(1, 1), ..blueprint() };
        update(&mut state, Event::Blueprints(vec![newer, blueprint()]));
        let failure = Failure { step: "migrations".into(), message: "wrong".into(), ..Failure::default() };
        let failed = operation("acme", OperationState::RolledBack { failure });
        update(&mut state, Event::Operation(Box::new(failed)));
        for key in way {
            press(&mut state, if *key == '\n' { KeyCode::Enter } else { KeyCode::Char(*key) });
        }
        let mode = keymap::screen_mode(&state);
        for binding in keymap::bindings(&state, mode) {
            let live = binding.keys().iter().any(|(code, modifiers)| {
                keymap::resolve(&state, &KeyEvent::new(*code, *modifiers)) == Some(binding.action)
            });
            assert!(live, "{way:?}: {} is shown and does something else", binding.shown);
        }
        press(&mut state, KeyCode::Char(':'));
        let Overlay::Palette(palette) = &state.overlay else { panic!("{way:?}: no palette") };
        let missing: Vec<_> = keymap::bindings(&state, mode)
            .filter(|binding| !binding.is_movement())
            .filter(|binding| {
                !palette
                    .entries
                    .iter()
                    .any(|entry| entry.key == binding.shown || entry.run == Run::Act(binding.action))
            })
            .map(|binding| binding.shown)
            .collect();
        assert!(missing.is_empty(), "{way:?}: {missing:?}");
    }
}

#[test]
fn a_new_tenant_from_the_palette_has_its_name_and_leaves_an_older_wizard_as_it_was() {
    let mut state = console(&[]);
    press(&mut state, KeyCode::Char(':'));
    type_text(&mut state, "new Acme GmbH");
    press(&mut state, KeyCode::Enter);
    assert_eq!((wizard(&state).name.value(), wizard(&state).slug.value()), ("Acme GmbH", "acme-gmbh"));
    ctrl(&mut state, 'p');
    type_text(&mut state, "tenants");
    press(&mut state, KeyCode::Enter);
    assert!(matches!(state.screen(), Screen::Tenants));
    press(&mut state, KeyCode::Char('n'));
    assert_eq!(wizard(&state).slug.value(), "acme-gmbh", "the draft stayed");
}

#[test]
fn who_goes_on_before_the_targets_are_known_goes_on_once_they_are() {
    let mut state = console(&[]);
    let targets = std::mem::take(&mut state.targets);
    press(&mut state, KeyCode::Char('n'));
    type_text(&mut state, "Acme");
    press(&mut state, KeyCode::Enter);
    assert!(press(&mut state, KeyCode::Enter).is_empty(), "there is no target to plan for");
    assert!(state.notice.as_deref().is_some_and(|notice| notice.contains("as soon as")));
    let effects = update(&mut state, Event::Targets(targets.clone()));
    assert!(matches!(effects.as_slice(), [Effect::Plan { .. }]), "{effects:?}");
    assert_eq!(wizard(&state).step, Step::Confirmation);

    press(&mut state, KeyCode::Esc);
    press(&mut state, KeyCode::Esc);
    state.targets.clear();
    let Some(Screen::Wizard(draft)) = state.screens.last_mut() else { panic!() };
    draft.target = None;
    press(&mut state, KeyCode::Enter);
    press(&mut state, KeyCode::Enter);
    press(&mut state, KeyCode::Down);
    assert!(update(&mut state, Event::Targets(targets)).is_empty(), "the operator stayed here after all");
    assert_eq!(wizard(&state).step, Step::Configuration);
}

#[test]
fn no_plain_enter_asks_for_a_removal_or_a_new_secret() {
    let mut state = console(&["acme"]);
    press(&mut state, KeyCode::Char('R'));
    type_text(&mut state, "acme");
    for _ in 0..5 {
        let effects = press(&mut state, KeyCode::Enter);
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Rollback { .. })));
    }
}

#[test]
fn leaving_before_the_secret_came_says_what_may_have_happened() {
    let mut state = console(&["acme"]);
    press(&mut state, KeyCode::Char('c'));
    press(&mut state, KeyCode::Esc);
    assert!(state.notice.as_deref().is_some_and(|notice| notice.contains("nobody has seen")));
}

#[test]
fn a_tenant_that_ended_while_the_daemon_was_away_is_not_forgotten() {
    let mut state = console(&["acme"]);
    let mut cut = tenant("zeta");
    cut.state = TenantState::Provisioning;
    let mut running = operation("zeta", OperationState::Running);
    running.tenant_id = cut.id;
    update(&mut state, watched(EventBody::Tenant { tenant: Box::new(cut.clone()) }));
    update(&mut state, Event::Operation(Box::new(running.clone())));
    update(&mut state, Event::Lost("gone".into()));
    let asked = update(&mut state, Event::Tenants(vec![tenant("acme")]));
    // The acme of the new list has another id, so the old acme is loaded as well.
    assert!(asked.contains(&Effect::LoadDetail(cut.id.to_string())), "{asked:?}");
    cut.state = TenantState::RolledBack { reason: "the daemon ended".into() };
    let failure = Failure { step: "migrations".into(), message: "cut short".into(), ..Failure::default() };
    running.state = OperationState::RolledBack { failure };
    let detail =
        TenantDetail { tenant: cut.clone(), operations: vec![running], isolation: None, archives: vec![] };
    let id = cut.id.to_string();
    update(&mut state, Event::Detail { id, result: Ok(Box::new(detail)) });
    assert_eq!(state.tenants.get(cut.id).map(|row| row.state.name()), Some("rolled_back"));
    assert!(state.notice.as_deref().is_some_and(|notice| notice.contains("zeta: cut short")));
}
