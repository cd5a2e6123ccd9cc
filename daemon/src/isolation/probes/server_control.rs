//! Uses the functions that control the server.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "server_control",
    meaning: "a tenant switches the server's logs and reloads its configuration",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[
        refused("select pg_reload_conf()"),
        refused("select pg_switch_wal()"),
        refused("select pg_create_restore_point('intruder')"),
    ],
    remedy: None,
};
