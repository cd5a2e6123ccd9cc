//! Blueprints: checked, stored, shown, and cached.

pub(super) mod add;
pub(super) mod catalog;
pub(super) mod check;
pub(super) mod draft;
pub(super) mod list;
pub(super) mod try_on;
