-- The views behind the boards and lists of the application. Repeatable, so a view is changed here and not in a chain
-- of replacements. security_invoker: whoever reads one needs the rights on the tables below it, and gets none from
-- the owner.

create or replace view open_tasks
    with (security_invoker = true)
as
select t.id,
       t.project_id,
       t.milestone_id,
       t.assignee_id,
       p.key || '-' || t.number as reference,
       t.title,
       t.status,
       t.priority,
       t.estimate_minutes,
       t.due_on,
       coalesce(t.due_on < current_date, false) as is_overdue,
       p.name as project,
       m.name as milestone,
       u.display_name as assignee,
       exists (
           select
             from task_dependencies d
             join tasks before on before.id = d.depends_on_id
            where d.task_id = t.id
              and before.status not in ('done', 'cancelled')
       ) as is_blocked,
       -- New columns come last: the views that are there keep the order of theirs.
       array(
           select l.slug
             from task_labels tl
             join labels l on l.id = tl.label_id
            where tl.task_id = t.id
            order by l.slug
       ) as labels
  from tasks t
  join projects p on p.id = t.project_id
  left join milestones m on m.id = t.milestone_id
  left join users u on u.id = t.assignee_id
 where t.status not in ('done', 'cancelled')
   and p.archived_at is null;

create or replace view project_progress
    with (security_invoker = true)
as
select p.id,
       p.key,
       p.name,
       p.due_on,
       -- Counted apart from each other: joined together, every task would count once for each of its time entries.
       coalesce(t.total, 0) as tasks,
       coalesce(t.done, 0) as tasks_done,
       round(100.0 * t.done / nullif(t.total, 0), 1) as percent_done,
       coalesce(t.estimated, 0) as minutes_estimated,
       coalesce(e.logged, 0) as minutes_logged
  from projects p
  left join lateral (
           select count(*) as total,
                  count(*) filter (where status = 'done') as done,
                  sum(estimate_minutes) as estimated
             from tasks
            where project_id = p.id
              and status <> 'cancelled'
       ) t on true
  left join lateral (
           select sum(entry.minutes) as logged
             from time_entries entry
             join tasks task on task.id = entry.task_id
            where task.project_id = p.id
       ) e on true
 where p.archived_at is null;
