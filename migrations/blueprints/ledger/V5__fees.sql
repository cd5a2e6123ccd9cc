-- What the tenant asks of its customers, and what it was paid.

create table fee_schedules (
    tenant_id     uuid not null,
    id            uuid not null default gen_random_uuid(),
    code          text not null,
    name          text not null,
    currency      text not null,
    flat_amount   bigint not null default 0,
    basis_points  integer not null default 0,
    is_active     boolean not null default true,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    constraint fee_schedules_pkey primary key (tenant_id, id),
    constraint fee_schedules_code_key unique (tenant_id, code),
    constraint fee_schedules_code_shape check (code ~ '^[a-z][a-z0-9_]{1,39}$'),
    constraint fee_schedules_amounts check (flat_amount >= 0 and basis_points between 0 and 10000
        and (flat_amount > 0 or basis_points > 0)),
    constraint fee_schedules_currency_fkey foreign key (tenant_id, currency) references currencies (tenant_id, code)
);

create index fee_schedules_currency_idx on fee_schedules (tenant_id, currency);

create table fees (
    tenant_id      uuid not null,
    id             uuid not null default gen_random_uuid(),
    schedule_id    uuid not null,
    account_id     uuid not null,
    transaction_id uuid not null,
    amount         bigint not null,
    charged_on     date not null default current_date,
    waived_reason  text,
    constraint fees_pkey primary key (tenant_id, id),
    -- A transaction is the booking of one fee at most.
    constraint fees_transaction_key unique (tenant_id, transaction_id),
    constraint fees_amount_positive check (amount > 0),
    constraint fees_schedule_fkey foreign key (tenant_id, schedule_id)
        references fee_schedules (tenant_id, id) on delete restrict,
    constraint fees_account_fkey foreign key (tenant_id, account_id)
        references accounts (tenant_id, id) on delete restrict,
    constraint fees_transaction_fkey foreign key (tenant_id, transaction_id)
        references transactions (tenant_id, id) on delete restrict
);

create index fees_schedule_idx on fees (tenant_id, schedule_id, charged_on);
create index fees_account_idx on fees (tenant_id, account_id, charged_on);

create trigger fee_schedules_set_updated_at
    before update on fee_schedules
    for each row execute function set_updated_at();
