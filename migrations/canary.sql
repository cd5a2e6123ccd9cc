-- What the canary is made of: one of each kind of object that a probe attacks. Nobody's data.

create table record (id bigint constraint record_pk primary key, note text not null);
insert into record (id, note) values (1, 'nobody but the canary reads this'), (2, 'and nobody changes it');

create sequence ticket;
select nextval('ticket');

create table event (id bigint, happened date not null, constraint event_pk primary key (id, happened))
    partition by range (happened);
create table event_first partition of event for values from ('2026-01-01') to ('2027-01-01');
insert into event values (1, '2026-06-01');

create type mood as enum ('calm', 'alarmed');

create view overview as select id, note from record;
create materialized view summary as select count(*) as notes from record;

-- A function that reads with its owner's rights, as a careless one would.
create function reveal() returns text language sql stable security definer set search_path from current
    return (select string_agg(note, ', ') from record);

-- Where an administrator lets anybody make large objects.
do $$ begin
    if has_function_privilege('pg_catalog.lo_from_bytea(oid, bytea)', 'execute') then
        perform lo_from_bytea(0, 'nobody but the canary reads this');
    end if;
end $$;

-- So that the planner keeps samples of it.
analyze record;
