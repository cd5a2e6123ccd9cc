-- A small agency at work, for demonstrations. Rows find each other by their names, never by number: identities
-- are given by the database and may start anywhere. Days count from today, so that something is always overdue.

insert into users (email, display_name) values
    ('maren.vogt@example.com',    'Maren Vogt'),
    ('tomas.herrera@example.com', 'Tomás Herrera'),
    ('aiko.tanaka@example.com',   'Aiko Tanaka'),
    ('samuel.okoro@example.com',  'Samuel Okoro'),
    ('lena.fischer@example.com',  'Lena Fischer'),
    ('joan.obrien@example.com',   'Joan O''Brien');

insert into user_preferences (user_id, time_zone, locale)
select u.id, v.time_zone, v.locale
  from (values
           ('maren.vogt@example.com',    'Europe/Berlin', 'de'),
           ('tomas.herrera@example.com', 'Europe/Madrid', 'es'),
           ('aiko.tanaka@example.com',   'Asia/Tokyo',    'ja'),
           ('samuel.okoro@example.com',  'Africa/Lagos',  'en'),
           ('lena.fischer@example.com',  'Europe/Zurich', 'de'),
           ('joan.obrien@example.com',   'Europe/Dublin', 'en')
       ) as v (email, time_zone, locale)
  join users u on u.email = v.email;

insert into teams (slug, name, description) values
    ('web',    'Web',    'Sites and shops for customers'),
    ('mobile', 'Mobile', 'Apps for phones and tablets');

insert into team_memberships (team_id, user_id, is_lead)
select t.id, u.id, v.is_lead
  from (values
           ('web',    'maren.vogt@example.com',    true),
           ('web',    'tomas.herrera@example.com', false),
           ('web',    'lena.fischer@example.com',  false),
           ('mobile', 'aiko.tanaka@example.com',   true),
           ('mobile', 'samuel.okoro@example.com',  false)
       ) as v (team, email, is_lead)
  join teams t on t.slug = v.team
  join users u on u.email = v.email;

insert into role_assignments (user_id, role_id, assigned_by)
select u.id, r.id, boss.id
  from (values
           ('maren.vogt@example.com',    'administrator'),
           ('aiko.tanaka@example.com',   'manager'),
           ('tomas.herrera@example.com', 'member'),
           ('samuel.okoro@example.com',  'member'),
           ('lena.fischer@example.com',  'member'),
           ('joan.obrien@example.com',   'guest')
       ) as v (email, role)
  join users u on u.email = v.email
  join roles r on r.name = v.role
  join users boss on boss.email = 'maren.vogt@example.com';

insert into invitations (email, role_id, team_id, invited_by, token_sha256)
select 'new.designer@example.com', r.id, t.id, u.id, sha256('only-for-demonstrations')
  from roles r
  join teams t on t.slug = 'web'
  join users u on u.email = 'maren.vogt@example.com'
 where r.name = 'member';

-- Before the projects, so that what happens in them is on its way to be told.
insert into integrations (kind, name, settings, created_by)
select v.kind, v.name, v.settings::jsonb, u.id
  from (values
           ('chat',         'Team chat',    '{"channel": "#projects"}'),
           ('code_hosting', 'Code hosting', '{"organisation": "example-agency"}')
       ) as v (kind, name, settings)
  join users u on u.email = 'maren.vogt@example.com';

insert into webhooks (integration_id, url, actions)
select i.id, v.url, v.actions
  from (values
           ('Team chat',    'https://chat.example.com/hooks/projects', array['comment.created', 'milestone.changed']),
           ('Code hosting', 'https://code.example.com/hooks/tasks',    array['task.created', 'task.changed'])
       ) as v (integration, url, actions)
  join integrations i on i.name = v.integration;

