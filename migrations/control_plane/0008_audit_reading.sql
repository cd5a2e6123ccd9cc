-- What searches of the trail need. Each index is paid for at every append: these are the ones without which a filtered page
-- would have to read the whole trail.

alter table control.audit_event add column actor_uid bigint
    generated always as ((control.audit_json(payload) ->> 'actor_uid')::bigint) stored;
create index audit_event_by_action on control.audit_event (action, seq);
create index audit_event_by_actor on control.audit_event (actor_uid, seq);
-- What went wrong is looked for most, and is the rarest.
create index audit_event_by_bad_outcome on control.audit_event (outcome, seq) where outcome in ('failed', 'denied');
-- By bytes: a name is found by what its value begins with.
create index audit_detail_by_actor on control.audit_detail ((value collate "C"), seq) where field = 'actor';
