-- Misconfigurations as people make them, planted one at a time by a superuser, and who must notice each. `{own}` is the
-- tenant under verification, `{victim}` the canary, `{provisioner}` the daemon's role, `{database}` where they all are.
-- `--- NAME · probe X, lint Y` in one line, the statements, `--- clear`, and the statements that clear it. Everyone who is named must
-- notice it, and others may.

--- another tenant's table is open to everybody · probe read
grant usage on schema {victim} to public; grant select on {victim}.record to public;
--- clear
revoke select on {victim}.record from public; revoke usage on schema {victim} from public;

--- another tenant's table takes rows from this one · probe write
grant usage on schema {victim} to {own}_app; grant insert on {victim}.record to {own}_app;
--- clear
revoke insert on {victim}.record from {own}_app; revoke usage on schema {victim} from {own}_app;

--- a tenant may create in another's schema · probe create
grant usage, create on schema {victim} to {own}_app;
--- clear
revoke usage, create on schema {victim} from {own}_app;

--- the application is a member of another tenant's owner · probe drop, probe alter, probe comment, probe index, probe lock, probe maintenance, probe policy, probe rule, probe default_privileges, probe reset_role
grant {victim} to {own}_app;
--- clear
revoke {victim} from {own}_app;

--- another tenant's function is callable · probe function
grant usage on schema {victim} to {own}_app; grant execute on function {victim}.reveal() to {own}_app;
--- clear
revoke execute on function {victim}.reveal() from {own}_app; revoke usage on schema {victim} from {own}_app;

--- the probe is a member of another tenant's login · probe set_role
grant {victim}_a to {own}_probe;
--- clear
revoke {victim}_a from {own}_probe;

--- a tenant may hand another tenant's rights on · probe membership
grant {victim} to {own}_app with admin option;
--- clear
revoke {victim} from {own}_app;

--- a tenant may take over what another one owns · probe reassign
grant {victim} to {own}_app; grant create on database {database} to {own}_probe;
--- clear
revoke create on database {database} from {own}_probe; revoke {victim} from {own}_app;

--- a tenant may create roles, and has another tenant's login · probe create_role, probe alter_role, probe drop_role, probe role_setting
alter role {own}_probe createrole; grant {victim}_a to {own}_probe with admin option;
--- clear
revoke {victim}_a from {own}_probe; alter role {own}_probe nocreaterole;

--- functions that open connections are everybody's · probe dblink
create function tenantry_ext.dblink_connect(text) returns text language sql return $1;
--- clear
drop function tenantry_ext.dblink_connect(text);

--- a tenant's login is a superuser · lint role_attributes
alter role {own}_a superuser;
--- clear
alter role {own}_a nosuperuser;

--- the application is a member of the daemon's role · probe provisioner, probe database_setting
grant {provisioner} to {own}_app;
--- clear
revoke {provisioner} from {own}_app;

--- another tenant's table can be emptied · probe truncate
grant usage on schema {victim} to {own}_app; grant truncate on {victim}.record to {own}_app;
--- clear
revoke truncate on {victim}.record from {own}_app; revoke usage on schema {victim} from {own}_app;

--- another tenant's table takes triggers · probe trigger
grant usage on schema {victim} to {own}_app; grant trigger on {victim}.record to {own}_app;
--- clear
revoke trigger on {victim}.record from {own}_app; revoke usage on schema {victim} from {own}_app;

--- a column of another tenant's table is open · probe column
grant usage on schema {victim} to {own}_app; grant select (note) on {victim}.record to {own}_app;
--- clear
revoke select (note) on {victim}.record from {own}_app; revoke usage on schema {victim} from {own}_app;

--- another tenant's view is open · probe view
grant usage on schema {victim} to {own}_app; grant select on {victim}.overview to {own}_app;
--- clear
revoke select on {victim}.overview from {own}_app; revoke usage on schema {victim} from {own}_app;

--- another tenant's materialised view is open · probe materialized_view
grant usage on schema {victim} to {own}_app; grant select on {victim}.summary to {own}_app;
--- clear
revoke select on {victim}.summary from {own}_app; revoke usage on schema {victim} from {own}_app;

