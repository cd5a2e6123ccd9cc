-- What operations on a living tenant need: who holds the fence, what an operation was asked, and one at a time.

-- The process behind the holder's name, so that a daemon that starts on the same machine knows that it is dead.
alter table control.epoch add column holder_process text not null default '';
-- How long the holder's sign of life is good for.
alter table control.epoch add column lease_ms bigint not null default 3000
    constraint epoch_lease_positive check (lease_ms > 0);
-- A daemon that ended properly says so: nobody need wait for its lease.
alter table control.heartbeat add column released boolean not null default true;

alter table control.tenant
    -- The build that made it: the key of its marker. Another build under the same operation has another.
    add column build_id uuid,
    -- During a rotation, the login that still works beside the current one.
    add column credentials_previous_role text,
    -- When the grace of a retirement ends.
    add column purge_after timestamptz;
update control.tenant t set build_id = coalesce(
    (select id from control.operation o where o.tenant_id = t.id and o.kind = 'provision' order by id limit 1), t.id);
alter table control.tenant alter column build_id set not null;
create index tenant_to_purge on control.tenant (purge_after) where state = 'retiring';

alter table control.operation
    -- What was asked, as far as a daemon that takes the operation up needs it.
    add column arguments jsonb not null default '{}',
    -- The tenant's state when the operation began, to which it returns when the operation is taken back.
    add column state_before jsonb;

-- Two operations at once on one tenant would undo each other.
create unique index operation_one_at_a_time on control.operation (tenant_id)
    where state in ('queued', 'running', 'unwinding');
