-- The views behind the application's lists. Repeatable, so a view is changed here and not in a chain of replacements.
-- security_invoker: the policies are those of whoever reads, and not of the tables' owner.
-- Joins name tenant_id, so that each finds the index that begins with it.

create or replace view account_balances
    with (security_invoker = true)
as
select a.tenant_id,
       a.id,
       a.number,
       a.name,
       a.kind,
       a.currency,
       b.balance,
       h.held,
       b.balance - h.held as available
  from accounts a
  cross join lateral (
           -- As the account's owner reads it: what a customer has is the tenant's debt.
           select coalesce(sum(e.amount), 0)::bigint * case when a.kind in ('asset', 'expense') then 1 else -1 end as balance
             from entries e
            where e.tenant_id = a.tenant_id
              and e.account_id = a.id
              and e.currency = a.currency
       ) b
  cross join lateral (
           select coalesce(sum(o.amount), 0)::bigint as held
             from holds o
            where o.tenant_id = a.tenant_id
              and o.account_id = a.id
              and o.released_at is null
              and o.expires_at > now()
       ) h;

create or replace view trial_balance
    with (security_invoker = true)
as
select a.tenant_id,
       a.currency,
       a.kind,
       coalesce(sum(e.amount) filter (where e.amount > 0), 0)::bigint as debits,
       coalesce(-sum(e.amount) filter (where e.amount < 0), 0)::bigint as credits,
       coalesce(sum(e.amount), 0)::bigint as net
  from accounts a
  left join entries e on e.tenant_id = a.tenant_id
                     and e.account_id = a.id
                     and e.currency = a.currency
 group by a.tenant_id, a.currency, a.kind;

create or replace view statement_lines
    with (security_invoker = true)
as
select s.tenant_id,
       s.id as statement_id,
       s.account_id,
       t.booked_on,
       t.reference,
       t.kind,
       t.description,
       e.line,
       sign.factor * e.amount as amount,
       (s.opening_balance + sum(sign.factor * e.amount)
           over (partition by s.tenant_id, s.id order by t.booked_on, t.reference, e.line))::bigint as balance,
       -- New columns come last: the views that are there keep the order of theirs.
       s.currency
  from statements s
  join accounts a on a.tenant_id = s.tenant_id
                 and a.id = s.account_id
  cross join lateral (select case when a.kind in ('asset', 'expense') then 1 else -1 end as factor) sign
  join entries e on e.tenant_id = s.tenant_id
                and e.account_id = s.account_id
  join transactions t on t.tenant_id = e.tenant_id
                     and t.id = e.transaction_id
 where t.booked_on between s.first_day and s.last_day;

create or replace view customer_positions
    with (security_invoker = true)
as
select c.tenant_id,
       c.id as customer_id,
       c.name,
       c.status,
       b.currency,
       count(*) as accounts,
       sum(b.balance)::bigint as balance,
       sum(b.available)::bigint as available
  from customers c
  join account_owners o on o.tenant_id = c.tenant_id
                       and o.customer_id = c.id
                       and o.capacity <> 'authorised'
  join account_balances b on b.tenant_id = o.tenant_id
                         and b.id = o.account_id
 group by c.tenant_id, c.id, c.name, c.status, b.currency;

create or replace view fee_income
    with (security_invoker = true)
as
select f.tenant_id,
       s.code,
       s.currency,
       date_trunc('month', f.charged_on)::date as month,
       count(*) as charged,
       sum(f.amount)::bigint as amount
  from fees f
  join fee_schedules s on s.tenant_id = f.tenant_id
                      and s.id = f.schedule_id
 group by f.tenant_id, s.code, s.currency, date_trunc('month', f.charged_on);
