//! The statements that make a pool, and a tenant in it, as templates. What a plan shows is what runs.
//!
//! A pool is a placement `p` of its own, with the owner role `p` and the application role `p_app`. Its tables exist once for
//! all of its tenants. A tenant `t` in it has the roles of any tenant, but no schema. It has its rights as a member of
//! `p_app`, and the rows in `tenantry.pool_member` about its roles decide which rows it has.

/// The policy that the daemon puts on each table of a pool.
pub const POLICY: &str = "tenantry_tenant";

/// The provisioner's membership of the owner lasts as long as the transaction. If the server can tell the two apart,
/// tenants have the rights of the roles that they share but cannot act as them, because an object made as such a role
/// could belong to any of them.
pub const POOL_ROLES: &str = "\
create role {placement} nologin;
create role {placement}_app nologin in role {group};
do $tenantry$ begin
    if current_setting('server_version_num')::int >= 160000 then
        execute 'grant {group} to {placement}_app with set false';
    end if;
end $tenantry$;
grant {placement} to {provisioner};
";

/// Row-level security on every table, also for the owner, with one policy that asks which tenant the querying role stands for.
/// In a sub-select, the server asks once per query and looks tenant_id up in an index.
pub const COVER: &str = "\
do $tenantry$
declare
    one record;
    own constant text := 'tenant_id = (select me.tenant_id from tenantry.pool_member me where me.role = current_user and me.is_open)';
begin
    for one in select oid::regclass::text as name from pg_class
               where relnamespace = '{placement}'::regnamespace and relkind in ('r', 'p') loop
        execute format('alter table only %s alter column tenant_id set default tenantry_ext.tenantry_tenant(), '
                       'enable row level security, force row level security', one.name);
        execute format('drop policy if exists tenantry_tenant on %s', one.name);
        execute format('create policy tenantry_tenant on %s using (%s) with check (%s)', one.name, own, own);
    end loop;
end
$tenantry$;
";

/// Comes before a file that changes rows while a pool is built: what it inserts is the canary's, for whom the pool's owner stands.
pub const GIVE_TENANT: &str = "\
do $tenantry$
declare
    one record;
begin
    for one in select c.oid::regclass::text as name from pg_class c
               join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and a.atttypid = 'uuid'::regtype
               where c.relnamespace = '{placement}'::regnamespace and c.relkind in ('r', 'p') and not a.atthasdef loop
        execute format('alter table only %s alter column tenant_id set default tenantry_ext.tenantry_tenant()', one.name);
    end loop;
end
$tenantry$;
";

/// Like [`COVER`], for the tables that are not covered yet: the others are in use, and would be locked.
pub const COVER_NEW: &str = "\
do $tenantry$
declare
    one record;
    own constant text := 'tenant_id = (select me.tenant_id from tenantry.pool_member me where me.role = current_user and me.is_open)';
begin
    for one in select c.oid::regclass::text as name from pg_class c
               where c.relnamespace = '{placement}'::regnamespace and c.relkind in ('r', 'p')
                 and not exists (select from pg_policy p where p.polrelid = c.oid and p.polname = 'tenantry_tenant') loop
        execute format('alter table only %s alter column tenant_id set default tenantry_ext.tenantry_tenant(), '
                       'enable row level security, force row level security', one.name);
        execute format('create policy tenantry_tenant on %s using (%s) with check (%s)', one.name, own, own);
    end loop;
end
$tenantry$;
";

/// What the files of an upgrade create belongs to all tenants, until [`CLOSE_POOL`].
pub const OPEN_POOL: &str = "\
alter default privileges for role {placement} in schema {placement} grant select, insert, update, delete on tables to {placement}_app;
alter default privileges for role {placement} in schema {placement} grant usage, select on sequences to {placement}_app;
alter default privileges for role {placement} in schema {placement} grant execute on functions to {placement}_app;
";

/// Functions that the daemon calls with the rights of the pool's owner. They belong to the owner but are in a schema
/// that it cannot enter, so that it can neither replace nor alter them, whatever runs in its name. The first one
/// fails with 55006 if deferred triggers of the pool's tables are pending, and changes nothing. The second one
/// describes the rows of the pool's canary.
///
/// The new owner of a function needs CREATE on the schema at that moment. The lock lets one pool at a time change the schema's
/// rights, because the second of two simultaneous changes would fail.
pub const POOL_FUNCTIONS: &str = "\
select from tenantry.target_identity for no key update;
create or replace function tenantry.{placement}_at_rest() returns void language plpgsql security definer
    set search_path = pg_catalog, pg_temp as
$tenantry$
declare
    one record;
begin
    for one in select distinct c.oid::regclass::text as name from pg_trigger t join pg_class c on c.oid = t.tgrelid
               where c.relnamespace = '{placement}'::regnamespace and c.relkind = 'r' and t.tgdeferrable
                 and c.relowner = '{placement}'::regrole loop
        execute format('alter table only %s set without cluster', one.name);
    end loop;
end
$tenantry$;
create or replace function tenantry.{placement}_picture() returns text language plpgsql security definer
    set search_path = pg_catalog, pg_temp as
$tenantry$
declare
    one record;
    rows text;
    picture text := '';
begin
    for one in select oid::regclass::text as name from pg_class
               where relnamespace = '{placement}'::regnamespace and relkind = 'r' and relowner = '{placement}'::regrole
               order by relname loop
        execute format('select concat_ws('':'', count(*), md5(string_agg(format(''%%s'', r.*), chr(10) order by format(''%%s'', r.*)))) from only %s r',
                       one.name) into rows;
        picture := concat(picture, one.name, '=', rows, ' ');
    end loop;
    return picture;
