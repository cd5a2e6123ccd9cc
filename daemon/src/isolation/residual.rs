//! The channels that each tenancy leaves open by its nature. Every report states them, because no probe can refuse them.

use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::isolation::ResidualChannel;

/// A channel: where it exists, its stable name, and what it lets a tenant see or do.
struct Channel {
    tenancies: &'static [Tenancy],
    name: &'static str,
    meaning: &'static str,
}

const ALL: &[Tenancy] = &[Tenancy::Schema, Tenancy::Shared, Tenancy::Database];
/// The tenancies in which several tenants share a database.
const TOGETHER: &[Tenancy] = &[Tenancy::Schema, Tenancy::Shared];

const CHANNELS: &[Channel] = &[
    Channel {
        tenancies: TOGETHER,
        name: "catalog_names",
        meaning: "pg_class, pg_attribute, pg_proc and pg_description show every schema's tables, columns, comments, view \
                  definitions and function sources; placements are opaque, so no customer's name is among them",
    },
    Channel {
        tenancies: ALL,
        name: "role_names",
        meaning: "pg_roles and pg_auth_members show all roles of the server, and pg_db_role_setting their settings; their \
                  number is the number of tenants",
    },
    Channel {
        tenancies: ALL,
        name: "database_names",
        meaning: "pg_database shows the names and, by pg_stat_database, the traffic of all databases of the server",
    },
    Channel {
        tenancies: TOGETHER,
        name: "table_statistics",
        meaning: "pg_stat_all_tables and pg_class show how many rows each table has and how often it is written, and \
                  pg_relation_size how large it is",
    },
    Channel {
        tenancies: ALL,
        name: "activity",
        meaning: "pg_stat_activity shows who is connected, from which application_name, and since when; not what is run",
    },
    Channel {
        tenancies: TOGETHER,
        name: "notify",
        meaning: "LISTEN and NOTIFY have no privileges: a role that knows a channel's name can listen and send on it; and the \
                  server has one queue for all of them, which one session can fill until nobody's NOTIFY works",
    },
    Channel {
        tenancies: &[Tenancy::Database],
        name: "notify",
        meaning: "LISTEN and NOTIFY have no privileges, and nobody hears another database's channels; but the server has one \
                  queue for all of them, which one session can fill until nobody's NOTIFY works",
    },
    Channel {
        tenancies: ALL,
        name: "large_objects",
        meaning: "as long as the probe large_object_create finds their functions open, every role may make large objects of its \
                  own, outside any schema, and fill the disk with them; those that are there stay their owner's to write",
    },
    Channel {
        tenancies: ALL,
        name: "gifts",
        meaning: "every role may give rights on what it owns or makes later to any role of the server; the report of who got \
                  them tells it, and that of who gave them has it as a finding",
    },
    Channel {
        tenancies: ALL,
        name: "shared_resources",
        meaning: "CPU, memory, disk and the lock table are one server's: the connection limit bounds a tenant, and temp_file_limit each \
                  of its connections where an administrator lets the daemon set it; statement_timeout and work_mem are only \
                  defaults that it can change",
    },
    Channel {
        tenancies: &[Tenancy::Shared],
        name: "row_counts",
        meaning: "EXPLAIN and pg_class estimate from all tenants' rows together",
    },
    Channel {
        tenancies: &[Tenancy::Shared],
        name: "timing",
        meaning: "the rows of all tenants are in the same pages and indexes, so that a statement's time depends on others' data",
    },
];

/// The channels that stay open in this tenancy.
pub(super) fn of(tenancy: Tenancy) -> Vec<ResidualChannel> {
    let there = CHANNELS.iter().filter(|channel| channel.tenancies.contains(&tenancy));
    there
        .map(|channel| ResidualChannel { name: channel.name.to_owned(), meaning: channel.meaning.to_owned() })
        .collect()
}
