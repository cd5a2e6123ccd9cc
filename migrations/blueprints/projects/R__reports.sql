-- The reports. They build on the views of the board, which comes first: repeatable migrations run by name.

-- How much of each milestone is left at the end of each day (UTC), from its first task until it was reached or today.
-- Cancelled tasks count for no day, as if they had never been planned.
create or replace view milestone_burndown
    with (security_invoker = true)
as
with scope as (
    select milestone_id,
           (created_at at time zone 'UTC')::date as added_on,
           (completed_at at time zone 'UTC')::date as done_on,
           coalesce(estimate_minutes, 0) as minutes
      from tasks
     where milestone_id is not null
       and status <> 'cancelled'
),
span as (
    select m.id,
           m.project_id,
           m.name,
           m.due_on,
           min(s.added_on) as first_day,
           greatest(
               coalesce((m.reached_at at time zone 'UTC')::date, (now() at time zone 'UTC')::date),
               max(s.added_on),
               max(s.done_on)
           ) as last_day,
           count(*) as tasks
      from milestones m
      join scope s on s.milestone_id = m.id
     group by m.id
)
select span.id as milestone_id,
       span.project_id,
       span.name as milestone,
       day.on_day,
       left_over.tasks_planned,
       left_over.tasks_left,
       left_over.minutes_left,
       -- A straight line from everything on the first day to nothing on the day it is due.
       case
           when span.due_on > span.first_day then
               round(span.tasks * greatest(span.due_on - day.on_day, 0)::numeric / (span.due_on - span.first_day), 1)
       end as tasks_left_ideally
  from span
 cross join lateral (
           select span.first_day + offset_days as on_day
             from generate_series(0, span.last_day - span.first_day) as offset_days
       ) day
 cross join lateral (
           select count(*) filter (where s.added_on <= day.on_day) as tasks_planned,
                  count(*) filter (where s.added_on <= day.on_day and (s.done_on > day.on_day) is not false) as tasks_left,
                  coalesce(sum(s.minutes) filter (
                      where s.added_on <= day.on_day and (s.done_on > day.on_day) is not false
                  ), 0) as minutes_left
             from scope s
            where s.milestone_id = span.id
       ) left_over;

-- What everybody who is here, or still has something to do, has before them.
create or replace view user_workload
    with (security_invoker = true)
as
select u.id as user_id,
       u.display_name,
       work.open_tasks,
       work.overdue_tasks,
       work.blocked_tasks,
       work.due_within_a_week,
       work.minutes_estimated,
       work.minutes_left
  from users u
 cross join lateral (
           select count(*) as open_tasks,
                  count(*) filter (where t.is_overdue) as overdue_tasks,
                  count(*) filter (where t.is_blocked) as blocked_tasks,
                  count(*) filter (where t.due_on between current_date and current_date + 6) as due_within_a_week,
                  coalesce(sum(t.estimate_minutes), 0) as minutes_estimated,
                  -- A task that took longer than estimated is no relief for the others.
                  coalesce(sum(greatest(t.estimate_minutes - spent.minutes, 0)), 0) as minutes_left
             from open_tasks t
            cross join lateral (
                      select coalesce(sum(e.minutes), 0) as minutes
                        from time_entries e
                       where e.task_id = t.id
                  ) spent
            where t.assignee_id = u.id
       ) work
 where u.is_active
    or work.open_tasks > 0;

create or replace view overdue_tasks
    with (security_invoker = true)
as
select id,
       project_id,
       reference,
       title,
       project,
       milestone,
       assignee,
       priority,
       due_on,
       current_date - due_on as days_late,
       is_blocked
  from open_tasks
 where is_overdue;

-- Weeks begin on Monday, as in ISO 8601.
create or replace view time_by_project_and_week
    with (security_invoker = true)
as
select p.id as project_id,
       p.key,
       p.name as project,
       date_trunc('week', e.worked_on::timestamp)::date as week,
       count(distinct e.user_id) as people,
       sum(e.minutes) as minutes,
       coalesce(sum(e.minutes) filter (where e.is_billable), 0) as minutes_billable,
       coalesce(sum(e.minutes) filter (where e.approved_at is not null), 0) as minutes_approved
  from time_entries e
  join tasks t on t.id = e.task_id
  join projects p on p.id = t.project_id
 group by p.id, date_trunc('week', e.worked_on::timestamp);
