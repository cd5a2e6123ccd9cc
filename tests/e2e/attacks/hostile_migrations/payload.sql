-- Tries everything that the provisioner could do and a tenant must not, and swallows each refusal, so that it goes on
-- to the next attempt whatever happens. The words are split so that no lint can be what stops it.
-- {provisioner}, {victim} and {marker} stand for the daemon's role, another tenant's placement and a file.
create table bait (id integer primary key, note text);

create function evil() returns integer language plpgsql as $evil$
declare
    attempt text;
    me constant text := quote_ident(current_user);
begin
    foreach attempt in array array[
        're' || 'set role',
        'set ' || 'role {provisioner}',
        'set session ' || 'authorization {provisioner}',
        'set session ' || 'authorization default',
        'create ' || 'role pwned',
        'create ' || 'role pwned_super superuser',
        'create table public' || '.pwned (a integer)',
        'create schema pwned',
        'alter ' || 'role {provisioner} bypassrls',
        'alter ' || 'role {provisioner} password ''pwned''',
        'alter ' || 'role {provisioner} set statement_timeout = 1',
        'alter ' || 'role {victim}_a nologin',
        'alter ' || 'role {victim}_a password ''pwned''',
        'gr' || 'ant {provisioner} to ' || me,
        'gr' || 'ant {victim} to ' || me,
        'gr' || 'ant pg_execute_server_program to ' || me,
        'gr' || 'ant pg_execute_server_program to {provisioner}',
        'gr' || 'ant usage on schema tenantry to public',
        'gr' || 'ant usage on schema {victim} to public',
        'gr' || 'ant all on all tables in schema {victim} to public',
        'gr' || 'ant create on database ' || quote_ident(current_database()) || ' to public',
        'delete from tenantry' || '.placement',
        'delete from tenantry' || '.migration_history',
        'update {victim}' || '.users set display_name = ''pwned''',
        'drop schema {victim}' || ' cascade',
        'create table tenantry' || '.pwned (a integer)',
        'alter database ' || quote_ident(current_database()) || ' set work_mem = ''1MB''',
        'create event trigger pwned on ddl_command_end execute function evil_trigger()',
        'create extension pg_trgm schema pwned',
        'copy bait to program ''touch {marker}''',
        'copy bait to ''{marker}''',
        'select pg_catalog.lo_export(pg_catalog.lo_create(4711), ''{marker}'')',
        'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()'
    ] loop
        begin
            execute attempt;
        exception when others then
            null;
        end;
    end loop;
    return 1;
end
$evil$;

create function evil_trigger() returns trigger language plpgsql as $evil$
begin
    perform evil();
    return null;
end
$evil$;
