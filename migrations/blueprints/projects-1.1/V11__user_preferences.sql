-- What people choose for themselves moves out of users, which every query joins. Until no application reads it there, both
-- places say the same: whichever an application writes, a trigger writes the other.

create table user_preferences (
    user_id        bigint not null,
    time_zone      text not null default 'UTC',
    locale         text not null default 'en',
    week_starts_on smallint not null default 1,
    updated_at     timestamptz not null default now(),
    constraint user_preferences_pkey primary key (user_id),
    constraint user_preferences_week_range check (week_starts_on between 1 and 7),
    constraint user_preferences_user_fkey foreign key (user_id) references users (id) on delete cascade
);

comment on column user_preferences.week_starts_on is 'as in ISO 8601: 1 = Monday, 7 = Sunday';

create function copy_to_user_preferences() returns trigger
    language plpgsql
as $$
begin
    insert into user_preferences as own (user_id, time_zone, locale)
    values (new.id, new.time_zone, new.locale)
    on conflict (user_id) do update
        set time_zone = excluded.time_zone, locale = excluded.locale
      where (own.time_zone, own.locale) is distinct from (excluded.time_zone, excluded.locale);
    return null;
end;
$$;

create function copy_from_user_preferences() returns trigger
    language plpgsql
as $$
begin
    -- What is the same already is not written again, so that the two triggers end.
    update users
       set time_zone = new.time_zone, locale = new.locale
     where id = new.user_id
       and (time_zone, locale) is distinct from (new.time_zone, new.locale);
    return null;
end;
$$;

-- Before the rows are copied, so that none is missed.
create trigger users_copy_preferences
    after insert or update of time_zone, locale on users
    for each row execute function copy_to_user_preferences();

insert into user_preferences (user_id, time_zone, locale)
select id, time_zone, locale
  from users;

create trigger user_preferences_copy_back
    after insert or update of time_zone, locale on user_preferences
    for each row execute function copy_from_user_preferences();

create trigger user_preferences_set_updated_at
    before update on user_preferences
    for each row execute function set_updated_at();
