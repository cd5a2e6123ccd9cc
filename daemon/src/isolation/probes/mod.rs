//! The probes, one file each: what an attack tries, and how it must end.
//!
//! In an attack `{victim}` stands for the victim's placement, `{own}` for the attacker's, `{pool}` for that of the shared
//! tables, `{neighbour}` for a tenant that has rows there, and `{provisioner}` for the daemon's role.

mod activity;
mod advisory_lock;
mod alter;
mod alter_role;
mod alter_system;
mod bookkeeping;
mod catalog_lock;
mod catalog_secrets;
mod catalog_write;
mod column;
mod comment;
mod copy_file;
mod copy_program;
mod create;
mod create_role;
mod create_schema;
mod data_type;
mod database_setting;
mod dblink;
mod default_privileges;
mod drop;
mod drop_role;
mod escalate;
mod event_trigger;
mod extension_schema;
mod files;
mod foreign_data;
mod function;
mod grant;
mod index;
mod large_object;
mod large_object_create;
mod large_object_file;
mod load_library;
mod lock;
mod logical_message;
mod maintenance;
mod materialized_view;
mod membership;
mod other_database;
mod own_objects;
mod own_owner;
mod own_rights;
mod parameters;
mod partition;
mod policy;
mod provisioner;
mod public_schema;
mod publication;
mod read;
mod reassign;
mod replication;
mod reset_role;
mod role_memberships;
mod role_setting;
mod rule;
mod sequence;
mod server_control;
mod session_authorization;
mod set_role;
mod settings;
mod shared_context;
mod shared_forge;
mod shared_keys;
mod shared_owner;
mod shared_read;
mod shared_rights;
mod shared_row_security;
mod shared_statistics;
mod shared_views;
mod shared_write;
mod signal;
mod statistics;
mod statistics_reset;
mod subscription;
mod tablespace;
mod temp_files;
mod temp_table;
mod trigger;
mod truncate;
mod view;
mod write;

use tenantry_protocol::blueprint::Tenancy;
pub use tenantry_protocol::isolation::Depth;

/// One kind of attack, in all its variants.
#[derive(Debug, Clone, Copy)]
pub struct Probe {
    /// Stable name, in reports.
    pub name: &'static str,
    /// What a successful attack would mean.
    pub meaning: &'static str,
    /// The smallest battery that includes the probe.
    pub depth: Depth,
    pub scope: Scope,
    /// Every one of them must be held off.
    pub attacks: &'static [Attack],
    /// What an administrator would run to close the hole, if the daemon's role may not.
    pub remedy: Option<&'static str>,
}

/// The tenancies in which an attack makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The victim's schema is in the same database.
    Neighbour,
    /// The tenant has a schema.
    OwnSchema,
    /// The tenant shares its tables with others.
    Shared,
    Anywhere,
}

impl Scope {
    fn fits(self, tenancy: Tenancy) -> bool {
        match self {
            Self::Neighbour => tenancy != Tenancy::Database,
            Self::OwnSchema => tenancy != Tenancy::Shared,
            Self::Shared => tenancy == Tenancy::Shared,
            Self::Anywhere => true,
        }
    }
}

/// One or more statements, and the result that shows that they were held off.
#[derive(Debug, Clone, Copy)]
pub struct Attack {
    /// What is set up for the attack in the same transaction; returns no rows.
    pub before: &'static str,
    pub sql: &'static str,
    pub holds: Holds,
    pub times: Times,
}

/// How often an attack is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    Once,
    /// Once for each shared table of the ground, whose name replaces `{table}`.
    EachTable,
}

#[derive(Debug, Clone, Copy)]
pub enum Holds {
    /// The server refuses the attack with one of these SQLSTATEs. Any other error has proved nothing.
    Refused(&'static [&'static str]),
    /// The attack may run, and the one text that it returns must be this.
    Sees(&'static str),
}

/// Sent before each attack.
pub(super) const ANOTHER_TRANSACTION: &str = "rollback; begin; ";

