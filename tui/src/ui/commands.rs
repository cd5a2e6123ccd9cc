//! The commands of the palette: every action by name, and the tenants that an action can apply to.
//!
//! Invariant: every listed command would work now. The palette itself removes nothing; it opens the dialog that may.

use tenantry_protocol::id::TenantId;
use tenantry_protocol::tenant::{Tenant, TenantState};

use super::action::{Action, Place};
use super::keymap;
use super::state::palette::{PaletteEntry, Run};
use super::state::{State, fuzzy, tenants, verdict};

/// At most this many tenants are offered; a longer search text finds the others.
const MAX_TENANTS: usize = 200;

/// A command that is available on every screen.
struct PaletteCommand {
    name: &'static str,
    meaning: &'static str,
    /// The action of the key, on screens that have a key for it.
    action: Option<Action>,
    argument: Argument,
}

enum Argument {
    None(Run),
    /// Which tenants fit, and what to do with the chosen one.
    Tenant(fn(&Tenant) -> bool, fn(TenantId) -> Run),
    /// Like [`Self::Tenant`], or all tenants, by this word.
    TenantOrAll(&'static str, Run, fn(&Tenant) -> bool, fn(TenantId) -> Run),
    /// Like [`Self::Tenant`]; without a word the command runs as it is.
    TenantOrNone(Run, fn(&Tenant) -> bool, fn(TenantId) -> Run),
    /// Any text, which may be empty.
    Text(&'static str, fn(String) -> Run),
}

const COMMANDS: &[PaletteCommand] = &[
    PaletteCommand {
        name: "new",
        meaning: "a new tenant",
        action: Some(Action::New),
        argument: Argument::Text("display name", Run::New),
    },
    PaletteCommand {
        name: "tenant",
        meaning: "open a tenant",
        action: Some(Action::Open),
        argument: Argument::Tenant(|_| true, Run::Open),
    },
    PaletteCommand {
        name: "operation",
        meaning: "a tenant's last operation",
        action: Some(Action::LastOperation),
        argument: Argument::Tenant(|tenant| tenant.last_operation.is_some(), Run::Operation),
    },
    PaletteCommand {
        name: "credentials",
        meaning: "a login for a tenant, shown once",
        action: Some(Action::Credentials),
        argument: Argument::Tenant(|tenant| tenant.state == TenantState::Active, Run::Credentials),
    },
    PaletteCommand {
        name: "rollback",
        meaning: "remove a tenant; asks first",
        action: Some(Action::Rollback),
        argument: Argument::Tenant(|tenant| tenants::can_roll_back(&tenant.state), Run::Rollback),
    },
    PaletteCommand {
        name: "suspend",
        meaning: "close a tenant's logins; its data stays",
        action: Some(Action::SuspendTenant),
        argument: Argument::Tenant(|tenant| tenants::can_suspend(&tenant.state), Run::SuspendTenant),
    },
    PaletteCommand {
        name: "resume",
        meaning: "open a suspended tenant's logins again",
        action: Some(Action::ResumeTenant),
        argument: Argument::Tenant(|tenant| tenants::can_resume(&tenant.state), Run::ResumeTenant),
    },
    PaletteCommand {
        name: "verify",
        meaning: "attack a tenant's isolation, or that of all",
        action: Some(Action::Verify),
        argument: Argument::TenantOrAll(
            "every tenant that stands, one after the other",
            Run::VerifyAll,
            |tenant| verdict::can_verify(&tenant.state),
            Run::Verify,
        ),
    },
    PaletteCommand {
        name: "isolation",
        meaning: "the grades of all, or a tenant's report",
        action: Some(Action::Isolation),
        argument: Argument::TenantOrNone(Run::Show(Place::Isolation), |_| true, Run::Isolation),
    },
    PaletteCommand {
        name: "audit",
        meaning: "the audit trail",
        action: Some(Action::Audit),
        argument: Argument::Text("tenant:… actor:… action:… outcome:… since:1d until:… text", Run::Audit),
    },
    PaletteCommand {
        name: "chain",
        meaning: "verify the whole audit trail",
        action: Some(Action::VerifyTrail),
        argument: Argument::None(Run::VerifyTrail),
    },
    PaletteCommand {
        name: "export",
        meaning: "write the audit trail to a file",
        action: Some(Action::Export),
        argument: Argument::None(Run::Export),
    },
    PaletteCommand {
        name: "filter",
        meaning: "tenants that match",
        action: Some(Action::Filter),
        argument: Argument::Text("letters of a name", Run::Filter),
    },
];

/// The entries that fit the text, the likeliest first.
pub(super) fn matching(state: &State, text: &str) -> Vec<PaletteEntry> {
    let asked = text.split_once(' ').and_then(|(name, rest)| {
        let command = COMMANDS.iter().find(|command| command.name == name)?;
        (!matches!(command.argument, Argument::None(_))).then_some((command, rest))
    });
    if let Some((command, rest)) = asked {
        return with_argument(state, command, rest);
    }
    let all = everything(state);
    let names: Vec<String> = all.iter().map(|entry| format!("{} {}", entry.name, entry.meaning)).collect();
    let mut found: Vec<PaletteEntry> =
        fuzzy::search(text, &names).into_iter().map(|at| all[at].clone()).collect();
    // A name that begins with what was typed is meant, whatever else matches well.
    found.sort_by_key(|entry| !entry.name.starts_with(text.trim()));
    found
}

/// The commands, then everything else that the keys of this screen do.
fn everything(state: &State) -> Vec<PaletteEntry> {
    let mode = keymap::screen_mode(state);
    let key = |action: Option<Action>| {
        keymap::bindings(state, mode)
            .find(|binding| Some(binding.action) == action)
            .map_or("", |found| found.shown)
    };
    let mut seen = Vec::new();
    let mut entries: Vec<PaletteEntry> = keymap::bindings(state, mode)
        .filter(|binding| !binding.is_movement())
        .filter(|binding| !matches!(binding.action, Action::Show(_)))
        .filter(|binding| !COMMANDS.iter().any(|command| command.action == Some(binding.action)))
        .filter(|binding| {
            // Two keys for one action are one entry.
            let known = seen.contains(&binding.action);
            seen.push(binding.action);
            !known
        })
        .map(|binding| PaletteEntry {
            name: binding.hint.to_owned(),
            meaning: format!("in {}", mode.title()),
            key: binding.shown,
            run: Run::Act(binding.action),
        })
        .collect();
    let commands = COMMANDS.iter().map(|command| PaletteEntry {
        name: command.name.to_owned(),
        meaning: command.meaning.to_owned(),
        key: key(command.action),
        run: match &command.argument {
            Argument::None(run) => run.clone(),
            // If the word may be left out, the command runs as it is.
            Argument::Text(_, run) => run(String::new()),
            Argument::TenantOrNone(run, ..) => run.clone(),
            Argument::Tenant(..) | Argument::TenantOrAll(..) => Run::Ask(command.name),
        },
    });
    let places = Place::ALL.into_iter().filter_map(|place| {
        let (name, meaning) = place.command()?;
        Some(PaletteEntry {
            name: name.to_owned(),
            meaning: meaning.to_owned(),
            key: key(Some(Action::Show(place))),
            run: Run::Show(place),
        })
    });
    entries.splice(0..0, commands.chain(places));
    entries
}

fn with_argument(state: &State, command: &PaletteCommand, rest: &str) -> Vec<PaletteEntry> {
    let entry = |text: &str, meaning: String, run: Run| PaletteEntry {
        name: format!("{} {text}", command.name).trim_end().to_owned(),
        meaning,
        key: "",
        run,
    };
    match &command.argument {
        Argument::None(_) => Vec::new(),
        Argument::Text(what, run) => {
            vec![entry(rest.trim(), (*what).to_owned(), run(rest.trim().to_owned()))]
        }
        Argument::Tenant(fits, run) | Argument::TenantOrNone(_, fits, run) => {
            tenants_named(state, command, rest, *fits, *run)
        }
        Argument::TenantOrAll(meaning, all, fits, run) => {
            let mut entries = tenants_named(state, command, rest, *fits, *run);
            if "all".starts_with(rest.trim()) {
                // A single letter more likely belongs to a tenant's name.
                let at = usize::from(rest.trim() != "all").min(entries.len());
                entries.insert(at, entry("all", (*meaning).to_owned(), all.clone()));
            }
            entries
        }
    }
}

/// The tenants that fit, searched by the typed part of their names.
fn tenants_named(
    state: &State,
    command: &PaletteCommand,
    rest: &str,
    fits: fn(&Tenant) -> bool,
    run: fn(TenantId) -> Run,
) -> Vec<PaletteEntry> {
    let here = state.tenant_at_hand().map(|tenant| tenant.id);
    let mut offered: Vec<&Tenant> = state.tenants.rows().iter().filter(|tenant| fits(tenant)).collect();
    // The tenant that the screen is about comes first: usually it is meant.
    offered.sort_by_key(|tenant| Some(tenant.id) != here);
    let names: Vec<String> =
        offered.iter().map(|tenant| format!("{} {}", tenant.slug, tenant.display_name)).collect();
    let found = fuzzy::search(rest, &names).into_iter().take(MAX_TENANTS);
    found
        .map(|at| {
            let tenant = offered[at];
            let state = tenant.state.name().replace('_', " ");
            PaletteEntry {
                name: format!("{} {}", command.name, tenant.slug),
                meaning: format!("{} · {state}", tenant.display_name),
                key: "",
                run: run(tenant.id),
            }
        })
        .collect()
}
