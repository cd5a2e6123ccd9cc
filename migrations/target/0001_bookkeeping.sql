-- What Tenantry keeps on a target, beside the tenants and out of their reach.

create schema tenantry;
revoke all on schema tenantry from public;

-- The marker of each tenant's build, and the fence against a late one: the first statement of the one transaction
-- inserts it. Who wants to know whether that transaction committed inserts a row of kind 'tombstone' under the same
-- operation: it waits while the transaction is open; then a unique violation says "committed", and success says "void".
create table tenantry.placement (
    operation_id uuid not null constraint placement_pk primary key,
    kind text not null constraint placement_kind_known check (kind in ('tenant', 'canary', 'tombstone')),
    placement text not null,
    tenant_id uuid,
    state text not null constraint placement_state_known check (state in ('building', 'active', 'removing', 'removed', 'void')),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create unique index placement_name_unique on tenantry.placement (placement) where kind <> 'tombstone';
create unique index placement_one_canary on tenantry.placement (kind) where kind = 'canary' and state <> 'removed';

-- Which migrations made a placement what it is.
create table tenantry.migration_history (
    placement text not null,
    position integer not null,
    file text not null,
    checksum text not null,
    statements integer not null,
    duration_us bigint not null,
    applied_at timestamptz not null default clock_timestamp(),
    constraint migration_history_pk primary key (placement, position)
);

-- One group per target database holds CONNECT; tenants' roles are made members of it. GRANTs on the shared database
-- object, one for each tenant, would race ("tuple concurrently updated").
create table tenantry.target_identity (
    singleton boolean not null default true
        constraint target_identity_pk primary key
        constraint target_identity_is_single check (singleton),
    group_role text not null
);

-- Where an administrator installs the extensions that blueprints name; on every tenant's search path.
create schema tenantry_ext;
grant usage on schema tenantry_ext to public;
