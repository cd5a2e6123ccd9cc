-- Suspended tenants, and the fence of changes after the build.

alter table tenantry.placement drop constraint placement_state_known;
alter table tenantry.placement add constraint placement_state_known
    check (state in ('building', 'active', 'suspended', 'removing', 'removed', 'void'));

-- The epoch of the daemon that changed the placement last. Each change of a tenant that stands raises it to its own
-- and is refused where it is higher: a daemon that was stopped and resumed changes nothing any more.
alter table tenantry.placement add column fence bigint not null default 0;
