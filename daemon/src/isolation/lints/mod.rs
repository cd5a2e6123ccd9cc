//! The catalog lints, one file each: what the catalog must not show of a tenant, even if no attack has used it yet.
//!
//! A lint is one query, which the daemon's role runs. In it `{own}` stands for the tenant's placement, and `{home}` for
//! the placement whose schema holds its tables: its own, or that of a pool. A lint returns one text for each finding, and
//! may use the CTEs in [`SHARED`]. What a role owns or may use is read from the shared dependencies, which are indexed: a
//! scan of the catalog would make each verification slower with every tenant. A tenant can make any number of some
//! objects, so no more of a lint's results are described, fetched or counted than are kept.

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

/// A condition that the catalog must not show.
#[derive(Debug, Clone, Copy)]
pub struct Lint {
    /// Stable name, in reports.
    pub name: &'static str,
    /// What a finding means.
    pub meaning: &'static str,
    pub sql: &'static str,
}

/// What the lints have in common, as CTEs. `ours`: the tenant's roles. `held`: what these roles own and may use, without
/// the large objects that they may use, which others can grant to them by the million. `owned`: what belongs to the
/// tenant itself. `root`: the same for [`crate::postgres::dependencies::ELSEWHERE`], whose CTEs come after these. They
/// are in one statement with all lints, because reading them takes long where a tenant has very many objects.
pub const SHARED: &str = r"
ours as materialized (select oid, rolname from pg_roles
    where rolname in ('{own}', '{own}_app', '{own}_a', '{own}_b', '{own}_probe', '{own}_dump')),
-- As an array: one walk through what is there, where a join would take one for each role.
entries as materialized (select dbid, classid, objid, objsubid, deptype, refobjid from pg_shdepend
    where refclassid = 'pg_authid'::regclass and refobjid = any (array(select oid from ours))
      and (classid <> 'pg_largeobject'::regclass or deptype = 'o') and deptype in ('o', 'a')
      and dbid::bigint in (0, (select oid::bigint from pg_database where datname = current_database()))),
held as materialized (select e.*, r.rolname from entries e join ours r on r.oid = e.refobjid),
owned as materialized (select classid, objid from held where deptype = 'o' and rolname = '{own}' and dbid <> 0),
root as (select classid, objid from owned where classid <> 'pg_largeobject'::regclass)";

/// What is reported about a tenant in addition to its findings, and is not held against it.
pub const GIFTS: &Lint = &gifts::LINT;

/// The lints of a battery of this depth.
pub const fn of(depth: Depth) -> &'static [&'static Lint] {
    match depth {
        Depth::Full => LINTS,
        _ => &[&given_away::LINT, &cross_references::LINT],
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
