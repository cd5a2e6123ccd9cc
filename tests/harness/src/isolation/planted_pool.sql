-- Misconfigurations of a pool that stands, planted one at a time by a superuser. `{pool}` is the tables' owner and schema, `{own}`
-- a tenant in it. In each case the rules that the pool was built to must be found broken.

--- a trigger that a foreign key fires · lint shared_tables
create function {pool}.planted() returns trigger language plpgsql as 'begin return old; end'; alter function {pool}.planted() owner to {pool}; revoke execute on function {pool}.planted() from public; create trigger planted before delete on {pool}.customer_checks for each row execute function {pool}.planted();
--- clear
drop function {pool}.planted() cascade;

--- a check that calls a function of the pool's · lint shared_tables
create function {pool}.planted(text) returns boolean language plpgsql immutable as 'begin return true; end'; alter function {pool}.planted(text) owner to {pool}; revoke execute on function {pool}.planted(text) from public; alter table {pool}.accounts add constraint planted check ({pool}.planted(name));
--- clear
drop function {pool}.planted(text) cascade;

--- an index that calls a function of the pool's · lint shared_tables
create function {pool}.planted(text) returns boolean language plpgsql immutable as 'begin return true; end'; alter function {pool}.planted(text) owner to {pool}; revoke execute on function {pool}.planted(text) from public; create index planted on {pool}.accounts (tenant_id, ({pool}.planted(name)));
--- clear
drop function {pool}.planted(text) cascade;

--- statistics that run a query · lint shared_tables
create statistics {pool}.planted on (query_to_xml('select 1', true, true, '')::text), id from {pool}.accounts; alter statistics {pool}.planted owner to {pool};
--- clear
drop statistics {pool}.planted;

--- a foreign key that sets defaults · lint shared_tables
alter table {pool}.accounts add constraint planted foreign key (tenant_id, parent_id) references {pool}.accounts (tenant_id, id) on delete set default (parent_id);
--- clear
alter table {pool}.accounts drop constraint planted;

--- a foreign key whose change moves rows to another tenant · lint shared_tables
alter table {pool}.accounts add constraint planted foreign key (tenant_id, parent_id) references {pool}.accounts (tenant_id, id) on update set default;
--- clear
alter table {pool}.accounts drop constraint planted;

--- a view with its owner's rights · lint shared_tables
create view {pool}.planted as select * from {pool}.accounts; alter view {pool}.planted owner to {pool};
--- clear
drop view {pool}.planted;

--- a materialised view of everybody's rows · lint shared_tables
create materialized view {pool}.planted as select * from {pool}.accounts; alter materialized view {pool}.planted owner to {pool};
--- clear
drop materialized view {pool}.planted;

--- a function with its owner's rights · lint shared_tables
create function {pool}.planted() returns integer language sql security definer set search_path = pg_catalog return 1; alter function {pool}.planted() owner to {pool}; revoke execute on function {pool}.planted() from public;
--- clear
drop function {pool}.planted();

--- an operator · lint shared_tables
create operator {pool}.=== (leftarg = text, rightarg = text, function = texteq); alter operator {pool}.=== (text, text) owner to {pool};
--- clear
drop operator {pool}.=== (text, text);

--- a cast without a function · lint shared_tables
create type {pool}.planted as enum ('a'); alter type {pool}.planted owner to {pool}; create cast (text as {pool}.planted) with inout as implicit;
--- clear
drop type {pool}.planted cascade;

--- a cast of a table's rows · lint shared_tables
create cast ({pool}.accounts as text) with inout;
--- clear
drop cast ({pool}.accounts as text);

--- an extension's function whose text finds what it calls by name · lint shared_tables
create function tenantry_ext.planted(text) returns boolean language sql immutable as 'select length($1) > 0'; alter table {pool}.accounts add constraint planted check (tenantry_ext.planted(name) or true);
--- clear
drop function tenantry_ext.planted(text) cascade;

--- a function that the server parsed, and calls one that it did not · lint shared_tables
create function tenantry_ext.planted(text) returns boolean language sql immutable as 'select length($1) > 0'; create function tenantry_ext.planted_too(text) returns boolean language sql immutable return tenantry_ext.planted($1) or true; alter table {pool}.accounts add constraint planted check (tenantry_ext.planted_too(name));
--- clear
drop function tenantry_ext.planted(text) cascade;

--- an operator class that compares by a function whose text finds what it calls by name · lint shared_tables
create function tenantry_ext.planted(text, text) returns integer language sql immutable as 'select bttextcmp($1, $2)'; create operator class tenantry_ext.planted for type text using btree as operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 tenantry_ext.planted(text, text); create index planted on {pool}.accounts (tenant_id, name tenantry_ext.planted);
--- clear
drop operator family tenantry_ext.planted using btree cascade; drop function tenantry_ext.planted(text, text);

