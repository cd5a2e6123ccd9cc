-- Tasks, what they wait for, and the labels they carry.

create table tasks (
    id               bigint generated always as identity,
    project_id       bigint not null,
    number           integer not null,
    milestone_id     bigint,
    parent_id        bigint,
    title            text not null,
    description      text not null default '',
    status           text not null default 'open',
    priority         smallint not null default 2,
    assignee_id      bigint,
    reporter_id      bigint,
    estimate_minutes integer,
    due_on           date,
    completed_at     timestamptz,
    created_at       timestamptz not null default now(),
    updated_at       timestamptz not null default now(),
    constraint tasks_pkey primary key (id),
    constraint tasks_project_id_key unique (project_id, id),
    constraint tasks_number_key unique (project_id, number),
    constraint tasks_title_length check (length(title) between 1 and 300),
    constraint tasks_status_known check (status in ('open', 'in_progress', 'in_review', 'done', 'cancelled')),
    constraint tasks_priority_range check (priority between 0 and 4),
    constraint tasks_estimate_positive check (estimate_minutes > 0),
    constraint tasks_completed_when_done check ((completed_at is not null) = (status = 'done')),
    constraint tasks_not_own_parent check (parent_id <> id),
    constraint tasks_project_fkey foreign key (project_id) references projects (id) on delete cascade,
    -- Only the milestone is cleared when it goes; the project stays.
    constraint tasks_milestone_fkey foreign key (project_id, milestone_id)
        references milestones (project_id, id) on delete set null (milestone_id),
    constraint tasks_parent_fkey foreign key (project_id, parent_id)
        references tasks (project_id, id) on delete cascade,
    constraint tasks_assignee_fkey foreign key (assignee_id) references users (id) on delete set null,
    constraint tasks_reporter_fkey foreign key (reporter_id) references users (id) on delete set null
);

comment on column tasks.number is 'counts within the project, given by a trigger; people know the task as KEY-number';
comment on column tasks.priority is '0 = someday, 1 = low, 2 = normal, 3 = high, 4 = urgent';

create index tasks_milestone_idx on tasks (project_id, milestone_id);
create index tasks_parent_idx on tasks (project_id, parent_id);
create index tasks_reporter_idx on tasks (reporter_id);
-- "My work" asks for what is still to be done, so finished tasks need not be in this index.
create index tasks_assignee_open_idx on tasks (assignee_id, due_on) where status not in ('done', 'cancelled');
create index tasks_assignee_idx on tasks (assignee_id);

-- The counter stands in a table of its own: taking a number must not lock, or touch, the project's row.
create table task_counters (
    project_id  bigint not null,
    last_number integer not null,
    constraint task_counters_pkey primary key (project_id),
    constraint task_counters_project_fkey foreign key (project_id) references projects (id) on delete cascade
);

create function give_task_number() returns trigger
    language plpgsql
as $$
begin
    insert into task_counters as counter (project_id, last_number)
    values (new.project_id, 1)
    on conflict (project_id) do update set last_number = counter.last_number + 1
    returning last_number into new.number;
    return new;
end;
$$;

create trigger tasks_give_number
    before insert on tasks
    for each row execute function give_task_number();

-- The status decides; whoever sets it need not remember the date.
create function set_completed_at() returns trigger
    language plpgsql
as $$
begin
    if new.status = 'done' then
        new.completed_at := coalesce(new.completed_at, now());
    else
        new.completed_at := null;
    end if;
    return new;
end;
$$;

create trigger tasks_set_completed_at
    before insert or update of status, completed_at on tasks
    for each row execute function set_completed_at();

create trigger tasks_set_updated_at
    before update on tasks
    for each row execute function set_updated_at();

-- What must be done before a task can begin, within one project.
create table task_dependencies (
    project_id    bigint not null,
    task_id       bigint not null,
    depends_on_id bigint not null,
    created_at    timestamptz not null default now(),
    constraint task_dependencies_pkey primary key (task_id, depends_on_id),
    constraint task_dependencies_not_itself check (task_id <> depends_on_id),
    constraint task_dependencies_task_fkey foreign key (project_id, task_id)
        references tasks (project_id, id) on delete cascade,
    constraint task_dependencies_depends_on_fkey foreign key (project_id, depends_on_id)
        references tasks (project_id, id) on delete cascade
);

create index task_dependencies_task_idx on task_dependencies (project_id, task_id);
create index task_dependencies_depends_on_idx on task_dependencies (project_id, depends_on_id);

-- A circle would leave all of its tasks waiting for ever, and no check constraint can see more than one row.
create function refuse_dependency_cycle() returns trigger
    language plpgsql
as $$
begin
    -- One change of a project's dependencies at a time: two that are harmless alone could close a circle together.
    perform from task_counters where project_id = new.project_id for update;
    if exists (
        with recursive before (id) as (
            select new.depends_on_id
            union
            select d.depends_on_id
              from task_dependencies d
              join before on before.id = d.task_id
        )
        select from before where id = new.task_id
    ) then
        raise exception 'task % already has to wait for task %, directly or through others', new.depends_on_id, new.task_id
            using errcode = 'check_violation',
                  constraint = 'task_dependencies_no_cycle',
                  table = 'task_dependencies';
    end if;
    return new;
end;
$$;

create trigger task_dependencies_refuse_cycle
    before insert or update on task_dependencies
    for each row when (new.task_id <> new.depends_on_id)
    execute function refuse_dependency_cycle();

create table labels (
    id         bigint generated always as identity,
    name       text not null,
    colour     text not null default '#8a8f98',
    created_at timestamptz not null default now(),
    constraint labels_pkey primary key (id),
    constraint labels_name_length check (length(name) between 1 and 60),
    constraint labels_colour_shape check (colour ~ '^#[0-9a-f]{6}$')
);

create unique index labels_name_key on labels (lower(name));

create table task_labels (
    task_id  bigint not null,
    label_id bigint not null,
    constraint task_labels_pkey primary key (task_id, label_id),
    constraint task_labels_task_fkey foreign key (task_id) references tasks (id) on delete cascade,
    constraint task_labels_label_fkey foreign key (label_id) references labels (id) on delete cascade
);

create index task_labels_label_idx on task_labels (label_id);
