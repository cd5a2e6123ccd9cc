-- The second version's application reads and writes user_preferences alone: what kept users in step goes, and then the columns.

drop trigger users_copy_preferences on users;
drop trigger user_preferences_copy_back on user_preferences;
drop function copy_to_user_preferences();
drop function copy_from_user_preferences();

alter table users
    drop column time_zone,
    drop column locale;
