-- What happened, for the feed of a project, and what each person has yet to read of it.

create table activity (
    id          bigint generated always as identity,
    project_id  bigint not null,
    task_id     bigint,
    actor_id    bigint,
    action      text not null,
    details     jsonb not null default '{}',
    happened_at timestamptz not null default clock_timestamp(),
    constraint activity_pkey primary key (id),
    constraint activity_action_shape check (action ~ '^[a-z_]+\.[a-z_]+$'),
    constraint activity_details_object check (jsonb_typeof(details) = 'object'),
    constraint activity_project_fkey foreign key (project_id) references projects (id) on delete cascade,
    constraint activity_task_fkey foreign key (project_id, task_id)
        references tasks (project_id, id) on delete set null (task_id),
    constraint activity_actor_fkey foreign key (actor_id) references users (id) on delete set null
);

create index activity_feed_idx on activity (project_id, happened_at desc);
create index activity_task_idx on activity (project_id, task_id);
create index activity_actor_idx on activity (actor_id);

create table notifications (
    user_id     bigint not null,
    activity_id bigint not null,
    read_at     timestamptz,
    constraint notifications_pkey primary key (user_id, activity_id),
    constraint notifications_user_fkey foreign key (user_id) references users (id) on delete cascade,
    constraint notifications_activity_fkey foreign key (activity_id) references activity (id) on delete cascade
);

create index notifications_activity_idx on notifications (activity_id);
create index notifications_unread_idx on notifications (user_id) where read_at is null;

-- Recorded here and not in the application, so that an import or a script leaves a trace in the feed too.
create function record_task_activity() returns trigger
    language plpgsql
as $$
declare
    -- The application sets it for each transaction; without it nobody is named.
    actor bigint := nullif(current_setting('app.user_id', true), '')::bigint;
begin
    if tg_op = 'INSERT' then
        insert into activity (project_id, task_id, actor_id, action, details)
        values (new.project_id, new.id, coalesce(actor, new.reporter_id), 'task.created',
                jsonb_build_object('title', new.title));
    elsif new.status <> old.status then
        insert into activity (project_id, task_id, actor_id, action, details)
        values (new.project_id, new.id, actor, 'task.moved',
                jsonb_build_object('from', old.status, 'to', new.status));
    end if;
    return null;
end;
$$;

create trigger tasks_record_activity
    after insert or update of status on tasks
    for each row execute function record_task_activity();
