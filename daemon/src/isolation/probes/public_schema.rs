//! Creates objects in the schema that may be on everybody's search path.

use super::{Depth, Probe, Scope, refused_with};

pub(super) const PROBE: Probe = Probe {
    name: "public_schema",
    meaning: "a tenant plants objects that others call",
    depth: Depth::Full,
    scope: Scope::Anywhere,
    // If somebody dropped the schema, there is no place to create the object in.
    attacks: &[refused_with(&["42501", "3F000"], "create table public.intruder (id integer)")],
    remedy: Some("revoke create on schema public from public"),
};
