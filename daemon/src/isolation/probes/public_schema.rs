//! Creates objects where everybody's search path may look.

use super::{Attack, Depth, Holds, Probe, Scope};

pub(super) const PROBE: Probe = Probe {
    name: "public_schema",
    meaning: "a tenant plants objects that others call",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[Attack {
        before: "",
        sql: "create table public.intruder (id integer)",
        // Where somebody dropped the schema there is nothing to create it in.
        holds: Holds::Refused(&["42501", "3F000"]),
    }],
    remedy: Some("revoke create on schema public from public"),
};
