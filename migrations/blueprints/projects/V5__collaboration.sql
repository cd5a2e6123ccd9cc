-- What people say about tasks, and the files they attach.

create table comments (
    id         bigint generated always as identity,
    task_id    bigint not null,
    author_id  bigint,
    reply_to   bigint,
    body       text not null,
    edited_at  timestamptz,
    created_at timestamptz not null default now(),
    constraint comments_pkey primary key (id),
    constraint comments_body_length check (length(body) between 1 and 20000),
    constraint comments_task_fkey foreign key (task_id) references tasks (id) on delete cascade,
    -- A discussion stays readable after one of its people has left.
    constraint comments_author_fkey foreign key (author_id) references users (id) on delete set null,
    constraint comments_reply_to_fkey foreign key (reply_to) references comments (id) on delete set null
);

create index comments_task_idx on comments (task_id, created_at);
create index comments_author_idx on comments (author_id);
create index comments_reply_to_idx on comments (reply_to);

-- The content lives in object storage; the key is random, so that nobody guesses another file's.
create table files (
    id          uuid not null default gen_random_uuid(),
    project_id  bigint not null,
    task_id     bigint,
    uploaded_by bigint,
    name        text not null,
    media_type  text not null default 'application/octet-stream',
    size_bytes  bigint not null,
    sha256      bytea not null,
    created_at  timestamptz not null default now(),
    constraint files_pkey primary key (id),
    constraint files_name_length check (length(name) between 1 and 255),
    constraint files_size_range check (size_bytes between 0 and 5368709120),
    constraint files_sha256_length check (octet_length(sha256) = 32),
    constraint files_project_fkey foreign key (project_id) references projects (id) on delete cascade,
    constraint files_task_fkey foreign key (project_id, task_id)
        references tasks (project_id, id) on delete set null (task_id),
    constraint files_uploaded_by_fkey foreign key (uploaded_by) references users (id) on delete set null
);

create index files_task_idx on files (project_id, task_id);
create index files_uploaded_by_idx on files (uploaded_by);

comment on column files.size_bytes is 'at most 5 GiB, which is what one upload to the object storage may have';

-- Who wants to hear of a task. Whoever is in charge of it, reports it or writes about it is added by itself.
create table task_watchers (
    task_id  bigint not null,
    user_id  bigint not null,
    added_at timestamptz not null default now(),
    constraint task_watchers_pkey primary key (task_id, user_id),
    constraint task_watchers_task_fkey foreign key (task_id) references tasks (id) on delete cascade,
    constraint task_watchers_user_fkey foreign key (user_id) references users (id) on delete cascade
);

create index task_watchers_user_idx on task_watchers (user_id);

create function watch_own_task() returns trigger
    language plpgsql
as $$
begin
    insert into task_watchers (task_id, user_id)
    select new.id, person
      from unnest(array[new.assignee_id, new.reporter_id]) as person
     where person is not null
    on conflict do nothing;
    return null;
end;
$$;

-- Triggers fire in the order of their names: this one comes before the one that records, and so tells, what happened.
create trigger tasks_add_watchers
    after insert or update of assignee_id, reporter_id on tasks
    for each row execute function watch_own_task();

create function watch_commented_task() returns trigger
    language plpgsql
as $$
begin
    insert into task_watchers (task_id, user_id)
    values (new.task_id, new.author_id)
    on conflict do nothing;
    return null;
end;
$$;

create trigger comments_add_watcher
    after insert on comments
    for each row when (new.author_id is not null)
    execute function watch_commented_task();