insert into projects (key, name, description, status, team_id, owner_id, starts_on, due_on)
select v.key, v.name, v.description, v.status, t.id, u.id, current_date + v.starts_in, current_date + v.due_in
  from (values
           ('SHOP', 'Web shop relaunch', 'New shop for a bicycle maker, with stock from their ERP.',
            'active', 'web', 'maren.vogt@example.com', -45, 60),
           ('RIDE', 'Rider app', 'Tours, service dates and warranty on the phone.',
            'active', 'mobile', 'aiko.tanaka@example.com', -20, 120),
           ('SITE', 'Our own site', 'Case studies and jobs; done whenever there is time.',
            'on_hold', 'web', 'lena.fischer@example.com', -200, 200)
       ) as v (key, name, description, status, team, owner, starts_in, due_in)
  join teams t on t.slug = v.team
  join users u on u.email = v.owner;

insert into project_members (project_id, user_id, access)
select p.id, m.user_id, case when m.is_lead then 'lead' else 'contributor' end
  from projects p
  join team_memberships m on m.team_id = p.team_id;

insert into project_members (project_id, user_id, access)
select p.id, u.id, 'viewer'
  from projects p
  join users u on u.email = 'joan.obrien@example.com'
 where p.key = 'SHOP';

insert into milestones (project_id, name, due_on, reached_at, position)
select p.id, v.name, current_date + v.due_in, case when v.due_in < 0 then now() + make_interval(days => v.due_in) end,
       v.position
  from (values
           ('SHOP', 'Design approved', -20, 1),
           ('SHOP', 'Catalogue live',   14, 2),
           ('SHOP', 'Checkout live',    45, 3),
           ('RIDE', 'Clickable draft',   7, 1),
           ('RIDE', 'Closed beta',      70, 2)
       ) as v (key, name, due_in, position)
  join projects p on p.key = v.key;

-- Days from today: when it was written down, when it was done, when it is due.
insert into tasks (project_id, milestone_id, title, status, priority, assignee_id, reporter_id, estimate_minutes,
                   created_at, completed_at, due_on)
select p.id, m.id, v.title, v.status, v.priority, a.id, p.owner_id, v.minutes,
       (current_date + v.made_in + time '09:30') at time zone 'UTC',
       (current_date + v.done_in + time '15:00') at time zone 'UTC',
       current_date + v.due_in
  from (values
           ( 1, 'SHOP', 'Design approved', 'Draw the product page for phones',     'done',        2, 'lena.fischer@example.com',  960, -44, -26, -24),
           ( 2, 'SHOP', 'Design approved', 'Agree on colours and type',            'done',        2, 'lena.fischer@example.com',  480, -44, -31, -30),
           ( 3, 'SHOP', 'Design approved', 'Try the draft with five customers',    'done',        3, 'maren.vogt@example.com',    600, -38, -22, -22),
           ( 4, 'SHOP', 'Catalogue live',  'Import 2,400 articles from the ERP',   'in_progress', 3, 'tomas.herrera@example.com', 1440, -20, null, 6),
           ( 5, 'SHOP', 'Catalogue live',  'Search that forgives spelling',        'open',        2, 'tomas.herrera@example.com', 960, -20, null, 10),
           ( 6, 'SHOP', 'Catalogue live',  'Redirect the old addresses',           'in_review',   1, 'lena.fischer@example.com',  240, -18, null, -2),
           ( 7, 'SHOP', 'Catalogue live',  'Pictures in three sizes',              'done',        2, 'lena.fischer@example.com',  360, -20, -12, -10),
           ( 8, 'SHOP', 'Catalogue live',  'Filter by wheel size and frame',       'done',        2, 'tomas.herrera@example.com', 540, -19, -7, -8),
           ( 9, 'SHOP', 'Catalogue live',  'Show what is in stock',                'done',        3, 'tomas.herrera@example.com', 720, -15, -3, -4),
           (10, 'SHOP', 'Catalogue live',  'Ask for the missing weights',          'open',        4, 'maren.vogt@example.com',    60, -6, null, -3),
           (11, 'SHOP', 'Checkout live',   'Payment by card and by invoice',       'open',        4, 'maren.vogt@example.com',    1920, -20, null, 30),
           (12, 'SHOP', 'Checkout live',   'Shipping costs by weight and country', 'open',        2, null,                        480, -20, null, 35),
           (13, 'SHOP', 'Checkout live',   'Confirmations by mail',                'open',        1, null,                        360, -5, null, 40),
           (14, 'RIDE', 'Clickable draft', 'Interview eight riders',               'done',        2, 'aiko.tanaka@example.com',   720, -19, -6, -6),
           (15, 'RIDE', 'Clickable draft', 'Draft the tour planner',               'in_progress', 3, 'samuel.okoro@example.com',  1200, -16, null, 5),
           (16, 'RIDE', 'Clickable draft', 'Draft the service calendar',           'open',        2, 'aiko.tanaka@example.com',   600, -16, null, -1),
           (17, 'RIDE', 'Closed beta',     'Maps without a connection',            'open',        3, 'samuel.okoro@example.com',  2400, -10, null, 50),
           (18, 'RIDE', 'Closed beta',     'Push messages for service dates',      'cancelled',   1, null,                        600, -10, null, 60),
           (19, 'RIDE', 'Closed beta',     'Find fifty testers',                   'open',        2, 'aiko.tanaka@example.com',   240, -4, null, 40),
           (20, 'SITE', null,              'Write the case study on the shop',     'open',        0, 'lena.fischer@example.com',  480, -60, null, 90),
           (21, 'SITE', null,              'Renew the certificate',                'done',        4, 'tomas.herrera@example.com', 30, -90, -88, -85)
       ) as v (place, key, milestone, title, status, priority, assignee, minutes, made_in, done_in, due_in)
  join projects p on p.key = v.key
  left join milestones m on m.project_id = p.id and m.name = v.milestone
  left join users a on a.email = v.assignee
 order by v.place;

