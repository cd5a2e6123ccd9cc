-- The chart of accounts: what the tenant owns and owes, and whose money it is.

create table accounts (
    tenant_id  uuid not null,
    id         uuid not null default gen_random_uuid(),
    number     text not null,
    name       text not null,
    kind       text not null,
    currency   text not null,
    parent_id  uuid,
    opened_on  date not null default current_date,
    closed_on  date,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint accounts_pkey primary key (tenant_id, id),
    constraint accounts_number_key unique (tenant_id, number),
    -- Lets an entry refer to its account together with the currency, so that the two cannot disagree.
    constraint accounts_currency_key unique (tenant_id, id, currency),
    constraint accounts_number_shape check (number ~ '^[0-9]{3,12}$'),
    constraint accounts_name_length check (length(name) between 1 and 120),
    constraint accounts_kind_known check (kind in ('asset', 'liability', 'equity', 'income', 'expense')),
    constraint accounts_dates_in_order check (closed_on >= opened_on),
    constraint accounts_not_its_own_parent check (parent_id <> id),
    constraint accounts_currency_fkey foreign key (tenant_id, currency) references currencies (tenant_id, code),
    constraint accounts_parent_fkey foreign key (tenant_id, parent_id) references accounts (tenant_id, id)
);

create index accounts_currency_idx on accounts (tenant_id, currency);
create index accounts_parent_idx on accounts (tenant_id, parent_id);
create index accounts_kind_idx on accounts (tenant_id, kind, number) where closed_on is null;

comment on column accounts.kind is 'assets and expenses grow with debits, the others with credits';

create table account_owners (
    tenant_id   uuid not null,
    account_id  uuid not null,
    customer_id uuid not null,
    capacity    text not null default 'holder',
    since       date not null default current_date,
    constraint account_owners_pkey primary key (tenant_id, account_id, customer_id),
    constraint account_owners_capacity_known check (capacity in ('holder', 'joint_holder', 'authorised')),
    constraint account_owners_account_fkey foreign key (tenant_id, account_id)
        references accounts (tenant_id, id) on delete cascade,
    -- Whoever has an account cannot be deleted.
    constraint account_owners_customer_fkey foreign key (tenant_id, customer_id)
        references customers (tenant_id, id) on delete restrict
);

-- The primary key serves "whose account is this"; this one serves "which accounts has this customer".
create index account_owners_customer_idx on account_owners (tenant_id, customer_id);

create trigger accounts_set_updated_at
    before update on accounts
    for each row execute function set_updated_at();
