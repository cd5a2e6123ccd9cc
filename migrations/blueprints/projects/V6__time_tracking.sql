-- The time people spend, as they log it and as it is approved.

create table time_entries (
    id          bigint generated always as identity,
    user_id     bigint not null,
    task_id     bigint not null,
    worked_on   date not null default current_date,
    minutes     integer not null,
    note        text not null default '',
    is_billable boolean not null default true,
    approved_by bigint,
    approved_at timestamptz,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    constraint time_entries_pkey primary key (id),
    constraint time_entries_minutes_range check (minutes between 1 and 1440),
    -- Somebody who left may vanish from an approval, but an approver without a date makes no sense.
    constraint time_entries_approval_dated check (approved_by is null or approved_at is not null),
    -- Logged time is the basis of invoices: neither a person nor a task that has any can be deleted.
    constraint time_entries_user_fkey foreign key (user_id) references users (id) on delete restrict,
    constraint time_entries_task_fkey foreign key (task_id) references tasks (id) on delete restrict,
    constraint time_entries_approved_by_fkey foreign key (approved_by) references users (id) on delete set null
);

create index time_entries_user_day_idx on time_entries (user_id, worked_on);
create index time_entries_task_idx on time_entries (task_id);
create index time_entries_approved_by_idx on time_entries (approved_by);
create index time_entries_open_idx on time_entries (worked_on) where approved_at is null;

create trigger time_entries_set_updated_at
    before update on time_entries
    for each row execute function set_updated_at();
