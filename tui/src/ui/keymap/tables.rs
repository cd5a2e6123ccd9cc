//! The keymap's lines, a table for each mode. Order is the order of hints and help.
//! A line says what a key does and under which condition; the update decides what the action means.

use crossterm::event::KeyCode;

use super::common::*;
use super::{Action, Binding, Mode, audit, ctrl, hint, key, plain, upgrades, when};
use crate::ui::action::Place;

/// These work everywhere.
pub(super) const EVERYWHERE: &[Binding] = &[
    hint(&[ctrl('c')], "ctrl-c", "quit", Action::Quit).quiet(),
    hint(&[ctrl('z')], "ctrl-z", "suspend", Action::Suspend).quiet(),
];

const TENANTS: &[Binding] = &[
    hint(&[key(KeyCode::Enter)], "enter", "open", Action::Open).when(when::has_selection),
    hint(&[plain('R')], "R", "roll back marked", Action::RollbackMarked).when(when::has_marks),
    hint(&[plain('v')], "v", "verify marked", Action::Verify).when(when::has_marks),
    hint(&[plain('n')], "n", "new", Action::New),
    hint(&[plain('/')], "/", "filter", Action::Filter),
    PALETTE,
    hint(&[plain('R')], "R", "rollback", Action::Rollback).when(when::can_roll_back_selected),
    hint(&[plain('v')], "v", "verify", Action::Verify).when(when::can_verify_selected),
    hint(&[plain(' ')], "space", "mark", Action::Mark).when(when::has_selection),
    HELP,
    hint(&[key(KeyCode::Esc)], "esc", "clear the filter", Action::Back).when(when::is_filtered),
    hint(&[key(KeyCode::Esc)], "esc", "clear marks", Action::Back).when(when::has_only_marks),
    hint(&[plain('O')], "O", "operations", Action::Show(Place::Operations)),
    hint(&[plain('u')], "u", "upgrades", Action::Show(Place::Upgrades)),
    hint(&[plain('U')], "U", "upgrade all of its blueprint", Action::PlanUpgrade)
        .when(when::is_behind)
        .quiet(),
    hint(&[plain('a')], "a", "audit", Action::Audit),
    hint(&[plain('s')], "s", "sort by next column", Action::Sort).quiet(),
    hint(&[plain('S')], "S", "reverse order", Action::Reverse).quiet(),
    hint(&[plain('*')], "*", "mark all or none", Action::MarkAll).when(when::has_selection).quiet(),
    hint(&[plain('y')], "y", "copy names", Action::Copy).when(when::has_selection).quiet(),
    hint(&[plain('o')], "o", "its last operation", Action::LastOperation).when(when::has_operation).quiet(),
    hint(&[plain('c')], "c", "credentials", Action::Credentials).when(when::can_issue_credentials).quiet(),
    hint(&[plain('i')], "i", "its isolation report", Action::Isolation).when(when::has_selection).quiet(),
    hint(&[plain('x')], "x", "stop verifying", Action::StopVerifying)
        .when(when::is_verifying_several)
        .quiet(),
    hint(&[plain('r')], "r", "reload", Action::Reload).quiet(),
    hint(&[plain('q')], "q", "quit", Action::Quit).quiet(),
    UP,
    DOWN,
    PAGE_UP,
    PAGE_DOWN,
    HOME,
    END,
];

const FILTER: &[Binding] = &[
    hint(&[key(KeyCode::Enter)], "enter", "keep the filter", Action::Continue),
    hint(&[key(KeyCode::Esc)], "esc", "clear it", Action::Back),
    hint(&[key(KeyCode::Up)], "↑", "up", Action::Up),
    hint(&[key(KeyCode::Down)], "↓", "down", Action::Down),
    PALETTE_CTRL_P,
    HELP_F1,
];

const TENANT: &[Binding] = &[
    hint(&[plain('o'), key(KeyCode::Enter)], "o", "operation", Action::LastOperation)
        .when(when::has_operation),
    hint(&[plain('c')], "c", "credentials", Action::Credentials).when(when::can_issue_credentials),
    hint(&[plain('v')], "v", "verify", Action::Verify).when(when::can_verify),
    hint(&[plain('i')], "i", "report", Action::Isolation),
    hint(&[plain('s')], "s", "suspend", Action::SuspendTenant).when(when::can_suspend),
    hint(&[plain('s')], "s", "resume", Action::ResumeTenant).when(when::can_resume),
    hint(&[plain('R')], "R", "rollback", Action::Rollback).when(when::can_roll_back),
    hint(&[plain('a')], "a", "its audit", Action::Audit),
    PALETTE,
    BACK_Q,
    HELP,
    hint(&[plain('x')], "x", "stop verifying", Action::StopVerifying)
        .when(when::is_verifying_several)
        .quiet(),
    hint(&[plain('r')], "r", "reload", Action::Reload).quiet(),
    UP,
    DOWN,
    PAGE_UP,
    PAGE_DOWN,
    HOME,
];

