//! Hostile blueprints of shared tables, as data: each makes something that would run with the rights of the tables' owner,
//! grants a right, or lets a tenant guess another's rows. All of it is hidden from the lints in a `do` block.

/// What the case is, the statements, and what the refusal must say.
pub type Case = (&'static str, &'static str, &'static str);

/// The tables and functions that the statements build on. `spy` does what it likes, whatever it is declared as.
pub const GROUND: &str = "
create table parent (tenant_id uuid not null, id int not null, name text, constraint parent_pkey primary key (tenant_id, id));
create table child (tenant_id uuid not null, id int not null, parent_id int, note text, span int8range,
    constraint child_pkey primary key (tenant_id, id));
create function spy(what text) returns boolean language plpgsql immutable set search_path from current as
    $$ begin perform spy_on(what); return true; end $$;
create function spy_on(what text) returns void language plpgsql set search_path from current as
    $$ begin raise log 'spied as %', current_user; end $$;
create function spying() returns trigger language plpgsql set search_path from current as
    $$ begin perform spy_on(tg_op); return coalesce(old, new); end $$;";

/// Cases that need no extension but btree_gist, which the target has.
pub const CASES: &[Case] = &[
    // Code that runs inside a foreign key's action.
    (
        "a trigger before the rows that a cascade deletes",
        "alter table child add constraint child_parent foreign key (tenant_id, parent_id) references parent on delete cascade;
         create trigger going before delete on child for each row execute function spying()",
        "the trigger going of table child would run inside the foreign key child_parent (on delete cascade)",
    ),
    (
        "a trigger before the statement of a cascade",
        "alter table child add constraint child_parent foreign key (tenant_id, parent_id) references parent on delete cascade;
         create trigger going before delete on child for each statement execute function spying()",
        "the trigger going of table child",
    ),
    (
        "a trigger after a cascade, which PostgreSQL 18 runs as the owner",
        "alter table child add constraint child_parent foreign key (tenant_id, parent_id) references parent on delete cascade;
         create constraint trigger gone after delete on child deferrable initially deferred for each row execute function spying()",
        "the trigger gone of table child",
    ),
    (
        "the condition of a trigger whose function is PostgreSQL's",
        "alter table child add constraint child_parent foreign key (tenant_id, parent_id) references parent on delete set null (parent_id);
         create trigger same before update on child for each row when (spy(old.note)) execute function suppress_redundant_updates_trigger()",
        "the trigger same of table child",
    ),
    (
        "a condition that runs a query from a text",
        "alter table child add constraint child_parent foreign key (tenant_id, parent_id) references parent on delete set null (parent_id);
         create trigger same before update on child for each row
             when (query_to_xml('select spy(''x'')', true, true, '') is not null) execute function suppress_redundant_updates_trigger()",
        "the trigger same of table child",
    ),
    (
        "a trigger on rows whose reference is set to null",
        "alter table child add constraint child_parent foreign key (tenant_id, parent_id) references parent on delete set null (parent_id);
         create trigger changing before update on child for each row execute function spying()",
        "the trigger changing of table child would run inside the foreign key child_parent (on delete set null)",
    ),
    (
        "a trigger on rows that follow a changed key",
        "alter table child add constraint child_parent foreign key (tenant_id, parent_id) references parent on update cascade;
         create trigger changing after update of note on child for each statement execute function spying()",
        "(on update cascade)",
    ),
    (
        "a trigger on the partition that a changed key moves rows to",
        "create table part (tenant_id uuid not null, parent_id int not null, constraint part_pkey primary key (tenant_id, parent_id),
             constraint part_parent foreign key (tenant_id, parent_id) references parent on update cascade) partition by range (parent_id);
         create table part_low partition of part for values from (0) to (10);
         create table part_high partition of part for values from (10) to (20);
         create trigger coming before insert on part_high for each row execute function spying()",
        "the trigger coming of table part_high",
    ),
    (
        "defaults that a foreign key sets",
        "alter table child alter parent_id set default length(spy('default')::text);
         alter table child add constraint child_parent foreign key (tenant_id, parent_id) references parent on delete set default (parent_id)",
        "the foreign key child_parent of table child sets columns to their defaults",
    ),
    (
        "a tenant that a foreign key sets",
        "alter table child add constraint child_parent foreign key (tenant_id, parent_id) references parent on update set default",
        "would set tenant_id when the key that it refers to changes",
    ),
    (
        "a function of PostgreSQL's whose text finds an operator by name",
        "alter table child add constraint spied check (note || id <> '')",
        "the check spied of table child calls textanycat",
    ),
    // Code that PostgreSQL evaluates by itself, or while it plans a check.
    ("a check", "alter table child add constraint spied check (spy(note))", "the check spied of table child calls spy"),
    (
        "a check that runs a query from a text",
        "alter table child add constraint spied check (query_to_xml('select spy(''x'')', true, true, '') is not null)",
        "the check spied of table child calls query_to_xml",
    ),
    (
        "a check that reads a table by its name",
        "alter table child add constraint spied check (table_to_xml('parent', true, true, '') is not null)",
        "the check spied of table child calls table_to_xml",
    ),
    (
        "a domain",
        "create domain seen as text constraint spied check (spy(value)); alter table child add other seen",
        "the check spied of domain seen calls spy",
    ),
    (
        "a generated column",
        "alter table child add spied boolean generated always as (spy(note)) stored",
        "the generated column spied of table child calls spy",
    ),
    ("an index", "create index spied on child (tenant_id, (spy(note)))", "the index spied of table child calls spy"),
    (
        "an index of some rows",
        "create index spied on child (tenant_id) where spy(note)",
        "the index spied of table child calls spy",
    ),
    ("statistics", "create statistics spied on spy(note), id from child", "the statistics spied of table child calls spy"),
    (
        "statistics that run a query from a text",
        "create statistics spied on (query_to_xml('select spy(''x'')', true, true, '')::text), id from child",
        "the statistics spied of table child calls query_to_xml",
    ),
    (
        "the difference of a range type, which ANALYZE takes",
        "create function far(a float8, b float8) returns float8 language sql immutable as 'select a - b';
         create type spied as range (subtype = float8, subtype_diff = far); alter table child add other spied",
        "uses the function far",
    ),
    (
        "a partition key",
        "create table part (tenant_id uuid not null, note text) partition by list (spy(note))",
        "the partition key of table part calls spy",
    ),
    (
        "an operator",
        "create function like_it(text, text) returns boolean language sql immutable as 'select true';
         create operator ~~~ (leftarg = text, rightarg = text, function = like_it)",
        "is nothing that tenants may share",
    ),
    (
        "a cast",
        "create type mood as enum ('calm'); create function told(mood) returns integer language sql immutable as 'select 1';
         create cast (mood as integer) with function told(mood) as implicit",
        "cast from mood to integer is nothing that tenants may share",
    ),
    (
        "a cast without a function",
        "create type mood as enum ('calm'); create cast (text as mood) with inout as implicit",
        "cast from text to mood is nothing that tenants may share",
    ),
    (
        "a cast of an array with a function of PostgreSQL's",
        "create type mood as enum ('calm'); create cast (mood[] as integer) with function pg_catalog.hash_array(anyarray)",
        "cast from mood[] to integer is nothing that tenants may share",
    ),
    ("a cast of rows", "create cast (child as text) with inout", "cast from child to text is nothing that tenants may share"),
    ("a rule of a view", "create view seen with (security_invoker = true) as select note from child;
         create rule spied as on update to seen do instead nothing", "view seen has a rule"),
    // Keys that reveal other tenants' rows.
    (
        "an exclusion across tenants",
        "alter table child add constraint once exclude using gist (tenant_id with <>, note with =)",
        "once of table child does not compare tenant_id by equality",
    ),
    // Rights that are granted.
    (
        "the schema opened for what tenants make",
        "execute format('grant create on schema %I to %I', current_schema, current_schema || '_app')",
        "has CREATE on the schema",
    ),
    (
        "a sequence that tenants set for each other",
        "create sequence numbers; execute format('grant all on sequence numbers to %I', current_schema || '_app')",
        "has UPDATE on numbers",
    ),
    (
        "a right to hand on",
        "execute format('grant select on child to %I with grant option', current_schema || '_app')",
        "has SELECT with grant option on child",
    ),
    ("columns for everybody", "grant select (note) on child to public", "PUBLIC has SELECT on column note of child"),
    ("a function for everybody", "grant execute on function spy_on(text) to public", "PUBLIC has EXECUTE on function spy_on"),
    (
        "a type to hand on",
        "create type mood as enum ('calm'); execute format('grant usage on type mood to %I with grant option', current_schema || '_app')",
        "has USAGE with grant option on type mood",
    ),
    (
        "future tables for everybody",
        "alter default privileges grant select on tables to public",
        "PUBLIC has SELECT on future objects (r)",
    ),
    (
        "a large object that all tenants write",
        "perform lo_create(0)",
        "belongs to the owner of the shared tables and stands elsewhere",
    ),
    // Hidden from the eye, but not from the catalog.
    (
        "a procedure with its owner's rights",
        "create procedure spied() language sql security definer as 'select spy(''x'')'",
        "function spied is SECURITY DEFINER",
    ),
];

/// Cases that build on what an extension provides: its name, the version if one must be named, and the cases.
pub const OF_EXTENSIONS: &[(&str, &str, &[Case])] = &[
    (
        "refint",
        "",
        &[
            (
                "a trigger of an extension's that deletes by a statement, which fires triggers of the blueprint's",
                "alter table child add constraint child_parent foreign key (tenant_id, parent_id) references parent on delete cascade;
                 create trigger going before delete on child for each row
                     execute function check_foreign_key(1, 'cascade', 'id', 'parent', 'id')",
                "the trigger going of table child would run inside the foreign key child_parent (on delete cascade)",
            ),
            (
                "the same after the action",
                "alter table child add constraint child_parent foreign key (tenant_id, parent_id) references parent on delete cascade;
                 create trigger gone after delete on child for each row
                     execute function check_foreign_key(1, 'cascade', 'id', 'parent', 'id')",
                "the trigger gone of table child",
            ),
            (
                "one that looks a row up",
                "alter table child add constraint child_parent foreign key (tenant_id, parent_id) references parent on update cascade;
                 create trigger looking before update on child for each row execute function check_primary_key('parent_id', 'parent', 'id')",
                "the trigger looking of table child",
            ),
        ],
    ),
    (
        // From version 1.2 on, the functions of this extension have bodies that the server parsed.
        "earthdistance",
        "1.1",
        &[
            (
                "a check with an extension's function, whose text finds one of the blueprint's by name",
                "create function earth() returns float8 language sql as 'select 1.0::float8';
                 alter table child add constraint near check (sec_to_gc(id) < 1e9)",
                "the check near of table child calls sec_to_gc",
            ),
            (
                "a domain with one",
                "create domain far as float8 constraint near check (sec_to_gc(value) < 1e9); alter table child add other far",
                "the check near of domain far calls sec_to_gc",
            ),
        ],
    ),
];

/// Blueprints that look much like these, and are valid.
pub const FINE: &[(&str, &str)] = &[
    (
        "a counter that a trigger of the upper table keeps",
        "alter table child add constraint child_parent foreign key (tenant_id, parent_id) references parent;
         create table counted (tenant_id uuid not null, n bigint not null default 0, constraint counted_pkey primary key (tenant_id));
         create function going() returns trigger language plpgsql as $f$ begin delete from child where parent_id = old.id; return old; end $f$;
         create trigger going before delete on parent for each row execute function going();
         create function gone() returns trigger language plpgsql as $f$ begin update counted set n = n - 1; return old; end $f$;
         create trigger gone before delete on child for each row execute function gone()",
    ),
    (
        "cascades without triggers, checks and indexes of PostgreSQL's own functions",
        "alter table child add constraint child_parent foreign key (tenant_id, parent_id) references parent on delete cascade on update cascade;
         alter table child add due timestamptz, add constraint child_due check (due > '2020-01-01' and due < now() + interval '100 years'),
             add constraint child_note check (note ~ '^[a-z]+$' and length(note) < 100 and note = any (array['a', 'b'])),
             add words_too tsvector, add words tsvector generated always as (to_tsvector('english', note)) stored,
             add constraint child_once exclude using gist (tenant_id with =, span with &&);
         create index child_lower on child (tenant_id, lower(note)) where note is not null;
         create statistics child_stat on lower(note), id from child;
         create type mood as enum ('calm'); alter table child add feels mood default 'calm';
         create type hours as range (subtype = timetz); alter table child add open hours;
         create function code() returns text language sql as 'select gen_random_uuid()::text';
         create domain short as text default code() check (length(value) < 10); alter table child add name short;
         create table kid () inherits (child);
         alter table child add constraint child_said check (format('%s', note) <> '' and concat(note, id) <> concat_ws(',', note, id));
         create trigger searched before insert or update on child for each row
             execute function tsvector_update_trigger(words_too, 'pg_catalog.english', note);
         create trigger same before update on child for each row execute function suppress_redundant_updates_trigger();
         alter table child add code text default code();
         create trigger stamped before insert on child for each row execute function spying();
         create view seen with (security_invoker = true) as select spy(note), feels from child;
         create aggregate total(int) (sfunc = int4pl, stype = int, initcond = 0)",
    ),
];
