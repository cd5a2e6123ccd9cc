-- Pools that are brought to a later version in place. A version can then have several pools on a target: the one that was built
-- for it, and others that came to it. New tenants join the open one.
alter table tenantry.pool add column is_open boolean not null default true;
alter table tenantry.pool drop constraint pool_one_of_a_version;
create unique index pool_one_of_a_version on tenantry.pool (blueprint, version, checksum) where is_open;
