-- The history of one file or milestone. The feed is the largest table of all: the index is built beside those who write it.
create index concurrently activity_subject_idx on activity (subject_id, action);
