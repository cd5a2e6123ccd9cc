-- What each person has yet to read of what happened.

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

-- Everyone who watches the task hears of it, except the one who did it.
create function notify_watchers() returns trigger
    language plpgsql
as $$
begin
    insert into notifications (user_id, activity_id)
    select watcher.user_id, new.id
      from task_watchers watcher
     where watcher.task_id = new.task_id
       and watcher.user_id is distinct from new.actor_id;
    return null;
end;
$$;

create trigger activity_notify_watchers
    after insert on activity
    for each row when (new.task_id is not null)
    execute function notify_watchers();
