-- People and the teams they work in.
-- Names are unqualified throughout: the search path decides in which tenant's schema everything lands.

-- One function serves every table that has updated_at, so that no writer can forget it.
create function set_updated_at() returns trigger
    language plpgsql
as $$
begin
    new.updated_at := now();
    return new;
end;
$$;

create table users (
    id            bigint generated always as identity,
    email         text not null,
    display_name  text not null,
    time_zone     text not null default 'UTC',
    locale        text not null default 'en',
    password_hash text,
    is_active     boolean not null default true,
    last_seen_at  timestamptz,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    constraint users_pkey primary key (id),
    -- A full check of an address is the mail server's business; this only catches a name in the wrong field.
    constraint users_email_shape check (email like '%_@_%' and length(email) <= 254),
    constraint users_display_name_length check (length(display_name) between 1 and 120)
);

-- People type their address in any case, and must still not get a second account.
create unique index users_email_key on users (lower(email));

comment on column users.password_hash is 'empty for people who sign in through the identity provider';

create table teams (
    id          bigint generated always as identity,
    slug        text not null,
    name        text not null,
    description text not null default '',
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    constraint teams_pkey primary key (id),
    constraint teams_slug_key unique (slug),
    constraint teams_slug_shape check (slug ~ '^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$'),
    constraint teams_name_length check (length(name) between 1 and 120)
);

create table team_memberships (
    team_id   bigint not null,
    user_id   bigint not null,
    is_lead   boolean not null default false,
    joined_at timestamptz not null default now(),
    constraint team_memberships_pkey primary key (team_id, user_id),
    constraint team_memberships_team_fkey foreign key (team_id) references teams (id) on delete cascade,
    constraint team_memberships_user_fkey foreign key (user_id) references users (id) on delete cascade
);

-- The primary key serves "who is in this team"; this one serves "which teams is this person in".
create index team_memberships_user_idx on team_memberships (user_id);

create trigger users_set_updated_at
    before update on users
    for each row execute function set_updated_at();

create trigger teams_set_updated_at
    before update on teams
    for each row execute function set_updated_at();
