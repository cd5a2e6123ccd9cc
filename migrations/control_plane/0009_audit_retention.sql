-- What is kept of the trail, and how long: segments that are pruned whole, and holds that keep them.

-- A partition of the trail and its range. The row stays when the partition is pruned.
create table control.audit_segment (
    number bigint not null constraint audit_segment_pk primary key,
    from_seq bigint not null constraint audit_segment_from_unique unique,
    -- Inclusive.
    to_seq bigint not null,
    pruned_at timestamptz,
    constraint audit_segment_range check (to_seq >= from_seq)
);

-- Events that nobody may prune or redact, because a matter is open. Kept when it is released: who held what is history.
create table control.audit_hold (
    id uuid not null default gen_random_uuid() constraint audit_hold_pk primary key,
    name text not null constraint audit_hold_name_grammar check (name ~ '^[a-z0-9-]{1,40}$'),
    -- Only events of the tenants of this name; all if absent.
    slug text,
    reason text not null,
    placed_by text not null,
    placed_at timestamptz not null default now(),
    released_at timestamptz
);
create unique index audit_hold_standing on control.audit_hold (name) where released_at is null;

-- The partitions that are there. A million events are years of a small installation's, which could never prune them: the
-- one that is being filled ends at the next round number instead, and one that was made ahead is made anew.
do $$
declare
    size constant bigint := 100000;
    head bigint := (select seq from control.audit_head);
    part record;
    high bigint;
begin
    for part in
        select c.relname as name, substring(c.relname from '^audit_event_p([0-9]+)$')::bigint as number, bound[1] as low, bound[2] as high
        from pg_inherits i join pg_class c on c.oid = i.inhrelid,
             lateral (select regexp_match(pg_get_expr(c.relpartbound, c.oid), '\(''?([0-9]+)''?\) TO \(''?([0-9]+)''?\)')::bigint[] as bound) b
        where i.inhparent = 'control.audit_event'::regclass
        order by low
    loop
        if part.low > greatest(head, 1) then
            execute format('drop table control.%I', part.name);
            continue;
        end if;
        high := part.high;
        if head < part.high then
            high := part.low + (greatest(head - part.low, 0) / size + 1) * size;
            execute format('alter table control.audit_event detach partition control.%I', part.name);
            execute format('alter table control.audit_event attach partition control.%I for values from (%s) to (%s)',
                           part.name, part.low, high);
            execute format('alter table control.%I enable always trigger audit_event_is_immutable', part.name);
        end if;
        insert into control.audit_segment (number, from_seq, to_seq) values (part.number, part.low, high - 1);
    end loop;
end
$$;

-- Makes the partition that holds `at_seq`, if it is the next one, guarded like its parent. The daemon's runtime role owns no
-- table, so this runs as the owner; it can do nothing else. A table is attached, where one that is made as a partition
-- would wait for all who read the trail.
create or replace function control.ensure_audit_partition(at_seq bigint) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as
$$
declare
    size constant bigint := 100000;
    last record;
    name text;
begin
    select s.number, s.from_seq, s.to_seq into strict last from control.audit_segment s order by s.number desc limit 1;
    if at_seq <= last.to_seq then
        return;
    end if;
    if at_seq is null or at_seq > last.to_seq + size or not exists (select from control.audit_head h where h.seq >= last.from_seq) then
        raise exception 'the next segment of the audit trail ends before event %', at_seq
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    name := 'audit_event_p' || last.number + 1;
    execute format('create table control.%I (like control.audit_event including all)', name);
    -- A statement trigger of the parent does not fire for a TRUNCATE of the partition, and a clone of a row trigger
    -- does not inherit ENABLE ALWAYS on every version.
    execute format('create trigger audit_event_is_not_truncated before truncate on control.%I '
                   'for each statement execute function control.refuse_audit_change()', name);
    execute format('alter table control.%I enable always trigger audit_event_is_not_truncated', name);
    execute format('alter table control.audit_event attach partition control.%I for values from (%s) to (%s)',
                   name, last.to_seq + 1, last.to_seq + size + 1);
    execute format('alter table control.%I enable always trigger audit_event_is_immutable', name);
    insert into control.audit_segment (number, from_seq, to_seq)
        values (last.number + 1, last.to_seq + 1, last.to_seq + size);
end
$$;

-- The holds that keep a range of events: those of all events, and those of tenants that have one in it.
create function control.audit_holds_on(low bigint, high bigint) returns setof text
    language sql stable set search_path = pg_catalog, pg_temp
    begin atomic
        select h.name from control.audit_hold h
        where h.released_at is null
          and (h.slug is null or exists (
              select from control.tenant t, lateral (
                  select from control.audit_event e where e.tenant_id = t.id and e.seq >= low and e.seq <= high limit 1) e
              where t.slug = h.slug))
        order by h.name;
    end;

-- Drops a segment with the values beside its events. Whoever calls it, only the oldest one, only when it is sealed by a
-- signed checkpoint, older than a month and held by nobody: the runtime role must not be able to drop what it likes.
create function control.prune_audit_segment(segment bigint, before timestamptz) returns bigint
    language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '5s' as
$$
declare
    part record;
    found record;
    holds text;
    refused constant text := 'object_not_in_prerequisite_state';
    removed bigint;
begin
    -- A hold is placed before this, and keeps the segment, or after it.
    lock table control.audit_hold in share row exclusive mode;
    select s.number, s.from_seq, s.to_seq into part from control.audit_segment s
        where s.pruned_at is null order by s.number limit 1;
    if part.number is distinct from segment then
        raise exception 'it is not the oldest segment' using errcode = refused;
    end if;
    if before is null or before > now() - interval '30 days' then
        raise exception 'events are kept for 30 days at least' using errcode = refused;
    end if;
    if not exists (select from control.audit_head h where h.seq > part.to_seq) then
        raise exception 'events are still added to it' using errcode = refused;
    end if;
    -- Ends an automatic vacuum of it, and keeps nobody from reading.
    execute format('lock table control.%I in share update exclusive mode', 'audit_event_p' || part.number);
    select count(*) as events, max(e.at_us) as newest_us into found
        from control.audit_event e where e.seq >= part.from_seq and e.seq <= part.to_seq;
    if found.events <> part.to_seq - part.from_seq + 1 then
        raise exception 'events are missing from it: verify the trail' using errcode = refused;
    end if;
    if found.newest_us >= extract(epoch from before) * 1000000 then
        raise exception 'its newest event is not old enough' using errcode = refused;
    end if;
    if not exists (select from control.audit_event e join control.audit_checkpoint c on c.seq = e.seq and c.hash = e.hash
                   where e.seq = part.to_seq) then
        raise exception 'its end is not signed, or not what was signed' using errcode = refused;
    end if;
    select string_agg(h, ', ') into holds from control.audit_holds_on(part.from_seq, part.to_seq) h;
    if holds is not null then
        raise exception 'it is held by %', holds using errcode = refused;
    end if;
    delete from control.audit_detail d where d.seq >= part.from_seq and d.seq <= part.to_seq;
    get diagnostics removed = row_count;
    -- Whoever appends locks the head first, and then needs the table that is dropped from; they wait behind this.
    perform set_config('lock_timeout', '1s', true);
    perform from control.audit_head for update;
    execute format('drop table control.%I', 'audit_event_p' || part.number);
    update control.audit_segment s set pruned_at = now() where s.number = part.number;
    return removed;
end
$$;
revoke all on function control.prune_audit_segment(bigint, timestamptz) from public;
