-- The audit trail: a chain of immutable events.
--
-- hash = SHA-256(domain || seq || prev_hash || length || payload). The payload is the very bytes that are hashed. The
-- columns beside it are generated from it, so that they can be searched and can never say something else.

-- The chain's end. Locked last in a transaction, so that its short lock covers little but the commit.
create table control.audit_head (
    singleton boolean not null default true
        constraint audit_head_pk primary key
        constraint audit_head_is_single check (singleton),
    seq bigint not null,
    hash bytea not null constraint audit_head_hash_length check (octet_length(hash) = 32)
);
insert into control.audit_head (seq, hash) values (0, decode(repeat('00', 32), 'hex'));

-- The payload as JSON. Truly immutable: UTF-8 is the database's own encoding, so that no conversion is looked up.
create function control.audit_json(payload bytea) returns jsonb
    language sql immutable strict parallel safe set search_path = pg_catalog, pg_temp
    return convert_from(payload, 'UTF8')::jsonb;

create table control.audit_event (
    seq bigint not null constraint audit_event_seq_positive check (seq > 0),
    prev_hash bytea not null constraint audit_event_prev_hash_length check (octet_length(prev_hash) = 32),
    payload bytea not null,
    hash bytea not null constraint audit_event_hash_length check (octet_length(hash) = 32),
    at_us bigint not null
        generated always as ((control.audit_json(payload) ->> 'at_us')::bigint) stored,
    action text not null
        generated always as (control.audit_json(payload) ->> 'action') stored,
    tenant_id uuid
        generated always as ((control.audit_json(payload) ->> 'tenant_id')::uuid) stored,
    operation_id uuid
        generated always as ((control.audit_json(payload) ->> 'operation_id')::uuid) stored,
    outcome text
        generated always as (control.audit_json(payload) ->> 'outcome') stored,
    constraint audit_event_pk primary key (seq)
) partition by range (seq);

create index audit_event_by_tenant on control.audit_event (tenant_id, seq desc);
create index audit_event_by_operation on control.audit_event (operation_id, seq desc);

-- Names and free text, which the payload holds only as salted commitments: deleting here redacts, and the chain still
-- verifies.
create table control.audit_detail (
    seq bigint not null,
    field text not null,
    value text not null,
    salt bytea not null constraint audit_detail_salt_length check (octet_length(salt) = 16),
    constraint audit_detail_pk primary key (seq, field)
);

create function control.refuse_audit_change() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp as
$$
begin
    raise exception 'audit events are never changed or removed' using errcode = 'insufficient_privilege';
end
$$;

-- ENABLE ALWAYS: a session that calls itself a replica does not get round them.
create trigger audit_event_is_immutable before update or delete on control.audit_event
    for each row execute function control.refuse_audit_change();
alter table control.audit_event enable always trigger audit_event_is_immutable;
create trigger audit_event_is_not_truncated before truncate on control.audit_event
    for each statement execute function control.refuse_audit_change();
alter table control.audit_event enable always trigger audit_event_is_not_truncated;

-- Makes the partition that holds `at_seq`, guarded like its parent. The daemon's runtime role owns no table, so this
-- runs as the owner; it can do nothing else.
create function control.ensure_audit_partition(at_seq bigint) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp as
$$
declare
    size constant bigint := 1000000;
    number constant bigint := (at_seq - 1) / size;
    name constant text := 'audit_event_p' || number;
begin
    if at_seq < 1 or to_regclass('control.' || name) is not null then
        return;
    end if;
    execute format('create table control.%I partition of control.audit_event for values from (%s) to (%s)',
                   name, number * size + 1, (number + 1) * size + 1);
    -- A statement trigger of the parent does not fire for a TRUNCATE of the partition, and a clone of a row trigger
    -- does not inherit ENABLE ALWAYS on every version.
    execute format('create trigger audit_event_is_not_truncated before truncate on control.%I '
                   'for each statement execute function control.refuse_audit_change()', name);
    execute format('alter table control.%I enable always trigger audit_event_is_not_truncated', name);
    execute format('alter table control.%I enable always trigger audit_event_is_immutable', name);
end
$$;
revoke all on function control.ensure_audit_partition(bigint) from public;
select control.ensure_audit_partition(1);
