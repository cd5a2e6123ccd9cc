//! The statements that make a tenant's roles and schema, as templates. What a plan shows is what runs.
//!
//! Roles of a placement `p`: `p` owns the schema and cannot log in. `p_app` holds the application's rights. `p_a`
//! and `p_b` are the two login slots. `p_probe` logs in only while the isolation is attacked. `p_dump` exists
//! only while an archive is made.
//!
//! A tenant with a database of its own has the same schema in it. Its roles are in no group, because they may
//! connect to that database only.

use std::collections::BTreeMap;

use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::name::PlacementName;

use crate::model::blueprint::{CONNECTION_LIMIT, TEMP_FILE_LIMIT};

/// The suffixes of a placement's roles, without the owner. Members come before the roles that they are members of.
pub const ROLE_SUFFIXES: [&str; 5] = ["_dump", "_a", "_b", "_probe", "_app"];
/// The suffixes of those that can log in.
pub const LOGIN_SUFFIXES: [&str; 4] = ["_dump", "_a", "_b", "_probe"];

/// The limits of a tenant's logins.
#[derive(Debug, Clone, Copy)]
pub struct LoginLimits {
    /// -1 means no limit.
    pub connections: i64,
    /// For each connection; none for a tenant that was made before this setting existed.
    pub temp_files_mb: Option<i64>,
}

impl LoginLimits {
    pub fn of(settings: &BTreeMap<String, i64>) -> Self {
        Self {
            connections: settings.get(CONNECTION_LIMIT).copied().unwrap_or(-1),
            temp_files_mb: settings.get(TEMP_FILE_LIMIT).copied(),
        }
    }
}

/// The provisioner's membership of the owner lasts as long as the transaction, because a permanent one slows every later
/// build. From version 16 on nobody can act as the group, because objects of the group would belong to no tenant.
pub const ROLES: &str = "\
create role {placement} nologin;
create role {placement}_app nologin in role {group};
do $tenantry$ begin
    if current_setting('server_version_num')::int >= 160000 then
        execute 'grant {group} to {placement}_app with set false';
    end if;
end $tenantry$;
create role {placement}_a nologin connection limit {connection_limit} in role {placement}_app;
create role {placement}_b nologin connection limit {connection_limit} in role {placement}_app;
create role {placement}_probe login connection limit 4 password {verifier} in role {placement}_app;
alter role {placement}_a set search_path = {placement}, tenantry_ext;
alter role {placement}_b set search_path = {placement}, tenantry_ext;
grant {placement} to {provisioner};
";

/// The same for a placement that is a database of its own. The owner's role was made with the reservation.
pub const ROLES_OF_DATABASE: &str = "\
create role {placement}_app nologin;
grant connect on database {placement} to {placement}_app;
create role {placement}_a nologin connection limit {connection_limit} in role {placement}_app;
create role {placement}_b nologin connection limit {connection_limit} in role {placement}_app;
create role {placement}_probe login connection limit 4 password {verifier} in role {placement}_app;
alter role {placement}_a set search_path = {placement}, tenantry_ext;
alter role {placement}_b set search_path = {placement}, tenantry_ext;
grant {placement} to {provisioner};
";

/// The same for a placement that is only looked at before it is rolled back.
pub const BLANK_ROLES: &str = "\
create role {placement} nologin;
create role {placement}_app nologin;
create role {placement}_a nologin in role {placement}_app;
create role {placement}_b nologin in role {placement}_app;
create role {placement}_probe nologin in role {placement}_app;
grant {placement} to {provisioner};
";

/// The statements that make a tenant's roles.
pub const fn roles(tenancy: Tenancy) -> &'static str {
    match tenancy {
        Tenancy::Database => ROLES_OF_DATABASE,
        _ => ROLES,
    }
}

/// Makes the owner's role, together with the reservation of a placement that gets a database of its own.
pub const RESERVE: &str = "create role {placement} nologin;\n";

/// Lets the provisioner make a database for the owner, or run a file in a separate transaction, which [`SEAL`] ends.
pub const JOIN_OWNER: &str = "grant {placement} to {provisioner};\n";

/// From here on, no database can be made for the owner.
pub const LEAVE_OWNER: &str = "revoke {placement} from {provisioner};\n";

/// Made for the owner, so that a late statement is refused for lack of the membership. Closed until all rights are set.
pub const CREATE_DATABASE: &str = "\
create database {placement} owner {placement} template {template} strategy wal_log allow_connections false;
";

