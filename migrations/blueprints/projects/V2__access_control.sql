-- What people may do: permissions are fixed by the application, roles bundle them and can be changed by a customer.

create table permissions (
    code        text not null,
    description text not null,
    constraint permissions_pkey primary key (code),
    constraint permissions_code_shape check (code ~ '^[a-z_]+\.[a-z_]+$')
);

create table roles (
    id          bigint generated always as identity,
    name        text not null,
    description text not null default '',
    is_built_in boolean not null default false,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    constraint roles_pkey primary key (id),
    constraint roles_name_key unique (name),
    constraint roles_name_length check (length(name) between 1 and 60)
);

comment on column roles.is_built_in is 'the application relies on these roles, so it offers no way to delete them';

create table role_permissions (
    role_id         bigint not null,
    permission_code text not null,
    constraint role_permissions_pkey primary key (role_id, permission_code),
    constraint role_permissions_role_fkey foreign key (role_id) references roles (id) on delete cascade,
    constraint role_permissions_permission_fkey
        foreign key (permission_code) references permissions (code) on update cascade on delete cascade
);

create index role_permissions_permission_idx on role_permissions (permission_code);

create table role_assignments (
    user_id     bigint not null,
    role_id     bigint not null,
    assigned_by bigint,
    assigned_at timestamptz not null default now(),
    constraint role_assignments_pkey primary key (user_id, role_id),
    constraint role_assignments_user_fkey foreign key (user_id) references users (id) on delete cascade,
    -- A role that somebody still has must be taken from them first.
    constraint role_assignments_role_fkey foreign key (role_id) references roles (id) on delete restrict,
    constraint role_assignments_assigned_by_fkey foreign key (assigned_by) references users (id) on delete set null
);

create index role_assignments_role_idx on role_assignments (role_id);
create index role_assignments_assigned_by_idx on role_assignments (assigned_by);

-- Somebody who is asked in, until they accept. Only a digest of the link's token is kept: reading this table opens no door.
create table invitations (
    id           bigint generated always as identity,
    email        text not null,
    role_id      bigint not null,
    team_id      bigint,
    invited_by   bigint,
    token_sha256 bytea not null,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz not null default now() + interval '14 days',
    accepted_at  timestamptz,
    constraint invitations_pkey primary key (id),
    constraint invitations_token_key unique (token_sha256),
    constraint invitations_email_shape check (email like '%_@_%' and length(email) <= 254),
    constraint invitations_token_length check (octet_length(token_sha256) = 32),
    constraint invitations_dates_in_order check (expires_at > created_at),
    constraint invitations_role_fkey foreign key (role_id) references roles (id) on delete cascade,
    constraint invitations_team_fkey foreign key (team_id) references teams (id) on delete set null,
    constraint invitations_invited_by_fkey foreign key (invited_by) references users (id) on delete set null
);

-- One open invitation for each address; those that were accepted stay as a record.
create unique index invitations_open_key on invitations (lower(email)) where accepted_at is null;
create index invitations_role_idx on invitations (role_id);
create index invitations_team_idx on invitations (team_id);
create index invitations_invited_by_idx on invitations (invited_by);

create trigger roles_set_updated_at
    before update on roles
    for each row execute function set_updated_at();

insert into permissions (code, description) values
    ('workspace.manage', 'Change the workspace, its people and its roles'),
    ('project.create',   'Create projects'),
    ('project.manage',   'Change and archive projects, their members and milestones'),
    ('task.write',       'Create and change tasks'),
    ('task.delete',      'Delete tasks'),
    ('comment.write',    'Write comments and attach files'),
    ('time.log',         'Log one''s own time'),
    ('time.review',      'See and approve everyone''s time'),
    ('report.read',      'Read reports');

insert into roles (name, description, is_built_in) values
    ('administrator', 'May do everything', true),
    ('manager',       'Runs projects and reviews time', true),
    ('member',        'Works on tasks', true),
    ('guest',         'Reads and comments', true);

-- The administrator gets whatever exists, so that a permission added here is not forgotten there.
insert into role_permissions (role_id, permission_code)
select r.id, p.code
  from roles r
  cross join permissions p
 where r.name = 'administrator'
    or (r.name = 'manager' and p.code <> 'workspace.manage')
    or (r.name = 'member' and p.code in ('task.write', 'comment.write', 'time.log', 'report.read'))
    or (r.name = 'guest' and p.code in ('comment.write', 'report.read'));
