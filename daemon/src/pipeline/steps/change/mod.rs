//! The steps of operations on an existing tenant, one file each, from a new secret to its removal.

pub(in crate::pipeline) mod apply_settings;
pub(in crate::pipeline) mod archive;
pub(in crate::pipeline) mod close_logins;
pub(in crate::pipeline) mod close_old_login;
pub(in crate::pipeline) mod close_probe;
pub(in crate::pipeline) mod confirm_absence;
pub(in crate::pipeline) mod drop_objects;
pub(in crate::pipeline) mod drop_roles;
pub(in crate::pipeline) mod end_sessions;
pub(in crate::pipeline) mod open_logins;
pub(in crate::pipeline) mod removing;
pub(in crate::pipeline) mod set_secret;
pub(in crate::pipeline) mod upgrade;
pub(in crate::pipeline) mod verify;
