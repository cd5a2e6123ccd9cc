-- To which rules a pool was held when it was built, or last looked at: 0 for one that an earlier release built. Before a
-- tenant joins, a pool is held to the rules of the daemon that serves it.
alter table tenantry.pool add column rules integer not null default 0;
