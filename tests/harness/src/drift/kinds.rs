//! A blueprint with every kind of object that a fingerprint tells of.

use std::path::Path;

use crate::Folder;

/// The name of the blueprint.
pub const KINDS: &str = "kinds";

/// The blueprint for tenants with a schema of their own.
pub fn kinds(parent: &Path) -> Folder {
    with_files(Folder::new(parent, KINDS, "1.0"))
}

/// The same for tenants with a database of their own.
pub fn kinds_in_databases(parent: &Path) -> Folder {
    with_files(Folder::new(parent, "kinds-in-databases", "1.0").in_databases())
}

fn with_files(folder: Folder) -> Folder {
    folder
        .migration("types", TYPES)
        .migration("tables", TABLES)
        .migration("code", CODE)
        .outside("beside", "create index concurrently orders_placed on orders (placed_on);\nvacuum orders;")
        .migration("behind", "comment on table orders is 'of customers';")
        .repeatable("views", VIEWS)
}

const TYPES: &str = "
create type status as enum ('new', 'open', 'done');
create type address as (street text, city text);
create domain email as text default 'nobody@example.org' constraint email_check check (value like '%@%');
create type span as range (subtype = integer);
create sequence numbers as integer increment by 5 minvalue 10 maxvalue 100000 start with 10 cache 3;
create function twice(n integer) returns integer language sql immutable return n * 2;
create function touch() returns trigger language plpgsql as $$ begin return new; end $$;
create procedure tidy(a integer) language plpgsql as $$ begin null; end $$;
create aggregate total(integer) (sfunc = int4pl, stype = integer, initcond = '0');
";

const TABLES: &str = r#"
create table customers (
    id bigint generated always as identity primary key,
    email email not null unique,
    name text collate "C" not null constraint named check (name <> ''),
    state status not null default 'new',
    home address,
    number integer not null default nextval('numbers')
);
alter table customers alter column name set statistics 500;
create table orders (
    id bigserial primary key,
    customer_id bigint not null references customers on delete cascade,
    total numeric(10, 2) not null default 0,
    taxed numeric generated always as (total * 1.2) stored,
    note text,
    placed_on date not null default '2026-01-01'
) with (fillfactor = 70, toast.autovacuum_enabled = true);
create index orders_customer on orders (customer_id, placed_on desc) where total > 0;
create unique index orders_note on orders (lower(note));
create statistics orders_stat (dependencies) on customer_id, placed_on from orders;
create table events (id bigint not null, at date not null, primary key (id, at)) partition by range (at);
create index events_at on events (at);
create table events_2026 partition of events for values from ('2026-01-01') to ('2027-01-01');
create table events_rest partition of events default;
create unlogged table cache (key text primary key, value text);
create table base (id integer);
create table derived (extra text) inherits (base);
"#;

const CODE: &str = "
create trigger touch before update on orders for each row execute function touch();
create rule no_delete as on delete to customers do instead nothing;
alter table orders enable row level security;
create policy all_orders on orders for select using (total >= 0);
create materialized view totals as select customer_id, sum(total) as total from orders group by customer_id;
create unique index totals_customer on totals (customer_id);
";

const VIEWS: &str = "
create or replace view open_orders with (security_barrier = true) as
    select o.id, c.name from orders o join customers c on c.id = o.customer_id where c.state <> 'done';
";
