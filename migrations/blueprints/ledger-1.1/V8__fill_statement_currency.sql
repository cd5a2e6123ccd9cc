-- A file that changes rows runs once as each tenant, which sees its own rows alone. All at once, since a tenant has a statement
-- for each account and month; many rows would be filled in batches, by the application.
update statements s
   set currency = a.currency
  from accounts a
 where a.tenant_id = s.tenant_id
   and a.id = s.account_id
   and s.currency is null;