--- another tenant's sequence is open · probe sequence
grant usage on schema {victim} to {own}_app; grant select on sequence {victim}.ticket to {own}_app;
--- clear
revoke select on sequence {victim}.ticket from {own}_app; revoke usage on schema {victim} from {own}_app;

--- a partition of another tenant's table is open · probe partition
grant usage on schema {victim} to {own}_app; grant select on {victim}.event_first to {own}_app;
--- clear
revoke select on {victim}.event_first from {own}_app; revoke usage on schema {victim} from {own}_app;

--- another tenant's schema is open to everybody · probe data_type
grant usage on schema {victim} to public;
--- clear
revoke usage on schema {victim} from public;

--- another tenant's table was granted with the right to grant · probe grant
grant usage on schema {victim} to {own}_app; grant select on {victim}.record to {own}_app with grant option;
--- clear
revoke select on {victim}.record from {own}_app; revoke usage on schema {victim} from {own}_app;

--- another tenant's large objects are open · probe large_object
do $$ declare o oid := lo_create(0); begin execute format('alter large object %1$s owner to {victim}; grant select on large object %1$s to {own}_app', o); end $$;
--- clear
select lo_unlink(oid) from pg_largeobject_metadata where lomowner = '{victim}'::regrole;

--- a tenant reads all data · probe role_memberships
grant pg_read_all_data to {own}_app;
--- clear
revoke pg_read_all_data from {own}_app;

--- a tenant reads samples of another's values · probe statistics
grant select on pg_statistic to {own}_app;
--- clear
revoke select on pg_statistic from {own}_app;

--- a tenant may create roles · probe create_role
alter role {own}_probe createrole;
--- clear
alter role {own}_probe nocreaterole;

--- a tenant's login passes row-level security · lint role_attributes
alter role {own}_a bypassrls;
--- clear
alter role {own}_a nobypassrls;

--- a tenant's owner can log in · lint role_attributes
alter role {own} login;
--- clear
alter role {own} nologin;

--- a tenant's login has no connection limit · lint role_attributes
alter role {own}_b connection limit -1;
--- clear
alter role {own}_b connection limit 20;

--- the application is a member of its owner · probe own_owner
grant {own} to {own}_app;
--- clear
revoke {own} from {own}_app;

--- a tenant's login replicates · lint role_attributes
alter role {own}_b replication;
--- clear
alter role {own}_b noreplication;

--- the application may create in its own schema · probe own_objects
grant create on schema {own} to {own}_app;
--- clear
revoke create on schema {own} from {own}_app;

--- the application may empty its tables · probe own_rights
grant truncate on all tables in schema {own} to {own}_app;
--- clear
revoke truncate on all tables in schema {own} from {own}_app;

--- the application may hand its rights on · lint app_rights
grant select on all tables in schema {own} to {own}_app with grant option;
--- clear
revoke grant option for select on all tables in schema {own} from {own}_app;

--- everybody may make temporary tables · probe temp_table
grant temporary on database {database} to public;
--- clear
revoke temporary on database {database} from public;

--- everybody may create in the schema public · probe public_schema
grant create on schema public to public;
--- clear
revoke create on schema public from public;

--- a tenant may create schemas · probe create_schema, probe publication
grant create on database {database} to {own}_app;
--- clear
revoke create on database {database} from {own}_app;

--- everybody may create beside the extensions · probe extension_schema
grant create on schema tenantry_ext to public;
--- clear
revoke create on schema tenantry_ext from public;

--- the daemon's bookkeeping is readable · probe bookkeeping
grant usage on schema tenantry to public; grant select on tenantry.placement to public;
--- clear
revoke select on tenantry.placement from public; revoke usage on schema tenantry from public;

--- a tenant may turn triggers off · probe settings
grant set on parameter session_replication_role to {own}_app;
--- clear
revoke set on parameter session_replication_role from {own}_app;

--- a tenant may change the server's configuration · probe alter_system
grant alter system on parameter work_mem to {own}_app;
--- clear
revoke alter system on parameter work_mem from {own}_app;

--- everybody may lift the bound on temporary files · probe parameters
grant set on parameter temp_file_limit to public;
--- clear
revoke set on parameter temp_file_limit from public;

--- a tenant's application may lift the bound on temporary files · probe temp_files
grant set on parameter temp_file_limit to {own}_app;
--- clear
revoke set on parameter temp_file_limit from {own}_app;

