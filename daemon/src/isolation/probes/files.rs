//! Reads the server's files.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "files",
    meaning: "a tenant reads every tenant's data, and the server's secrets",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[
        refused("select pg_read_file('PG_VERSION')"),
        refused("select pg_ls_dir('.')"),
        refused("select pg_stat_file('PG_VERSION')"),
    ],
    remedy: None,
};