end
$tenantry$;
grant create on schema tenantry to {placement};
alter function tenantry.{placement}_at_rest() owner to {placement};
alter function tenantry.{placement}_picture() owner to {placement};
revoke create on schema tenantry from {placement};
revoke all on function tenantry.{placement}_at_rest(), tenantry.{placement}_picture() from public;
grant execute on function tenantry.{placement}_at_rest(), tenantry.{placement}_picture() to {provisioner};
";

/// A built pool needs no default privileges, because nothing is created in it any more. Besides, any of its tenants could
/// remove them with DROP OWNED, which needs no right on them.
pub const CLOSE_POOL: &str = "\
alter default privileges for role {placement} in schema {placement} revoke all on tables from {placement}_app;
alter default privileges for role {placement} in schema {placement} revoke all on sequences from {placement}_app;
alter default privileges for role {placement} in schema {placement} revoke all on functions from {placement}_app;
";

/// For a pool that an earlier release built: its functions were in a schema where the owner could replace them.
pub const FORGET_FUNCTIONS: &str = "\
grant {placement} to {provisioner};
drop function if exists {placement}.tenantry_at_rest(), {placement}.tenantry_picture() cascade;
revoke all on schema {placement} from {provisioner};
";

/// Revokes the membership that [`FORGET_FUNCTIONS`] granted.
pub const LEAVE_POOL: &str = "revoke {placement} from {provisioner};\n";

/// A tenant's roles. The role without a suffix runs the tenant's seed, and removes its rows at the end. The tables are shared
/// with others, so a session that holds a lock on them ends by itself, unless it has changed its timeouts.
pub const SHARED_ROLES: &str = "\
create role {placement}_app nologin in role {pool}_app;
do $tenantry$ begin
    if current_setting('server_version_num')::int >= 160000 then
        execute 'grant {pool}_app to {placement}_app with set false';
    end if;
end $tenantry$;
create role {placement} nologin in role {placement}_app;
create role {placement}_a nologin connection limit {connection_limit} in role {placement}_app;
create role {placement}_b nologin connection limit {connection_limit} in role {placement}_app;
create role {placement}_probe login connection limit 4 password {verifier} in role {placement}_app;
alter role {placement}_a set search_path = {pool}, tenantry_ext;
alter role {placement}_b set search_path = {pool}, tenantry_ext;
alter role {placement}_a set lock_timeout = '10s';
alter role {placement}_b set lock_timeout = '10s';
alter role {placement}_a set statement_timeout = '5min';
alter role {placement}_b set statement_timeout = '5min';
alter role {placement}_a set idle_in_transaction_session_timeout = '1min';
alter role {placement}_b set idle_in_transaction_session_timeout = '1min';
grant {placement} to {provisioner};
";

/// The tenant that the roles stand for. The archiver's row is there from the beginning, although its role is not.
pub const JOIN: &str = "\
insert into tenantry.pool_member (role, placement, pool, tenant_id)
select ($1 || suffix)::name, $1, $2, $3 from unnest(array['', '_app', '_a', '_b', '_probe', '_dump']) as suffix";

/// A schema for a function that runs something as the tenant. It is gone before the transaction ends.
pub const HAND: &str = "create schema {placement} authorization {placement};\n";

/// Drops what [`HAND`] made, and revokes the provisioner's membership.
pub const SHARED_SEAL: &str = "\
drop schema if exists {placement} cascade;
revoke {placement} from {provisioner};
";

/// Runs statements as the tenant, and counts the rows that they change. It comes behind [`HAND`], and [`SHARED_SEAL`] ends it.
pub const CHANGE: &str = "\
set local role {placement};
create function {placement}.{placement}_run(statements text[]) returns bigint language plpgsql security definer
    set search_path = {pool}, tenantry_ext, pg_temp as
$tenantry$
declare
    statement text;
    rows bigint;
    total bigint := 0;
begin
    foreach statement in array statements loop
        execute statement;
        get diagnostics rows = row_count;
        total := total + rows;
    end loop;
    set constraints all immediate;
    return total;
end
$tenantry$;
reset role;
";

/// Counts the tenant's rows as the tenant.
pub const COUNT: &str = "\
grant {placement} to {provisioner};
create schema {placement} authorization {placement};
set local role {placement};
create function {placement}.tenantry_count() returns bigint language plpgsql security definer
    set search_path = {pool}, tenantry_ext, pg_temp as
$tenantry$
declare
    one record;
    rows bigint;
    total bigint := 0;
begin
    for one in select '{pool}.' || pg_catalog.quote_ident(relname) as name from pg_catalog.pg_class
               where relnamespace = '{pool}'::regnamespace and relkind = 'r' loop
        execute pg_catalog.format('select count(*) from only %s', one.name) into rows;
        total := total + rows;
    end loop;
    return total;
end
$tenantry$;
reset role;
set local transaction_read_only = on;
";

/// What the archiver of a tenant in a pool may read: everything that the tenant's application may, and no other tenant's rows.
pub const SHARED_DUMP_ROLE: &str = "\
grant {placement}_app to {placement}_dump;
alter role {placement}_dump login connection limit 4 password {verifier};
";

/// Fails with 55006 if deferred triggers of the shared tables are pending.
pub const SETTLE: &str = "select tenantry.{pool}_at_rest();\n";