--- the bound on a login's temporary files is lifted · lint role_settings
alter role {own}_b set temp_file_limit = -1;
--- clear
alter role {own}_b reset temp_file_limit;

--- a tenant reads files by function · probe files
grant execute on function pg_read_file(text) to {own}_app;
--- clear
revoke execute on function pg_read_file(text) from {own}_app;

--- a tenant writes the server's files · probe copy_file
grant pg_write_server_files to {own}_app;
--- clear
revoke pg_write_server_files from {own}_app;

--- a tenant runs the server's programs · probe copy_program
grant pg_execute_server_program to {own}_app;
--- clear
revoke pg_execute_server_program from {own}_app;

--- a tenant imports files as large objects · probe large_object_file
grant execute on function lo_import(text) to {own}_app;
--- clear
revoke execute on function lo_import(text) from {own}_app;

--- everybody may take advisory locks · probe advisory_lock
grant execute on function pg_advisory_lock(bigint) to public;
--- clear
revoke execute on function pg_advisory_lock(bigint) from public;

--- everybody may write logical messages · probe logical_message
do $$ declare f regprocedure; begin for f in select oid from pg_proc where proname = 'pg_logical_emit_message' loop execute format('grant execute on function %s to public', f); end loop; end $$;
--- clear
do $$ declare f regprocedure; begin for f in select oid from pg_proc where proname = 'pg_logical_emit_message' loop execute format('revoke execute on function %s from public', f); end loop; end $$;

--- a tenant signals others' sessions · probe signal
grant pg_signal_backend to {own}_app;
--- clear
revoke pg_signal_backend from {own}_app;

--- a tenant reads others' statements · probe activity
grant pg_read_all_stats to {own}_app;
--- clear
revoke pg_read_all_stats from {own}_app;

--- a tenant reloads the server · probe server_control
grant execute on function pg_reload_conf() to {own}_app;
--- clear
revoke execute on function pg_reload_conf() from {own}_app;

--- a tenant resets the statistics · probe statistics_reset
grant execute on function pg_stat_reset() to {own}_app;
--- clear
revoke execute on function pg_stat_reset() from {own}_app;

--- a tenant reads the verifiers · probe catalog_secrets
grant select on pg_authid to {own}_app;
--- clear
revoke select on pg_authid from {own}_app;

--- a tenant uses a foreign data wrapper · probe foreign_data
create foreign data wrapper planted; grant usage on foreign data wrapper planted to {own}_app;
--- clear
drop foreign data wrapper planted cascade;

--- a tenant connects to another database · probe other_database
grant connect on database postgres to {own}_app;
--- clear
revoke connect on database postgres from {own}_app;

--- everybody may create in a tablespace · probe tablespace
grant create on tablespace pg_default to public;
--- clear
revoke create on tablespace pg_default from public;

--- a tenant's tables are open to everybody · lint foreign_grants
grant select on all tables in schema {own} to public;
--- clear
revoke select on all tables in schema {own} from public;

--- a tenant's functions are open to everybody · lint foreign_grants
grant execute on all functions in schema {own} to public;
--- clear
revoke execute on all functions in schema {own} from public;

--- a tenant's schema is open to another tenant · lint foreign_grants
grant usage on schema {own} to {victim}_app;
--- clear
revoke usage on schema {own} from {victim}_app;

--- somebody else's table stands in a tenant's schema · lint foreign_owners
create table {own}.planted (id integer);
--- clear
drop table {own}.planted;

--- a tenant's table stands in the schema public · lint stray_objects
create table public.planted (id integer); alter table public.planted owner to {own};
--- clear
drop table public.planted;

--- an outsider has the application's rights · lint memberships
create role planted; grant {own}_app to planted;
--- clear
drop role planted;

--- a login's search path leads to another tenant · lint role_settings
alter role {own}_b set search_path = {victim};
--- clear
alter role {own}_b set search_path = {own}, tenantry_ext;

--- a login begins as another role · lint role_settings
alter role {own}_b set role = '{victim}_app';
--- clear
alter role {own}_b reset role;

--- a tenant's future tables are open to everybody · lint default_privileges
alter default privileges for role {own} in schema {own} grant select on tables to public;
--- clear
alter default privileges for role {own} in schema {own} revoke select on tables from public;