/// From here on the database belongs to the provisioner, so its tenant can neither drop nor alter it. The ACL
/// of the template is not copied.
pub const OPEN_DATABASE: &str = "\
alter database {placement} owner to {provisioner};
revoke all on database {placement} from public;
alter database {placement} with allow_connections true;
revoke {placement} from {provisioner};
";

/// Runs before the drop, whichever role owns the database so far.
pub const CLOSE_DATABASE: &str = "\
alter database {placement} owner to {provisioner};
alter database {placement} with allow_connections false;
";

pub const DROP_DATABASE: &str = "drop database if exists {placement};\n";

/// Rights come from default privileges that are set before anything is created, because `grant … on all tables` gets slower
/// with every tenant on the server. The application never gets TRUNCATE, TRIGGER, REFERENCES or CREATE. EXECUTE is revoked
/// from PUBLIC by the global form, because the form `in schema` would have no effect.
pub const SCHEMA: &str = "\
create schema {placement} authorization {placement};
grant usage on schema {placement} to {placement}_app;
alter default privileges for role {placement} revoke execute on functions from public;
alter default privileges for role {placement} in schema {placement} grant select, insert, update, delete on tables to {placement}_app;
alter default privileges for role {placement} in schema {placement} grant usage, select on sequences to {placement}_app;
alter default privileges for role {placement} in schema {placement} grant execute on functions to {placement}_app;
";

/// The function that runs a migration file. Inside a SECURITY DEFINER function, RESET ROLE, SET SESSION AUTHORIZATION and
/// COMMIT are refused, so the file's code cannot reach the provisioner, whose session this is. The function belongs to
/// the owner, so a file could have replaced it. The last statement returns its version, and it is made again if the
/// version differs before the next file. No other tenant has its name, because the server searches all functions of a
/// name, including dropped ones.
pub const RUNNER: &str = "\
set local role {placement};
drop function if exists {placement}.{placement}_run(text[]);
create function {placement}.{placement}_run(statements text[]) returns void language plpgsql security definer
    set search_path = {home}, tenantry_ext, pg_temp as
$tenantry$
declare
    statement text;
begin
    foreach statement in array statements loop
        execute statement;
    end loop;
    set constraints all immediate;
end
$tenantry$;
reset role;
select tenantry.runner_version('{placement}');
";

/// Restores the declared deferral of the constraints of earlier files. If a name also belongs to another constraint that
/// cannot be deferred, the only way is to defer all constraints that can be.
pub const DEFER: &str = "\
do $tenantry$
declare
    names text;
begin
    select string_agg(distinct format('%I.%I', n.nspname, k.conname), ', ') into names
    from pg_namespace n
    join pg_depend d on d.refclassid = 'pg_namespace'::regclass and d.refobjid = n.oid and d.classid = 'pg_class'::regclass
    join pg_constraint k on k.conrelid = d.objid and k.connamespace = n.oid
    where n.nspname = '{home}' and k.condeferred;
    if names is not null then
        execute 'set constraints ' || names || ' deferred';
    end if;
exception when wrong_object_type then
    set constraints all deferred;
end
$tenantry$;
";

/// Comes before each file of a tenant in use, because the end of the file before has reset it: what waits for a lock makes
/// everybody wait who comes after it.
///
/// The wait is a little longer than the server's `deadlock_timeout`, after which it makes an autovacuum give way.
pub const WAIT_BRIEFLY: &str = "\
select set_config('lock_timeout',
    (extract(epoch from current_setting('deadlock_timeout')::interval) * 1000 + 250)::int::text, true);
";

/// The statements that are refused on a table with pending trigger events and change nothing, under a lock that lets the tenant
/// read and write: a storage parameter keeps the value that it has, or stays unset.
pub const SETTLE_IN_USE: &str = "\
select format('alter table only %s %s', t.name, coalesce(
    (select format('set (autovacuum_freeze_max_age = %L)', split_part(o, '=', 2))
     from pg_class c, unnest(c.reloptions) o
     where c.oid = t.name::regclass and o like 'autovacuum\\_freeze\\_max\\_age=%'),
    'reset (autovacuum_freeze_max_age)'))
from unnest($1::text[]) t (name)
";

