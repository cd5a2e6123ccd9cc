-- In the order of the list, so that a page of it reads no more than itself.
create index tenant_in_order on control.tenant (slug, id desc);
drop index control.tenant_by_slug;