--- a tenant's future functions are open to everybody · lint default_privileges
alter default privileges for role {own} grant execute on functions to public;
--- clear
alter default privileges for role {own} revoke execute on functions from public;

--- a function runs with its caller's search path · lint definer_functions
create function {own}.planted() returns integer language sql security definer return 1; alter function {own}.planted() owner to {own};
--- clear
drop function {own}.planted();

--- a tenant's view reads another tenant · lint cross_references
create view {own}.planted as select * from {victim}.record; alter view {own}.planted owner to {own};
--- clear
drop view {own}.planted;

--- a right on another tenant's table waits for its schema to open · lint foreign_rights
grant select on {victim}.record to {own}_app;
--- clear
revoke select on {victim}.record from {own}_app;

--- a tenant has a login at another server · lint user_mappings
create foreign data wrapper planted; create server planted foreign data wrapper planted; create user mapping for {own}_app server planted;
--- clear
drop foreign data wrapper planted cascade;

--- everybody may make large objects · probe large_object_create
grant execute on function lo_create(oid) to public;
--- clear
revoke execute on function lo_create(oid) from public;

--- a tenant's application may make large objects of its bytes · probe large_object_create
grant execute on function lo_from_bytea(oid, bytea) to {own}_app;
--- clear
revoke execute on function lo_from_bytea(oid, bytea) from {own}_app;

--- a tenant's large object is open to everybody · lint foreign_grants
do $$ declare o oid := lo_create(0); begin execute format('alter large object %1$s owner to {own}; grant select on large object %1$s to public', o); end $$;
--- clear
select lo_unlink(oid) from pg_largeobject_metadata where lomowner = '{own}'::regrole;

--- a large object of a tenant's login is open to another tenant · lint foreign_grants
do $$ declare o oid := lo_create(0); begin execute format('alter large object %1$s owner to {own}_a; grant update on large object %1$s to {victim}_app', o); end $$;
--- clear
select lo_unlink(oid) from pg_largeobject_metadata where lomowner = '{own}_a'::regrole;

--- what a tenant's login makes later is open to another tenant · lint default_privileges
alter default privileges for role {own}_a grant select on tables to {victim}_app;
--- clear
alter default privileges for role {own}_a revoke select on tables from {victim}_app;

--- a tenant's type is open to another tenant · lint foreign_grants
create type {own}.planted as enum ('a'); alter type {own}.planted owner to {own}; grant usage on type {own}.planted to {victim}_app;
--- clear
drop type {own}.planted;

--- a column of a tenant's table is open to another tenant · lint foreign_grants
grant select (email) on {own}.users to {victim}_b;
--- clear
revoke select (email) on {own}.users from {victim}_b;

--- a role that watches the server reads a tenant's table · lint foreign_grants
grant select on {own}.users to pg_monitor;
--- clear
revoke select on {own}.users from pg_monitor;

--- an administrator's large object is open to a tenant · lint foreign_rights
do $$ begin execute format('grant select on large object %s to {own}_app', lo_create(4712)); end $$;
--- clear
select lo_unlink(4712);

--- what an administrator makes later is open to a tenant · lint foreign_rights
alter default privileges grant select on tables to {own}_b;
--- clear
alter default privileges revoke select on tables from {own}_b;

--- a column of a tenant's table has another tenant's type · lint cross_references
create domain {victim}.planted as text; create table {own}.planted (note {victim}.planted); alter table {own}.planted owner to {own};
--- clear
drop table {own}.planted; drop domain {victim}.planted;

--- a default of a tenant's table is another tenant's function · lint cross_references
create function {victim}.planted() returns text language sql as 'select ''x'''; alter table {own}.users alter email set default {victim}.planted();
--- clear
alter table {own}.users alter email drop default; drop function {victim}.planted();

--- another tenant's table inherits from a tenant's · lint cross_references
create table {own}.planted (id int); alter table {own}.planted owner to {own}; create table {victim}.planted () inherits ({own}.planted);
--- clear
drop table {victim}.planted; drop table {own}.planted;

--- a domain of a tenant's is made of another tenant's · lint cross_references
create domain {victim}.planted as text; create domain {own}.planted as {victim}.planted; alter domain {own}.planted owner to {own};
--- clear
drop domain {own}.planted; drop domain {victim}.planted;