--- a key across tenants · lint shared_tables, probe shared_keys
create unique index planted on {pool}.accounts (id);
--- clear
drop index {pool}.planted;

--- tenants may create beside the tables · lint shared_tables, probe shared_rights
grant create on schema {pool} to {pool}_app;
--- clear
revoke create on schema {pool} from {pool}_app;

--- tenants may set a sequence for each other · lint shared_tables
create sequence {pool}.planted; alter sequence {pool}.planted owner to {pool}; grant update on sequence {pool}.planted to {pool}_app;
--- clear
drop sequence {pool}.planted;

--- a column for everybody · lint shared_tables
grant select (name) on {pool}.accounts to public;
--- clear
revoke select (name) on {pool}.accounts from public;

--- a right that tenants may hand on · lint shared_tables
grant select on {pool}.accounts to {pool}_app with grant option;
--- clear
revoke grant option for select on {pool}.accounts from {pool}_app;

--- what is made next is everybody's · lint shared_tables
alter default privileges for role {pool} in schema {pool} grant select on tables to public;
--- clear
alter default privileges for role {pool} in schema {pool} revoke select on tables from public;

--- the daemon's policy shows every row · lint shared_tables, probe shared_read, probe shared_context, probe shared_views, probe shared_write
alter policy tenantry_tenant on {pool}.accounts using (true);
--- clear
alter policy tenantry_tenant on {pool}.accounts using (tenant_id = (select me.tenant_id from tenantry.pool_member me where me.role = current_user and me.is_open));

--- the daemon's policy lets every row be written · lint shared_tables
alter policy tenantry_tenant on {pool}.accounts with check (true);
--- clear
alter policy tenantry_tenant on {pool}.accounts with check (tenant_id = (select me.tenant_id from tenantry.pool_member me where me.role = current_user and me.is_open));

--- row-level security does not bind the owner · lint shared_tables
alter table {pool}.accounts no force row level security;
--- clear
alter table {pool}.accounts force row level security;

--- rows are nobody's by default · lint shared_tables
alter table {pool}.accounts alter column tenant_id set default gen_random_uuid();
--- clear
alter table {pool}.accounts alter column tenant_id set default tenantry_ext.tenantry_tenant();

--- a tenant is a member of the tables' owner · lint shared_tables, probe shared_owner
grant {pool} to {own}_app;
--- clear
revoke {pool} from {own}_app;

--- a table is without row-level security · lint shared_tables, probe shared_statistics, probe shared_row_security
analyze {pool}.accounts; alter table {pool}.accounts disable row level security;
--- clear
alter table {pool}.accounts enable row level security;

--- a table among the shared ones takes rows of any tenant · lint shared_tables, probe shared_forge
create table {pool}.planted (tenant_id uuid not null primary key); alter table {pool}.planted owner to {pool}; grant select, insert on {pool}.planted to {pool}_app;
--- clear
drop table {pool}.planted;

--- an outsider is a member of the tables' owner · lint shared_tables
create role planted; grant {pool} to planted;
--- clear
drop role planted;

--- an outsider has what all tenants have · lint shared_tables
create role planted; grant {pool}_app to planted;
--- clear
drop role planted;

--- the tables' owner passes row-level security · lint shared_tables
alter role {pool} bypassrls;
--- clear
alter role {pool} nobypassrls;

--- the tables' owner has a large object · lint shared_tables
do $$ declare o oid; begin o := lo_create(0); execute format('alter large object %s owner to {pool}', o); end $$;
--- clear
do $$ declare o oid; begin for o in select oid from pg_largeobject_metadata where lomowner = '{pool}'::regrole loop perform lo_unlink(o); end loop; end $$;

--- somebody else's table stands among the shared ones · lint shared_tables
create table {pool}.planted (tenant_id uuid not null primary key);
--- clear
drop table {pool}.planted;

--- a column of shared tables has a type of somebody else's · lint shared_tables
create schema planted; create domain planted.note as text; alter table {pool}.accounts add planted planted.note;
--- clear
alter table {pool}.accounts drop planted; drop schema planted cascade;

--- a trigger of shared tables calls somebody else's function · lint shared_tables
create schema planted; create function planted.run() returns trigger language plpgsql as 'begin return new; end'; create trigger planted after insert on {pool}.accounts for each row execute function planted.run();
--- clear
drop trigger planted on {pool}.accounts; drop schema planted cascade;

--- a default of shared tables is somebody else's sequence · lint shared_tables
create schema planted; create sequence planted.ticket; alter table {pool}.accounts add planted bigint default nextval('planted.ticket');
--- clear
alter table {pool}.accounts drop planted; drop schema planted cascade;

--- a view of shared tables reads somebody else's · lint shared_tables
create schema planted; create table planted.note (id int); create view {pool}.planted with (security_invoker = true) as select id from planted.note; alter view {pool}.planted owner to {pool};
--- clear
drop view {pool}.planted; drop schema planted cascade;
