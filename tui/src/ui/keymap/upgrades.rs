//! The keymap's lines for upgrades of many tenants.
//! Like the other tables, it says what a key does and under which condition, and not what that means.

use crossterm::event::KeyCode;

use super::common::{BACK_Q, DOWN, END, HELP, HELP_F1, HOME, PAGE_DOWN, PAGE_UP, PALETTE, UP};
use super::{Action, Binding, ctrl, hint, key, plain, when};
use crate::ui::action::Hand;

const PAUSE: Binding = hint(&[plain('p')], "p", "pause", Action::Steer(Hand::Pause)).when(when::can_pause);
const RESUME: Binding =
    hint(&[plain('p')], "p", "resume", Action::Steer(Hand::Resume)).when(when::can_resume_upgrade);
const RETRY: Binding =
    hint(&[plain('f')], "f", "try the failed again", Action::Steer(Hand::Retry)).when(when::can_retry_failed);

pub(super) const UPGRADES: &[Binding] = &[
    hint(&[key(KeyCode::Enter)], "enter", "open", Action::OpenUpgrade).when(when::has_upgrade),
    PAUSE,
    RESUME,
    RETRY,
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

pub(super) const UPGRADE: &[Binding] = &[
    hint(&[key(KeyCode::Enter), plain('t')], "enter", "tenant", Action::Open).when(when::has_tenant),
    PAUSE,
    RESUME,
    RETRY,
    hint(&[plain('x')], "x", "cancel", Action::CancelUpgrade).when(when::can_cancel_upgrade),
    hint(&[plain('y')], "y", "copy the failure", Action::Copy).when(when::has_upgrade_failure),
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

pub(super) const CANCEL: &[Binding] = &[
    // Enter never ends anything.
    hint(&[ctrl('x')], "ctrl-x", "cancel the upgrade", Action::Steer(Hand::Cancel)),
    hint(&[key(KeyCode::Esc), key(KeyCode::Enter)], "esc", "leave it as it is", Action::Back),
    HELP_F1,
];

pub(super) const PLAN: &[Binding] = &[
    hint(&[ctrl('s')], "ctrl-s", "approve and begin", Action::Approve).when(when::can_begin_upgrade),
    hint(&[plain('t')], "t", "try it", Action::RehearseUpgrade).when(when::can_rehearse_upgrade),
    hint(&[plain('r')], "r", "plan again", Action::Reload),
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
