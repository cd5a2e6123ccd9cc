-- Validated without a lock that anybody waits for; then the column needs no look at its rows.

alter table labels validate constraint labels_slug_required;
alter table labels alter column slug set not null;
alter table labels drop constraint labels_slug_required;
