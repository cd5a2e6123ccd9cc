-- Upgrades of many tenants: what was asked, and where each tenant is in it.

create table control.upgrade (
    id uuid not null constraint upgrade_pk primary key,
    blueprint text not null,
    major integer not null,
    minor integer not null,
    state text not null
        constraint upgrade_state_known check (state in ('running', 'paused', 'succeeded', 'partial', 'cancelled')),
    -- Of a paused one.
    paused_by text constraint upgrade_paused_by_known check (paused_by in ('operator', 'pilot', 'wave', 'failures', 'target')),
    reason text not null default '',
    -- Who is in: all tenants of the blueprint, if these are empty.
    targets text[] not null default '{}',
    tenants text[] not null default '{}',
    labels jsonb not null default '{}',
    -- The number of units in the first wave, and the share of the rest in each later one, in percent.
    pilot integer not null constraint upgrade_pilot_positive check (pilot > 0),
    wave_percent integer not null constraint upgrade_wave_percent check (wave_percent between 1 and 100),
    -- Units at a time on one target.
    width integer not null constraint upgrade_width_positive check (width > 0),
    -- The number of failures, or their percentage of all units, that pauses it: `3`, `2%`.
    stop_after text not null,
    manual boolean not null default false,
    -- Tenants that are known to have drifted are upgraded, too.
    accept_drift boolean not null default false,
    -- Units of this wave and those before it may begin.
    wave integer not null default 0,
    -- Failures that an operator has seen and gone on from; only later ones pause it.
    accepted_failures integer not null default 0,
    actor text not null,
    plan_hash text not null,
    idempotency_key text,
    request_digest bytea,
    requested_at timestamptz not null default now(),
    ended_at timestamptz,
    constraint upgrade_version_fk foreign key (blueprint, major, minor)
        references control.blueprint_version (blueprint, major, minor),
    constraint upgrade_paused_whole check ((paused_by is null) = (state <> 'paused')),
    constraint upgrade_ended_whole check ((ended_at is null) = (state in ('running', 'paused')))
);
create unique index upgrade_one_open on control.upgrade (blueprint) where state in ('running', 'paused');
create unique index upgrade_by_key on control.upgrade (actor, idempotency_key) where idempotency_key is not null;
create index upgrade_newest on control.upgrade (requested_at desc, id);

create table control.upgrade_unit (
    upgrade_id uuid not null constraint upgrade_unit_upgrade_fk references control.upgrade (id),
    tenant_id uuid not null constraint upgrade_unit_tenant_fk references control.tenant (id),
    target text not null,
    -- The order in which units begin. A unit that waits for a lock in vain goes to the end once.
    position bigint not null,
    wave integer not null,
    state text not null constraint upgrade_unit_state_known check (state in (
        'pending', 'running', 'done', 'current', 'skipped', 'failed', 'partly')),
    attempts integer not null default 0,
    -- The newest.
    operation_id uuid,
    -- What failures have in common: file and SQLSTATE.
    failure_key text,
    reason text,
    not_before timestamptz,
    ended_at timestamptz,
    constraint upgrade_unit_pk primary key (upgrade_id, tenant_id)
);
create index upgrade_unit_next on control.upgrade_unit (upgrade_id, target, position) where state = 'pending';
create unique index upgrade_unit_by_operation on control.upgrade_unit (operation_id) where operation_id is not null;
create index upgrade_unit_by_state on control.upgrade_unit (upgrade_id, state, position);
-- Who is behind.
create index tenant_by_version on control.tenant (blueprint, major, minor) where state not in ('rolled_back', 'retired');
-- Since when a tenant has its version. For those of before, it is not earlier than this.
alter table control.tenant add column version_since timestamptz not null default now();
update control.tenant set version_since = created_at;