/// Ends the build: drops the runner and revokes the provisioner's membership.
pub const SEAL: &str = "\
drop function if exists {placement}.{placement}_run(text[]);
revoke {placement} from {provisioner};
";

/// Opens the owner's own login, for statements that cannot run in a transaction. CONNECT comes with the group. Settings that
/// the owner made for its next login are discarded.
pub const OPEN_OWNER: &str = "\
alter role {placement} reset all;
alter role {placement} login connection limit 1 password {verifier};
do $tenantry$ begin
    if current_setting('server_version_num')::int >= 160000 then
        execute 'grant {group} to {placement} with set false';
    else
        execute 'grant {group} to {placement}';
    end if;
end $tenantry$;
";

/// Restores the owner to its previous state.
pub const CLOSE_OWNER: &str = "\
alter role {placement} nologin connection limit -1 password null;
revoke {group} from {placement};
";

/// Lets a role log in, with a new secret.
pub const ISSUE: &str = "alter role {role} login password {verifier};\n";

/// How many connections each of the two login slots may have.
pub const LIMIT: &str = "\
alter role {placement}_a connection limit {connection_limit};
alter role {placement}_b connection limit {connection_limit};
";

/// How much each connection may use for temporary files. The server's administrator decides who may set this at all, and can
/// change that at any time, so the right is checked where the limit is set. It is set for the role and not for one database,
/// because a tenant's logins have only one. So it is dropped with the role.
pub const TEMP_FILES: &str = "\
do $tenantry$
begin
    if has_parameter_privilege('temp_file_limit', 'set') then
        alter role {placement}_a set temp_file_limit = '{temp_file_limit_mb}MB';
        alter role {placement}_b set temp_file_limit = '{temp_file_limit_mb}MB';
        alter role {placement}_probe set temp_file_limit = '{temp_file_limit_mb}MB';
    end if;
end
$tenantry$;
";

/// The same for a tenant that has no such limit.
pub const NO_TEMP_FILES: &str = "\
do $tenantry$
begin
    if has_parameter_privilege('temp_file_limit', 'set') then
        alter role {placement}_a reset temp_file_limit;
        alter role {placement}_b reset temp_file_limit;
        alter role {placement}_probe reset temp_file_limit;
    end if;
end
$tenantry$;
";

/// Closes the probe's login, because the probe logs in only while it attacks.
pub const CLOSE_PROBE: &str = "alter role {placement}_probe nologin password null;\n";

/// Lets the provisioner read the canary's rows, to take the victim's fingerprint.
pub const CANARY_FINGERPRINT: &str = "\
grant usage on schema {placement} to {provisioner};
grant select on {placement}.record, {placement}.event, {placement}.ticket to {provisioner};
";

/// Closes a login slot and forgets its secret.
pub const CLOSE_SLOT: &str = "alter role {role} nologin password null;\n";

/// The login role that gets a tenant's first secret.
pub fn first_slot(placement: &PlacementName) -> String {
    format!("{placement}_a")
}

/// The login slot other than `role`.
pub fn other_slot(placement: &PlacementName, role: &str) -> String {
    let first = first_slot(placement);
    if role == first { format!("{placement}_b") } else { first }
}

/// The role that a tenant is archived as. It may read everything that belongs to the tenant, and nothing else. Reading can run
/// the tenant's code, which then reaches no further than the tenant itself.
pub const DUMP_ROLE: &str = "\
grant {placement}, {placement}_a, {placement}_b to {placement}_dump;
alter role {placement}_dump login connection limit 4 password {verifier};
";

/// The archiving role between two uses.
pub const CREATE_DUMP_ROLE: &str = "create role {placement}_dump nologin;\n";

/// The role that holds the application's rights.
pub fn app_role(placement: &PlacementName) -> String {
    format!("{placement}_app")
}

pub fn dump_role(placement: &PlacementName) -> String {
    format!("{placement}_dump")
}

/// The role that attacks on the tenant's behalf.
pub fn probe_role(placement: &PlacementName) -> String {
    format!("{placement}_probe")
}

/// All roles that a placement has.
pub fn all_roles(placement: &PlacementName) -> Vec<String> {
    ROLE_SUFFIXES.iter().map(|suffix| format!("{placement}{suffix}")).chain([placement.to_string()]).collect()
}

pub fn login_roles(placement: &PlacementName) -> Vec<String> {
    LOGIN_SUFFIXES.iter().map(|suffix| format!("{placement}{suffix}")).collect()
}
