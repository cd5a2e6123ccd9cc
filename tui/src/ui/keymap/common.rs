//! Lines that several tables of the keymap share.

use crossterm::event::KeyCode;

use super::{Action, Binding, ctrl, hint, key, plain};

pub(super) const UP: Binding = hint(&[key(KeyCode::Up), plain('k')], "↑ k", "up", Action::Up).quiet();
pub(super) const DOWN: Binding = hint(&[key(KeyCode::Down), plain('j')], "↓ j", "down", Action::Down).quiet();
pub(super) const PAGE_UP: Binding =
    hint(&[key(KeyCode::PageUp), ctrl('b')], "pgup ctrl-b", "page up", Action::PageUp).quiet();
pub(super) const PAGE_DOWN: Binding =
    hint(&[key(KeyCode::PageDown), ctrl('f')], "pgdn ctrl-f", "page down", Action::PageDown).quiet();
/// For modes in which letters, also with ctrl, belong to a field.
pub(super) const PAGE_UP_ONLY: Binding =
    hint(&[key(KeyCode::PageUp)], "pgup", "page up", Action::PageUp).quiet();
pub(super) const PAGE_DOWN_ONLY: Binding =
    hint(&[key(KeyCode::PageDown)], "pgdn", "page down", Action::PageDown).quiet();
pub(super) const HOME: Binding =
    hint(&[key(KeyCode::Home), plain('g')], "home g", "first", Action::Home).quiet();
pub(super) const END: Binding = hint(&[key(KeyCode::End), plain('G')], "end G", "last", Action::End).quiet();
pub(super) const BACK: Binding = hint(&[key(KeyCode::Esc)], "esc", "back", Action::Back);
pub(super) const BACK_Q: Binding = hint(&[key(KeyCode::Esc), plain('q')], "esc", "back", Action::Back);
pub(super) const HELP: Binding = hint(&[plain('?'), key(KeyCode::F(1))], "?", "help", Action::Help);
pub(super) const HELP_F1: Binding = hint(&[key(KeyCode::F(1))], "f1", "help", Action::Help);
pub(super) const PALETTE: Binding = hint(&[plain(':'), ctrl('p')], ":", "command", Action::Palette);
/// For modes in which `:` is a character like any other.
pub(super) const PALETTE_CTRL_P: Binding = hint(&[ctrl('p')], "ctrl-p", "command", Action::Palette).quiet();