const FORM: &[Binding] = &[
    hint(&[key(KeyCode::Enter)], "enter", "continue", Action::Continue),
    hint(&[key(KeyCode::Tab), key(KeyCode::Down)], "tab ↓", "next field", Action::NextField),
    hint(&[key(KeyCode::BackTab), key(KeyCode::Up)], "↑", "previous", Action::PreviousField),
    hint(&[key(KeyCode::Right), plain(' '), plain('l')], "← →", "choose", Action::NextChoice)
        .when(when::is_choice),
    hint(&[key(KeyCode::Left), plain('h')], "←", "choose backwards", Action::PreviousChoice)
        .when(when::is_choice)
        .quiet(),
    PALETTE_CTRL_P,
    BACK,
    HELP_F1,
];

const PLAN: &[Binding] = &[
    hint(&[ctrl('s')], "ctrl-s", "approve and run", Action::Approve).when(when::can_approve),
    hint(&[plain('s'), plain(' ')], "s", "show or fold SQL", Action::ToggleSql).when(when::has_plan),
    hint(&[plain('r')], "r", "plan again", Action::Reload).when(when::can_replan),
    PALETTE.quiet(),
    BACK,
    HELP,
    UP,
    DOWN,
    PAGE_UP,
    PAGE_DOWN,
    HOME,
    END,
];

const OPERATION: &[Binding] = &[
    hint(&[plain('c')], "c", "credentials", Action::Credentials).when(when::can_issue_credentials),
    hint(&[plain('x')], "x", "cancel and undo", Action::Cancel).when(when::can_cancel),
    hint(&[plain('r')], "r", "edit and retry", Action::Retry).when(when::can_retry),
    hint(&[plain('r')], "r", "retry", Action::RetryAsIs).when(when::can_retry_as_is),
    hint(&[key(KeyCode::Enter)], "enter", "tenant", Action::Open).when(when::is_over),
    hint(&[plain('y')], "y", "copy the error", Action::Copy).when(when::has_failure),
    hint(&[plain('a')], "a", "its audit", Action::Audit),
    PALETTE,
    hint(&[key(KeyCode::Esc), plain('q')], "esc", "leave it running", Action::Back).when(when::is_running),
    hint(&[key(KeyCode::Esc), plain('q')], "esc", "back", Action::Back).when(when::is_over),
    HELP,
    UP,
    DOWN,
    PAGE_UP,
    PAGE_DOWN,
    HOME,
];

/// No palette here: the secret must be closed first, on purpose.
const CREDENTIALS: &[Binding] = &[
    hint(&[plain('y')], "y", "copy the URL", Action::Copy).when(when::secret_is_shown),
    hint(&[plain('p')], "p", "copy the password", Action::CopyPassword).when(when::secret_is_shown),
    hint(&[ctrl('s')], "ctrl-s", "set a new secret", Action::IssueCredentials).when(when::secret_can_be_set),
    hint(&[key(KeyCode::Esc)], "esc", "close; it is not shown again", Action::Back)
        .when(when::secret_is_shown),
    BACK.when(when::secret_is_not_shown),
];

const ROLLBACK: &[Binding] = &[
    hint(&[ctrl('x')], "ctrl-x", "roll back", Action::RollBackNow).when(when::rollback_is_named),
    // Enter never removes anything.
    hint(&[key(KeyCode::Enter)], "enter", "press Cancel", Action::Continue),
    hint(&[key(KeyCode::Esc)], "esc", "cancel", Action::Back),
    hint(&[key(KeyCode::Up)], "↑ ↓", "scroll", Action::Up).quiet(),
    hint(&[key(KeyCode::Down)], "↓", "down", Action::Down).quiet(),
    HELP_F1,
];

const BULK: &[Binding] = &[
    hint(&[ctrl('x')], "ctrl-x", "roll them back", Action::RollBackNow).when(when::bulk_is_confirmed),
    hint(&[ctrl('x')], "ctrl-x", "go on with the rest", Action::RollBackNow).when(when::bulk_is_stopped),
    hint(&[key(KeyCode::Enter)], "enter", "press Cancel", Action::Continue).when(when::bulk_is_asking),
    hint(&[key(KeyCode::Esc)], "esc", "cancel", Action::Back).when(when::bulk_is_asking),
    hint(&[key(KeyCode::Esc)], "esc", "leave the rest as it is", Action::Back).when(when::bulk_is_under_way),
    hint(&[key(KeyCode::Esc)], "esc", "back", Action::Back).when(when::bulk_is_done),
    hint(&[key(KeyCode::Up)], "↑ ↓", "scroll", Action::Up),
    hint(&[key(KeyCode::Down)], "↓", "down", Action::Down).quiet(),
    PAGE_UP_ONLY,
    PAGE_DOWN_ONLY,
    HELP_F1,
];

const OPERATIONS: &[Binding] = &[
    hint(&[key(KeyCode::Enter), plain('o')], "enter", "open", Action::LastOperation)
        .when(when::has_operation),
    hint(&[plain('t')], "t", "tenant", Action::Open).when(when::has_tenant),
    hint(&[plain('a')], "a", "its audit", Action::Audit).when(when::has_tenant),
    hint(&[plain('y')], "y", "copy the error", Action::Copy).when(when::selected_failed),
    hint(&[plain('r')], "r", "reload", Action::Reload),
    PALETTE,
    BACK_Q,
    HELP,
    UP,
    DOWN,
    PAGE_UP,
    PAGE_DOWN,
    HOME,
    END,
];

