-- An upgrade is rehearsed before its first tenant is touched.

alter table control.upgrade drop constraint upgrade_state_known;
alter table control.upgrade add constraint upgrade_state_known
    check (state in ('rehearsing', 'running', 'paused', 'succeeded', 'partial', 'cancelled'));
alter table control.upgrade drop constraint upgrade_paused_by_known;
alter table control.upgrade add constraint upgrade_paused_by_known
    check (paused_by in ('operator', 'rehearsal', 'pilot', 'wave', 'failures', 'target'));
alter table control.upgrade drop constraint upgrade_ended_whole;
alter table control.upgrade add constraint upgrade_ended_whole
    check ((ended_at is null) = (state in ('rehearsing', 'running', 'paused')));
drop index control.upgrade_one_open;
create unique index upgrade_one_open on control.upgrade (blueprint) where state in ('rehearsing', 'running', 'paused');
