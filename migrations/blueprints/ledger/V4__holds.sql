-- Money that is promised and not yet moved: a card payment between its authorisation and its booking.

create table holds (
    tenant_id   uuid not null,
    id          uuid not null default gen_random_uuid(),
    account_id  uuid not null,
    currency    text not null,
    amount      bigint not null,
    reason      text not null,
    placed_at   timestamptz not null default now(),
    expires_at  timestamptz not null,
    released_at timestamptz,
    -- The transaction that it became.
    captured_by uuid,
    constraint holds_pkey primary key (tenant_id, id),
    constraint holds_amount_positive check (amount > 0),
    constraint holds_reason_length check (length(reason) between 1 and 160),
    constraint holds_expiry_in_order check (expires_at > placed_at),
    constraint holds_capture_releases check (captured_by is null or released_at is not null),
    constraint holds_account_fkey foreign key (tenant_id, account_id, currency)
        references accounts (tenant_id, id, currency) on delete restrict,
    constraint holds_captured_by_fkey foreign key (tenant_id, captured_by)
        references transactions (tenant_id, id) on delete restrict
);

create index holds_open_idx on holds (tenant_id, account_id, expires_at) where released_at is null;
create index holds_account_idx on holds (tenant_id, account_id, currency);
create index holds_captured_by_idx on holds (tenant_id, captured_by);
