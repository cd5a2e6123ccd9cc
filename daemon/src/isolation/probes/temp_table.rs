//! Creates temporary objects, which come first on the search path of a careless function.

use super::{Depth, Probe, Scope, refused};

pub(super) const PROBE: Probe = Probe {
    name: "temp_table",
    meaning: "a tenant's objects are used in place of those that a SECURITY DEFINER function means",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    attacks: &[
        refused("create temp table record (id integer)"),
        refused("create function pg_temp.lower(text) returns text language sql return 'intruder'"),
    ],
    remedy: None,
};
