-- Tenants with a database of their own, and the canary that they attack.
--
-- The marker of such a tenant on the target is a reservation, under the tenant's own id: it stays while builds come and go
-- within the database, where each has its marker in a table like this one.

alter table tenantry.placement drop constraint placement_kind_known;
alter table tenantry.placement add constraint placement_kind_known
    check (kind in ('tenant', 'canary', 'canary_database', 'tombstone'));
create unique index placement_one_canary_database on tenantry.placement (kind)
    where kind = 'canary_database' and state <> 'removed';