insert into task_dependencies (project_id, task_id, depends_on_id)
select later.project_id, later.id, earlier.id
  from (values
           ('Search that forgives spelling',      'Import 2,400 articles from the ERP'),
           ('Import 2,400 articles from the ERP', 'Ask for the missing weights'),
           ('Payment by card and by invoice',     'Shipping costs by weight and country'),
           ('Confirmations by mail',              'Payment by card and by invoice'),
           ('Draft the tour planner',             'Interview eight riders'),
           ('Maps without a connection',          'Draft the tour planner')
       ) as v (later, earlier)
  join tasks later on later.title = v.later
  join tasks earlier on earlier.title = v.earlier;

insert into labels (name, colour) values
    ('bug',      '#d1453b'),
    ('design',   '#8e5bd0'),
    ('backend',  '#2f7dd1'),
    ('research', '#2f9e6e');

insert into task_labels (task_id, label_id)
select t.id, l.id
  from (values
           ('Draw the product page for phones',   'design'),
           ('Import 2,400 articles from the ERP', 'backend'),
           ('Search that forgives spelling',      'backend'),
           ('Redirect the old addresses',         'bug'),
           ('Interview eight riders',             'research'),
           ('Draft the tour planner',             'design'),
           ('Maps without a connection',          'research')
       ) as v (title, label)
  join tasks t on t.title = v.title
  join labels l on l.name = v.label;

insert into comments (task_id, author_id, body, created_at)
select t.id, u.id, v.body, now() - make_interval(hours => v.hours_ago)
  from (values
           ('Import 2,400 articles from the ERP', 'tomas.herrera@example.com',
            'Forty articles have no weight; I asked the customer for a list.', 52),
           ('Import 2,400 articles from the ERP', 'joan.obrien@example.com',
            'You will have it on Thursday. Don''t wait for the spare parts, they come later.', 47),
           ('Redirect the old addresses', 'lena.fischer@example.com',
            'All 312 addresses from the log of the last year answer now; please try your bookmarks.', 20),
           ('Interview eight riders', 'aiko.tanaka@example.com',
            'Everyone plans at home and nobody on the road: the planner can do without small screens at first.', 150),
           ('Draft the tour planner', 'samuel.okoro@example.com',
            'Height profile included; it is what riders looked at first.', 8)
       ) as v (title, author, body, hours_ago)
  join tasks t on t.title = v.title
  join users u on u.email = v.author;

