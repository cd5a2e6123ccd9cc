-- Tenants that share one set of tables: the pools, and who is whom in them.

alter table tenantry.placement drop constraint placement_kind_known;
alter table tenantry.placement add constraint placement_kind_known
    check (kind in ('tenant', 'canary', 'canary_database', 'pool', 'tombstone'));
-- Whose tables a tenant's rows are in; none for a tenant with objects of its own.
alter table tenantry.placement add column pool text;

-- A pool is built in one transaction, in which this row comes right behind the marker: whoever else wants the same pool
-- waits on the constraint until that transaction has ended, and then uses the pool or builds it.
create table tenantry.pool (
    placement text not null constraint pool_pk primary key,
    blueprint text not null,
    version text not null,
    checksum text not null,
    -- Whose rows the pool's own role has: nobody's, so that there is something to attack.
    canary_id uuid not null,
    built_at timestamptz not null default now(),
    constraint pool_one_of_a_version unique (blueprint, version, checksum)
);

-- For which tenant a role stands. By name: whoever queries is known by it, and our names are never used twice.
create table tenantry.pool_member (
    role name not null constraint pool_member_pk primary key,
    placement text not null,
    pool text not null,
    tenant_id uuid not null,
    -- Closed while the tenant is suspended, for sessions too that became the role by SET ROLE and have their own login.
    is_open boolean not null default true,
    -- Its rows are being removed.
    is_leaving boolean not null default false
);
create index pool_member_placement_idx on tenantry.pool_member (placement);

-- What a role learns of that table: its own row. Nothing runs with anybody else's rights: row-level security asks who
-- queries, and without USAGE on this schema only what was made here finds the table at all. No view stands between, since
-- pg_dump refuses to look through one.
alter table tenantry.pool_member enable row level security;
create policy pool_member_own_row on tenantry.pool_member for select using (role = current_user);
grant select (role, tenant_id, is_open, is_leaving) on tenantry.pool_member to public;

-- The default of tenant_id; null for a role that stands for no tenant. Where a blueprint's own code cannot replace it.
create function tenantry_ext.tenantry_tenant() returns uuid
    language sql stable parallel safe
    return (select tenant_id from tenantry.pool_member where role = current_user and is_open);

-- For a blueprint's triggers that keep rows from being deleted: true only while the daemon takes the whole tenant away.
create function tenantry_ext.tenantry_removing() returns boolean
    language sql stable parallel safe
    return coalesce((select is_leaving from tenantry.pool_member where role = current_user and is_open), false);
grant execute on function tenantry_ext.tenantry_tenant(), tenantry_ext.tenantry_removing() to public;
