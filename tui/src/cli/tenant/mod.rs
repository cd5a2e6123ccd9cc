//! `tenant …`: one file for each subcommand, or for a few that differ only in their names.

pub(super) mod create;
pub(super) mod credentials;
pub(super) mod drift;
pub(super) mod list;
pub(super) mod manage;
pub(super) mod rollback;
pub(super) mod show;
pub(super) mod verify;