insert into files (project_id, task_id, uploaded_by, name, media_type, size_bytes, sha256)
select t.project_id, t.id, u.id, v.name, v.media_type, v.size_bytes, sha256(convert_to(v.name, 'UTF8'))
  from (values
           ('Draw the product page for phones', 'lena.fischer@example.com', 'product-page-v3.pdf', 'application/pdf', 1840221),
           ('Redirect the old addresses', 'lena.fischer@example.com', 'addresses.csv', 'text/csv', 18764),
           ('Interview eight riders', 'aiko.tanaka@example.com', 'notes – riders.md', 'text/markdown', 9312)
       ) as v (title, uploader, name, media_type, size_bytes)
  join tasks t on t.title = v.title
  join users u on u.email = v.uploader;

insert into time_entries (user_id, task_id, worked_on, minutes, note, is_billable, approved_by, approved_at)
select t.assignee_id, t.id, current_date - v.days_ago, v.minutes, v.note, v.is_billable,
       case when v.days_ago > 7 then p.owner_id end,
       case when v.days_ago > 7 then now() - interval '3 days' end
  from (values
           ('Agree on colours and type',          33, 240, '', true),
           ('Agree on colours and type',          32, 210, 'Two rounds with the customer', true),
           ('Draw the product page for phones',   28, 420, 'First version', true),
           ('Draw the product page for phones',   26, 390, 'Changes after the review', true),
           ('Try the draft with five customers',  23, 480, '', true),
           ('Pictures in three sizes',            13, 330, '', true),
           ('Filter by wheel size and frame',      8, 405, '', true),
           ('Show what is in stock',               4, 450, 'Stock comes every ten minutes', true),
           ('Import 2,400 articles from the ERP',  5, 360, 'Mapping of the fields', true),
           ('Import 2,400 articles from the ERP',  3, 275, 'Trial run, 1,900 articles', true),
           ('Import 2,400 articles from the ERP',  0,  95, 'Articles without a weight', true),
           ('Redirect the old addresses',          2, 150, '', true),
           ('Interview eight riders',             10, 480, 'Four interviews', true),
           ('Interview eight riders',              9, 300, 'Four more, and the summary', true),
           ('Draft the tour planner',              1, 405, 'Height profile', true),
           ('Draft the service calendar',          2,  75, 'Sketches', true),
           ('Write the case study on the shop',   14,  60, 'Outline', false),
           ('Renew the certificate',              88,  25, '', false)
       ) as v (title, days_ago, minutes, note, is_billable)
  join tasks t on t.title = v.title
  join projects p on p.id = t.project_id;

-- The trail that the triggers left tells of this minute; it should tell of the days when these things were done.
update activity a
   set happened_at = t.created_at,
       actor_id = t.reporter_id
  from tasks t
 where a.action = 'task.created'
   and t.id = a.task_id;

update activity a
   set happened_at = c.created_at,
       actor_id = c.author_id
  from comments c
 where a.action = 'comment.created'
   and a.subject_id = c.id::text;

-- A day's work, as the application does it: it says who acts, and the triggers do the rest.
select set_config('app.user_id', u.id::text, true) from users u where u.email = 'tomas.herrera@example.com';

update tasks set status = 'in_review' where title = 'Import 2,400 articles from the ERP';

update tasks set priority = 3 where title = 'Search that forgives spelling';

select set_config('app.user_id', u.id::text, true) from users u where u.email = 'maren.vogt@example.com';

update tasks
   set assignee_id = (select id from users where email = 'tomas.herrera@example.com')
 where title = 'Shipping costs by weight and country';

update milestones set due_on = due_on + 1 where name = 'Catalogue live';

select set_config('app.user_id', '', true);

-- Nobody tells themselves what they did, and what is older than a week was read.
delete from notifications n using activity a where a.id = n.activity_id and a.actor_id = n.user_id;

update notifications n
   set read_at = a.happened_at + interval '2 hours'
  from activity a
 where a.id = n.activity_id
   and a.happened_at < now() - interval '7 days';

update webhook_deliveries d
   set status = 'delivered',
       attempts = 1,
       response_code = 204,
       next_attempt_at = null,
       delivered_at = a.happened_at + interval '1 second'
  from activity a
 where a.id = d.activity_id
   and a.happened_at < now() - interval '1 day';
