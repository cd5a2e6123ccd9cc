-- What happened: who changed what, from which values to which. The feed of a project and the history of a task.

create table activity (
    id          bigint generated always as identity,
    project_id  bigint not null,
    task_id     bigint,
    actor_id    bigint,
    action      text not null,
    -- As text, since files are known by a UUID and everything else by a number.
    subject_id  text not null,
    old_values  jsonb,
    new_values  jsonb,
    happened_at timestamptz not null default clock_timestamp(),
    constraint activity_pkey primary key (id),
    constraint activity_action_shape check (action ~ '^[a-z_]+\.(created|changed|deleted)$'),
    constraint activity_values_are_objects
        check (jsonb_typeof(old_values) = 'object' and jsonb_typeof(new_values) = 'object'),
    constraint activity_values_fit_action check (
        (old_values is not null or action like '%.created') and (new_values is not null or action like '%.deleted')
    ),
    constraint activity_project_fkey foreign key (project_id) references projects (id) on delete cascade,
    constraint activity_task_fkey foreign key (project_id, task_id)
        references tasks (project_id, id) on delete set null (task_id),
    constraint activity_actor_fkey foreign key (actor_id) references users (id) on delete set null
);

comment on column activity.old_values is 'only what changed; the whole row, without empty columns, where it was deleted';
comment on column activity.new_values is 'only what changed; the whole row, without empty columns, where it was created';

create index activity_feed_idx on activity (project_id, happened_at desc);
create index activity_task_idx on activity (project_id, task_id);
create index activity_actor_idx on activity (actor_id);

-- The application names the person for each transaction: select set_config('app.user_id', '7', true).
create function acting_user() returns bigint
    language sql
    stable
return nullif(current_setting('app.user_id', true), '')::bigint;

-- Recorded here and not in the application, so that an import or a script leaves a trace too.
-- Its argument is what a row of the table is called in the feed.
create function record_change() returns trigger
    language plpgsql
as $$
declare
    subject  constant text := tg_argv[0];
    before   jsonb;
    after    jsonb;
    changed  jsonb;
    project  bigint;
    task     bigint;
    verb     text;
begin
    if tg_op <> 'INSERT' then
        before := to_jsonb(old);
    end if;
    if tg_op <> 'DELETE' then
        after := to_jsonb(new);
    end if;
    changed := coalesce(after, before);
    task := case subject when 'project' then null when 'task' then changed ->> 'id' else changed ->> 'task_id' end;
    select id into project
      from projects
     where id = case subject
                    when 'project' then (changed ->> 'id')::bigint
                    else coalesce((changed ->> 'project_id')::bigint, (select project_id from tasks where id = task))
                end;
    if project is null then
        -- It goes together with its task or project, whose own entry says so, or goes too.
        return null;
    end if;
    select id into task from tasks where id = task;

    if tg_op = 'UPDATE' then
        verb := '.changed';
        select jsonb_object_agg(entry.key, before -> entry.key), jsonb_object_agg(entry.key, entry.value)
          into before, after
          from jsonb_each(after) as entry
         where entry.value is distinct from before -> entry.key
           and entry.key <> 'updated_at';
        if after is null then
            return null;
        end if;
    else
        verb := case tg_op when 'INSERT' then '.created' else '.deleted' end;
        before := jsonb_strip_nulls(before);
        after := jsonb_strip_nulls(after);
    end if;

    insert into activity (project_id, task_id, actor_id, action, subject_id, old_values, new_values)
    values (project, task, acting_user(), subject || verb, changed ->> 'id', before, after);
    return null;
end;
$$;

create trigger projects_record_change
    after insert or update or delete on projects
    for each row execute function record_change('project');

create trigger milestones_record_change
    after insert or update or delete on milestones
    for each row execute function record_change('milestone');

create trigger tasks_record_change
    after insert or update or delete on tasks
    for each row execute function record_change('task');

create trigger comments_record_change
    after insert or update or delete on comments
    for each row execute function record_change('comment');

create trigger files_record_change
    after insert or update or delete on files
    for each row execute function record_change('file');
