-- What customers were told of their accounts. A statement keeps its figures, so that one that is printed again says the
-- same.

create table statements (
    tenant_id       uuid not null,
    id              uuid not null default gen_random_uuid(),
    account_id      uuid not null,
    first_day       date not null,
    last_day        date not null,
    opening_balance bigint not null,
    closing_balance bigint not null,
    issued_at       timestamptz not null default now(),
    constraint statements_pkey primary key (tenant_id, id),
    constraint statements_period_key unique (tenant_id, account_id, first_day),
    constraint statements_days_in_order check (last_day >= first_day),
    constraint statements_account_fkey foreign key (tenant_id, account_id)
        references accounts (tenant_id, id) on delete restrict
);
