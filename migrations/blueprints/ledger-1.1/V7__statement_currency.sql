-- A statement says its currency, as it says its balances: one that is printed again does not ask the account. The first version's
-- application does not know of it: a trigger asks.

alter table statements add column currency text;

create function give_statement_currency() returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if new.currency is null then
        select currency into new.currency
          from accounts
         where tenant_id = new.tenant_id
           and id = new.account_id;
    end if;
    return new;
end;
$$;

create trigger statements_give_currency
    before insert on statements
    for each row execute function give_statement_currency();

-- Validated by the next version: here, every row would be read while the table is locked.
alter table statements add constraint statements_currency_required check (currency is not null) not valid;
