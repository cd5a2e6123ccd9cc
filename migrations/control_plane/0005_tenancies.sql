-- How a tenant is kept apart from others. Its blueprint says it too, but a removal must not have to read a blueprint.

alter table control.tenant add column tenancy text not null default 'schema'
    constraint tenant_tenancy_known check (tenancy in ('schema', 'shared', 'database'));
alter table control.tenant alter column tenancy drop default;
