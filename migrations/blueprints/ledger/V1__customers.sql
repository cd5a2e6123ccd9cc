-- Who the money belongs to, and in which currencies it is counted.
-- Every table has tenant_id: not null, first in each primary key, unique and foreign key, so that neither a collision
-- nor a reference can tell one tenant of another's rows. Its default and the policies are put there by the daemon.
-- Keys are random and not counted: numbers from a shared sequence would tell each tenant how much the others do.

-- One function serves every table that has updated_at, so that no writer can forget it.
create function set_updated_at() returns trigger
    language plpgsql
as $$
begin
    new.updated_at := now();
    return new;
end;
$$;

create table currencies (
    tenant_id    uuid not null,
    code         text not null,
    name         text not null,
    minor_digits smallint not null default 2,
    constraint currencies_pkey primary key (tenant_id, code),
    constraint currencies_code_shape check (code ~ '^[A-Z]{3}$'),
    constraint currencies_name_length check (length(name) between 1 and 60),
    constraint currencies_minor_digits_range check (minor_digits between 0 and 4)
);

comment on column currencies.minor_digits is 'amounts are whole numbers of the smallest unit: 2 for cents, 0 for yen';

create table customers (
    tenant_id  uuid not null,
    id         uuid not null default gen_random_uuid(),
    kind       text not null,
    name       text not null,
    email      text not null,
    country    text not null,
    status     text not null default 'prospect',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint customers_pkey primary key (tenant_id, id),
    constraint customers_kind_known check (kind in ('person', 'business')),
    constraint customers_name_length check (length(name) between 1 and 160),
    -- A full check of an address is the mail server's business; this only catches a name in the wrong field.
    constraint customers_email_shape check (email like '%_@_%' and length(email) <= 254),
    constraint customers_country_shape check (country ~ '^[A-Z]{2}$'),
    constraint customers_status_known check (status in ('prospect', 'active', 'frozen', 'closed'))
);

-- People type their address in any case, and must still not become two customers of the same tenant.
create unique index customers_email_key on customers (tenant_id, lower(email));
create index customers_status_idx on customers (tenant_id, status, name);

-- What the law wants to know before an account is opened, and again from time to time.
create table customer_checks (
    tenant_id   uuid not null,
    id          uuid not null default gen_random_uuid(),
    customer_id uuid not null,
    kind        text not null,
    outcome     text not null default 'pending',
    note        text not null default '',
    checked_at  timestamptz,
    expires_on  date,
    created_at  timestamptz not null default now(),
    constraint customer_checks_pkey primary key (tenant_id, id),
    constraint customer_checks_kind_known check (kind in ('identity', 'address', 'sanctions', 'source_of_funds')),
    constraint customer_checks_outcome_known check (outcome in ('pending', 'passed', 'failed')),
    constraint customer_checks_outcome_dated check ((outcome = 'pending') = (checked_at is null)),
    constraint customer_checks_customer_fkey foreign key (tenant_id, customer_id)
        references customers (tenant_id, id) on delete cascade
);

create index customer_checks_customer_idx on customer_checks (tenant_id, customer_id, kind);
create index customer_checks_expiry_idx on customer_checks (tenant_id, expires_on) where outcome = 'passed';

create trigger customers_set_updated_at
    before update on customers
    for each row execute function set_updated_at();
