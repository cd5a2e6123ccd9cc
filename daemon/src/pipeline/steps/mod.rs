//! The steps, one file each. The steps of a build share its one transaction; the way back from any of them is
//! [`removal`], which asks the marker what there is to undo. Each can be run again.

pub(super) mod activate;
pub(super) mod commit;
pub(super) mod files;
pub(super) mod migrations;
pub(super) mod removal;
pub(super) mod roles;
pub(super) mod schema;
pub(super) mod seed;
pub(super) mod verify;