const ISOLATION: &[Binding] = &[
    hint(&[plain('v')], "v", "verify again", Action::Verify).when(when::can_verify),
    hint(&[plain('e'), plain(' ')], "e", "show or fold evidence", Action::Evidence).when(when::has_report),
    hint(&[plain('/')], "/", "filter", Action::Filter).when(when::has_report),
    hint(&[plain('y')], "y", "copy", Action::Copy).when(when::has_report),
    hint(&[plain('Y')], "Y", "copy as JSON", Action::CopyJson).when(when::has_report).quiet(),
    hint(&[plain('t'), key(KeyCode::Enter)], "t", "tenant", Action::Open).when(when::has_tenant).quiet(),
    PALETTE,
    hint(&[key(KeyCode::Esc)], "esc", "clear the filter", Action::Back).when(when::is_filtered),
    hint(&[key(KeyCode::Esc), plain('q')], "esc", "back", Action::Back).when(when::is_not_filtered),
    HELP,
    hint(&[plain('x')], "x", "stop verifying", Action::StopVerifying)
        .when(when::is_verifying_several)
        .quiet(),
    hint(&[plain('r')], "r", "reload", Action::Reload).quiet(),
    UP,
    DOWN,
    PAGE_UP,
    PAGE_DOWN,
    HOME,
    END,
];

const ISOLATION_FILTER: &[Binding] = &[
    hint(&[key(KeyCode::Enter)], "enter", "keep the filter", Action::Continue),
    hint(&[key(KeyCode::Esc)], "esc", "clear it", Action::Back),
    hint(&[key(KeyCode::Up)], "↑", "up", Action::Up),
    hint(&[key(KeyCode::Down)], "↓", "down", Action::Down),
    HELP_F1,
];

const FLEET: &[Binding] = &[
    hint(&[key(KeyCode::Enter), plain('i')], "enter", "report", Action::Isolation).when(when::has_tenant),
    hint(&[plain('x')], "x", "stop verifying", Action::StopVerifying).when(when::is_verifying_several),
    hint(&[plain('v')], "v", "verify", Action::Verify).when(when::can_verify),
    hint(&[plain('V')], "V", "verify all", Action::VerifyAll).when(when::is_not_verifying_several),
    hint(&[plain('t')], "t", "tenant", Action::Open).when(when::has_tenant),
    PALETTE,
    BACK_Q,
    HELP,
    hint(&[plain('r')], "r", "reload", Action::Reload).quiet(),
    UP,
    DOWN,
    PAGE_UP,
    PAGE_DOWN,
    HOME,
    END,
];

const HELP_OPEN: &[Binding] = &[
    hint(&[key(KeyCode::Esc), plain('q'), plain('?'), key(KeyCode::F(1))], "esc", "close", Action::Back),
    hint(&[key(KeyCode::Up), plain('k')], "↑ ↓", "scroll", Action::Up),
    DOWN,
    PAGE_UP,
    PAGE_DOWN,
];

const PALETTE_OPEN: &[Binding] = &[
    hint(&[key(KeyCode::Enter)], "enter", "run", Action::Continue),
    hint(&[key(KeyCode::Tab)], "tab", "complete", Action::Complete),
    hint(&[key(KeyCode::Up), ctrl('p')], "↑ ↓", "choose", Action::Up),
    hint(&[key(KeyCode::Down), ctrl('n')], "↓", "down", Action::Down).quiet(),
    PAGE_UP_ONLY,
    PAGE_DOWN_ONLY,
    hint(&[key(KeyCode::Esc)], "esc", "close", Action::Back),
];

pub(super) const fn table(mode: Mode) -> &'static [Binding] {
    match mode {
        Mode::Tenants => TENANTS,
        Mode::Filter => FILTER,
        Mode::Tenant => TENANT,
        Mode::Form => FORM,
        Mode::Plan => PLAN,
        Mode::Operation => OPERATION,
        Mode::Credentials => CREDENTIALS,
        Mode::Rollback => ROLLBACK,
        Mode::Bulk => BULK,
        Mode::Operations => OPERATIONS,
        Mode::Audit => audit::AUDIT,
        Mode::AuditFilter => audit::AUDIT_FILTER,
        Mode::Record => audit::RECORD,
        Mode::Export => audit::EXPORT,
        Mode::Exporting => audit::EXPORTING,
        Mode::Isolation => ISOLATION,
        Mode::IsolationFilter => ISOLATION_FILTER,
        Mode::Fleet => FLEET,
        Mode::Upgrades => upgrades::UPGRADES,
        Mode::Upgrade => upgrades::UPGRADE,
        Mode::UpgradeCancel => upgrades::CANCEL,
        Mode::UpgradePlan => upgrades::PLAN,
        Mode::Help => HELP_OPEN,
        Mode::Palette => PALETTE_OPEN,
    }
}
