//! The keymap's lines for the audit trail, its records and its exports.
//! Like the other tables, it says what a key does and under which condition, and not what that means.

use crossterm::event::KeyCode;

use super::common::{
    BACK_Q, DOWN, END, HELP, HELP_F1, HOME, PAGE_DOWN, PAGE_UP, PALETTE, PALETTE_CTRL_P, UP,
};
use super::{Action, Binding, hint, key, plain, when};

pub(super) const AUDIT: &[Binding] = &[
    hint(&[plain('/')], "/", "filter", Action::Filter),
    hint(&[key(KeyCode::Enter)], "enter", "details", Action::Details).when(when::has_event),
    hint(&[plain('v')], "v", "verify", Action::VerifyTrail).when(when::trail_is_not_verified_now),
    hint(&[plain('e')], "e", "export", Action::Export),
    hint(&[plain('t')], "t", "tail", Action::Tail),
    hint(&[plain('o')], "o", "operation", Action::LastOperation).when(when::has_operation),
    hint(&[plain('T')], "T", "tenant", Action::Open).when(when::has_tenant).quiet(),
    hint(&[plain('V')], "V", "what the verification found", Action::Verdict).when(when::has_verdict).quiet(),
    hint(&[plain('y')], "y", "copy the event", Action::Copy).when(when::has_event).quiet(),
    PALETTE,
    hint(&[key(KeyCode::Esc)], "esc", "clear filter", Action::Back).when(when::is_filtered),
    hint(&[key(KeyCode::Esc), plain('q')], "esc", "back", Action::Back).when(when::is_not_filtered),
    HELP,
    hint(&[plain('r')], "r", "reload", Action::Reload).quiet(),
    UP,
    DOWN,
    PAGE_UP,
    PAGE_DOWN,
    HOME,
    END,
];

pub(super) const AUDIT_FILTER: &[Binding] = &[
    hint(&[key(KeyCode::Enter)], "enter", "search", Action::Continue),
    hint(&[key(KeyCode::Esc)], "esc", "leave it as it was", Action::Back),
    hint(&[key(KeyCode::Up)], "↑", "up", Action::Up),
    hint(&[key(KeyCode::Down)], "↓", "down", Action::Down),
    HELP_F1,
];

pub(super) const RECORD: &[Binding] = &[
    hint(&[key(KeyCode::Enter), plain('o')], "enter", "operation", Action::LastOperation)
        .when(when::has_operation),
    hint(&[plain('T')], "T", "tenant", Action::Open).when(when::has_tenant),
    hint(&[plain('y')], "y", "copy", Action::Copy),
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

pub(super) const EXPORT: &[Binding] = &[
    hint(&[key(KeyCode::Enter)], "enter", "export", Action::Continue),
    hint(&[key(KeyCode::Tab), key(KeyCode::Down)], "tab ↓", "next field", Action::NextField),
    hint(&[key(KeyCode::BackTab), key(KeyCode::Up)], "↑", "previous", Action::PreviousField).quiet(),
    hint(&[key(KeyCode::Right), plain(' ')], "← →", "choose", Action::NextChoice)
        .when(when::is_format_choice),
    hint(&[key(KeyCode::Left)], "←", "choose backwards", Action::PreviousChoice)
        .when(when::is_format_choice)
        .quiet(),
    PALETTE_CTRL_P,
    hint(&[key(KeyCode::Esc)], "esc", "cancel", Action::Back),
    HELP_F1,
];

pub(super) const EXPORTING: &[Binding] = &[
    hint(&[plain('x')], "x", "stop it", Action::StopExport),
    PALETTE,
    hint(&[key(KeyCode::Esc), plain('q')], "esc", "leave it running", Action::Back),
    HELP,
];
