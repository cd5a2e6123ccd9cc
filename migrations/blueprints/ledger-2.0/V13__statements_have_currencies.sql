-- The application says the currency. The rule is validated without a lock that anybody waits for; then the column needs no look at
-- its rows.

drop trigger statements_give_currency on statements;
drop function give_statement_currency();

alter table statements validate constraint statements_currency_required;
alter table statements alter column currency set not null;
alter table statements drop constraint statements_currency_required;