/// insufficient_privilege
const REFUSED: &[&str] = &["42501"];

const fn refused(sql: &'static str) -> Attack {
    refused_with(REFUSED, sql)
}

const fn refused_with(codes: &'static [&'static str], sql: &'static str) -> Attack {
    Attack { before: "", sql, holds: Holds::Refused(codes), times: Times::Once }
}

const fn sees(sql: &'static str, answer: &'static str) -> Attack {
    sees_after("", sql, answer)
}

const fn sees_after(before: &'static str, sql: &'static str, answer: &'static str) -> Attack {
    Attack { before, sql, holds: Holds::Sees(answer), times: Times::Once }
}

const fn sees_in_each_table(sql: &'static str, answer: &'static str) -> Attack {
    Attack { before: "", sql, holds: Holds::Sees(answer), times: Times::EachTable }
}

/// All probes, those of the core first.
pub const PROBES: &[&Probe] = &[
    &shared_read::PROBE,
    &shared_owner::PROBE,
    &read::PROBE,
    &write::PROBE,
    &create::PROBE,
    &drop::PROBE,
    &function::PROBE,
    &set_role::PROBE,
    &session_authorization::PROBE,
    &provisioner::PROBE,
    &alter::PROBE,
    &truncate::PROBE,
    &trigger::PROBE,
    &rule::PROBE,
    &index::PROBE,
    &policy::PROBE,
    &comment::PROBE,
    &lock::PROBE,
    &maintenance::PROBE,
    &column::PROBE,
    &view::PROBE,
    &materialized_view::PROBE,
    &sequence::PROBE,
    &partition::PROBE,
    &data_type::PROBE,
    &grant::PROBE,
    &default_privileges::PROBE,
    &statistics::PROBE,
    &large_object::PROBE,
    &reset_role::PROBE,
    &own_owner::PROBE,
    &role_memberships::PROBE,
    &create_role::PROBE,
    &alter_role::PROBE,
    &escalate::PROBE,
    &drop_role::PROBE,
    &role_setting::PROBE,
    &database_setting::PROBE,
    &membership::PROBE,
    &reassign::PROBE,
    &own_objects::PROBE,
    &own_rights::PROBE,
    &temp_table::PROBE,
    &public_schema::PROBE,
    &create_schema::PROBE,
    &extension_schema::PROBE,
    &bookkeeping::PROBE,
    &settings::PROBE,
    &alter_system::PROBE,
    &parameters::PROBE,
    &temp_files::PROBE,
    &load_library::PROBE,
    &files::PROBE,
    &copy_file::PROBE,
    &copy_program::PROBE,
    &large_object_create::PROBE,
    &large_object_file::PROBE,
    &advisory_lock::PROBE,
    &logical_message::PROBE,
    &signal::PROBE,
    &activity::PROBE,
    &server_control::PROBE,
    &replication::PROBE,
    &statistics_reset::PROBE,
    &catalog_secrets::PROBE,
    &catalog_write::PROBE,
    &catalog_lock::PROBE,
    &event_trigger::PROBE,
    &publication::PROBE,
    &subscription::PROBE,
    &foreign_data::PROBE,
    &dblink::PROBE,
    &other_database::PROBE,
    &tablespace::PROBE,
    &shared_views::PROBE,
    &shared_write::PROBE,
    &shared_forge::PROBE,
    &shared_context::PROBE,
    &shared_row_security::PROBE,
    &shared_rights::PROBE,
    &shared_keys::PROBE,
    &shared_statistics::PROBE,
];

/// The probes of a battery of this depth that have something to attack in this tenancy.
pub fn of(tenancy: Tenancy, depth: Depth) -> impl Iterator<Item = &'static Probe> {
    let wanted = move |probe: &&Probe| depth == Depth::Full || probe.depth == Depth::Core;
    PROBES.iter().copied().filter(wanted).filter(move |probe| probe.scope.fits(tenancy))
}
