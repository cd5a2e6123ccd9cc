//! The catalog lints, one file each: what the catalog must not show of a tenant, whether or not an attack has used it yet.
//!
//! A lint is one query, which the daemon's role runs; `{own}` in it stands for the tenant's placement, `{home}` for
//! the one whose schema its tables are in: its own, or that of a pool. It gives a text for
//! each thing it finds. What a role owns or may use is read from the shared dependencies, which are indexed: a scan of the
//! catalog would make each verification slower with every tenant that is there. A tenant can make any number of some things,
//! so that no more of a lint is described, fetched or
//! counted than is kept.

use tenantry_protocol::isolation::Depth;

mod app_rights;
mod cross_references;
mod default_privileges;
mod definer_functions;
mod foreign_grants;
mod foreign_owners;
mod foreign_rights;
mod gifts;
mod given_away;
mod memberships;
mod role_attributes;
mod role_settings;
mod stray_objects;
mod user_mappings;

/// Something that the catalog must not show.
#[derive(Debug, Clone, Copy)]
pub struct Lint {
    /// Stable name, in reports.
    pub name: &'static str,
    /// What it means where it is found.
    pub meaning: &'static str,
    pub sql: &'static str,
}

/// What is told of a tenant beside its findings, and is nothing against it.
pub const GIFTS: &Lint = &gifts::LINT;

/// Of a battery of this depth.
pub const fn of(depth: Depth) -> &'static [&'static Lint] {
    match depth {
        Depth::Full => LINTS,
        _ => &[&given_away::LINT],
    }
}

pub const LINTS: &[&Lint] = &[
    &foreign_grants::LINT,
    &app_rights::LINT,
    &foreign_owners::LINT,
    &stray_objects::LINT,
    &memberships::LINT,
    &role_attributes::LINT,
    &role_settings::LINT,
    &default_privileges::LINT,
    &definer_functions::LINT,
    &cross_references::LINT,
    &foreign_rights::LINT,
    &user_mappings::LINT,
];
