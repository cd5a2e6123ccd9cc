-- The registry: what exists, what is being done to it, and by whom.
-- Forward-only. Every constraint has a name, because the daemon turns a violated one into an answer.

create schema control;

-- The fence. A daemon writes only in transactions that hold this row FOR SHARE at the epoch it took; a later daemon
-- raises the epoch, which waits for those transactions and stops all later ones.
create table control.epoch (
    singleton boolean not null default true
        constraint epoch_pk primary key
        constraint epoch_is_single check (singleton),
    epoch bigint not null,
    holder text not null,
    taken_at timestamptz not null default now()
);
insert into control.epoch (epoch, holder) values (0, 'nobody');

-- The sign of life. A row of its own: on the epoch's row its update would starve behind overlapping FOR SHARE locks.
create table control.heartbeat (
    singleton boolean not null default true
        constraint heartbeat_pk primary key
        constraint heartbeat_is_single check (singleton),
    epoch bigint not null,
    beat_at timestamptz not null default now()
);
insert into control.heartbeat (epoch) values (0);

-- Where tenants can live. Connections and secrets stay in the daemon's configuration.
create table control.target (
    name text not null constraint target_pk primary key,
    engine text not null default 'postgres' constraint target_engine_known check (engine in ('postgres', 'citus')),
    address text not null,
    capacity bigint constraint target_capacity_positive check (capacity > 0),
    in_maintenance boolean not null default false,
    first_seen_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now()
);

-- A blueprint's version never changes: tenants refer to what they were built from.
create table control.blueprint_version (
    blueprint text not null,
    major integer not null constraint blueprint_version_major_range check (major between 0 and 65535),
    minor integer not null constraint blueprint_version_minor_range check (minor between 0 and 65535),
    checksum text not null constraint blueprint_version_checksum_hex check (checksum ~ '^[0-9a-f]{64}$'),
    added_at timestamptz not null default now(),
    added_by text not null,
    constraint blueprint_version_pk primary key (blueprint, major, minor)
);

-- The files as they were uploaded, manifest included; they are parsed anew when needed, so the text is the only truth.
create table control.blueprint_file (
    blueprint text not null,
    major integer not null,
    minor integer not null,
    path text not null,
    content text not null,
    constraint blueprint_file_pk primary key (blueprint, major, minor, path),
    constraint blueprint_file_version_fk foreign key (blueprint, major, minor)
        references control.blueprint_version (blueprint, major, minor)
);

create table control.tenant (
    id uuid not null constraint tenant_pk primary key,
    slug text not null,
    display_name text not null,
    labels jsonb not null default '{}',
    blueprint text not null,
    major integer not null,
    minor integer not null,
    target text not null constraint tenant_target_fk references control.target (name),
    placement text not null constraint tenant_placement_unique unique,
    settings jsonb not null default '{}',
    state text not null constraint tenant_state_known check (state in (
        'provisioning', 'active', 'suspended', 'rolling_back', 'rolled_back', 'retiring', 'retired', 'needs_attention')),
    -- What belongs to the state: a reason, the next command.
    state_detail jsonb not null default '{}',
    credentials_role text,
    credentials_issued_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint tenant_blueprint_fk foreign key (blueprint, major, minor)
        references control.blueprint_version (blueprint, major, minor),
    constraint tenant_credentials_whole check ((credentials_role is null) = (credentials_issued_at is null))
);

-- A name belongs to one living tenant; after a rollback it is free again, and the history stays.
create unique index tenant_slug_living on control.tenant (slug) where state not in ('rolled_back', 'retired');
create index tenant_by_slug on control.tenant (slug, created_at desc);
create index tenant_by_target on control.tenant (target) where state not in ('rolled_back', 'retired');

create table control.operation (
    id uuid not null constraint operation_pk primary key,
    tenant_id uuid not null constraint operation_tenant_fk references control.tenant (id),
    kind text not null,
    state text not null constraint operation_state_known check (state in (
        'queued', 'running', 'succeeded', 'unwinding', 'rolled_back', 'needs_attention', 'cancelled')),
    state_detail jsonb not null default '{}',
    -- The steps as they were when the operation ended or was last journaled, for its history.
    steps jsonb not null default '[]',
    actor text not null,
    plan_hash text,
    -- The daemon that runs it.
    epoch bigint not null,
    budget_ms bigint not null constraint operation_budget_positive check (budget_ms > 0),
    requested_at timestamptz not null default now(),
    finished_at timestamptz
);
create index operation_by_tenant on control.operation (tenant_id, id desc);
create index operation_unfinished on control.operation (id)
    where state in ('queued', 'running', 'unwinding');

-- The journal: what a daemon that starts after a crash folds back into the operation's progress.
create table control.operation_event (
    operation_id uuid not null constraint operation_event_operation_fk references control.operation (id),
    position integer not null,
    at timestamptz not null default now(),
    event jsonb not null,
    constraint operation_event_pk primary key (operation_id, position)
);

-- One request, one operation, however often it is sent.
create table control.idempotency_key (
    actor text not null,
    method text not null,
    key text not null,
    request_digest bytea not null,
    operation_id uuid not null constraint idempotency_key_operation_fk references control.operation (id),
    created_at timestamptz not null default now(),
    constraint idempotency_key_pk primary key (actor, method, key)
);

create table control.isolation_report (
    operation_id uuid not null
        constraint isolation_report_pk primary key
        constraint isolation_report_operation_fk references control.operation (id),
    tenant_id uuid not null constraint isolation_report_tenant_fk references control.tenant (id),
    at timestamptz not null,
    holds boolean not null,
    report jsonb not null
);
create index isolation_report_by_tenant on control.isolation_report (tenant_id, at desc);
