-- Other systems that are told what happens here, and what became of telling them.

create table integrations (
    id         bigint generated always as identity,
    kind       text not null,
    name       text not null,
    settings   jsonb not null default '{}',
    is_enabled boolean not null default true,
    created_by bigint,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint integrations_pkey primary key (id),
    constraint integrations_name_key unique (name),
    constraint integrations_name_length check (length(name) between 1 and 120),
    constraint integrations_kind_known check (kind in ('chat', 'code_hosting', 'calendar', 'accounting', 'custom')),
    constraint integrations_settings_object check (jsonb_typeof(settings) = 'object'),
    constraint integrations_created_by_fkey foreign key (created_by) references users (id) on delete set null
);

create index integrations_created_by_idx on integrations (created_by);

create table webhooks (
    id             bigint generated always as identity,
    integration_id bigint not null,
    project_id     bigint,
    url            text not null,
    actions        text[] not null,
    -- 32 bytes, of which 244 bits are random. The receiver checks a delivery's signature with the same key.
    signing_key    bytea not null default decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'),
    is_enabled     boolean not null default true,
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now(),
    constraint webhooks_pkey primary key (id),
    constraint webhooks_url_is_https check (url ~ '^https://[^/\s]+' and length(url) <= 2000),
    constraint webhooks_actions_named check (cardinality(actions) between 1 and 50 and array_position(actions, null) is null),
    constraint webhooks_signing_key_length check (octet_length(signing_key) = 32),
    constraint webhooks_integration_fkey foreign key (integration_id) references integrations (id) on delete cascade,
    constraint webhooks_project_fkey foreign key (project_id) references projects (id) on delete cascade
);

comment on column webhooks.project_id is 'only what happens in this project; empty for all of them';
comment on column webhooks.actions is 'such as task.created, as they stand in activity.action';

create index webhooks_integration_idx on webhooks (integration_id);
create index webhooks_project_idx on webhooks (project_id);

-- One row for each event and receiver; a worker takes those that are due, and writes down how each attempt went.
create table webhook_deliveries (
    id              bigint generated always as identity,
    webhook_id      bigint not null,
    activity_id     bigint not null,
    status          text not null default 'pending',
    attempts        integer not null default 0,
    response_code   integer,
    next_attempt_at timestamptz default now(),
    delivered_at    timestamptz,
    created_at      timestamptz not null default now(),
    constraint webhook_deliveries_pkey primary key (id),
    constraint webhook_deliveries_event_key unique (webhook_id, activity_id),
    constraint webhook_deliveries_status_known check (status in ('pending', 'delivered', 'failed')),
    constraint webhook_deliveries_attempts_range check (attempts between 0 and 20),
    constraint webhook_deliveries_response_range check (response_code between 100 and 599),
    constraint webhook_deliveries_delivered_dated check ((status = 'delivered') = (delivered_at is not null)),
    constraint webhook_deliveries_pending_due check ((status = 'pending') = (next_attempt_at is not null)),
    constraint webhook_deliveries_webhook_fkey foreign key (webhook_id) references webhooks (id) on delete cascade,
    constraint webhook_deliveries_activity_fkey foreign key (activity_id) references activity (id) on delete cascade
);

create index webhook_deliveries_activity_idx on webhook_deliveries (activity_id);
-- The worker's question: the few that are due, among the many that are done.
create index webhook_deliveries_due_idx on webhook_deliveries (next_attempt_at) where status = 'pending';

create function enqueue_deliveries() returns trigger
    language plpgsql
as $$
begin
    insert into webhook_deliveries (webhook_id, activity_id)
    select hook.id, new.id
      from webhooks hook
      join integrations integration on integration.id = hook.integration_id
     where hook.is_enabled
       and integration.is_enabled
       and new.action = any (hook.actions)
       and (hook.project_id is null or hook.project_id = new.project_id);
    return null;
end;
$$;

create trigger activity_enqueue_deliveries
    after insert on activity
    for each row execute function enqueue_deliveries();

create trigger integrations_set_updated_at
    before update on integrations
    for each row execute function set_updated_at();

create trigger webhooks_set_updated_at
    before update on webhooks
    for each row execute function set_updated_at();
