-- Projects, who works on them, and the milestones they are measured by.

create table projects (
    id          bigint generated always as identity,
    key         text not null,
    name        text not null,
    description text not null default '',
    status      text not null default 'active',
    team_id     bigint,
    owner_id    bigint,
    starts_on   date,
    due_on      date,
    archived_at timestamptz,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    constraint projects_pkey primary key (id),
    constraint projects_key_key unique (key),
    -- The key is the first half of a task's name: WEB-42.
    constraint projects_key_shape check (key ~ '^[A-Z][A-Z0-9]{1,9}$'),
    constraint projects_name_length check (length(name) between 1 and 160),
    constraint projects_status_known check (status in ('planned', 'active', 'on_hold', 'completed')),
    constraint projects_dates_in_order check (due_on >= starts_on),
    -- A project outlives the team and the person in charge of it.
    constraint projects_team_fkey foreign key (team_id) references teams (id) on delete set null,
    constraint projects_owner_fkey foreign key (owner_id) references users (id) on delete set null
);

create index projects_team_idx on projects (team_id);
create index projects_owner_idx on projects (owner_id);
-- The list everybody opens first shows only what is not archived.
create index projects_open_idx on projects (status, due_on) where archived_at is null;

create table project_members (
    project_id bigint not null,
    user_id    bigint not null,
    access     text not null default 'contributor',
    added_at   timestamptz not null default now(),
    constraint project_members_pkey primary key (project_id, user_id),
    constraint project_members_access_known check (access in ('lead', 'contributor', 'viewer')),
    constraint project_members_project_fkey foreign key (project_id) references projects (id) on delete cascade,
    constraint project_members_user_fkey foreign key (user_id) references users (id) on delete cascade
);

create index project_members_user_idx on project_members (user_id);

create table milestones (
    id         bigint generated always as identity,
    project_id bigint not null,
    name       text not null,
    due_on     date,
    reached_at timestamptz,
    position   integer not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint milestones_pkey primary key (id),
    -- Lets a task refer to its milestone together with the project, so that the two cannot disagree.
    constraint milestones_project_id_key unique (project_id, id),
    constraint milestones_name_key unique (project_id, name),
    constraint milestones_name_length check (length(name) between 1 and 160),
    constraint milestones_project_fkey foreign key (project_id) references projects (id) on delete cascade
);

create trigger projects_set_updated_at
    before update on projects
    for each row execute function set_updated_at();

create trigger milestones_set_updated_at
    before update on milestones
    for each row execute function set_updated_at();
