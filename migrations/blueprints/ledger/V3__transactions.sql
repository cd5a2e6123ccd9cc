-- Money that moved. A transaction has entries whose amounts come to nothing in each currency; what is booked stays as it
-- is, and a mistake is reversed by another transaction.
-- tenantry_removing() is true only while the daemon takes a whole tenant away: then its rows may go.

create table transactions (
    tenant_id   uuid not null,
    id          uuid not null default gen_random_uuid(),
    reference   text not null,
    kind        text not null,
    booked_on   date not null default current_date,
    description text not null default '',
    reverses_id uuid,
    created_at  timestamptz not null default now(),
    constraint transactions_pkey primary key (tenant_id, id),
    constraint transactions_reference_key unique (tenant_id, reference),
    -- Nothing is reversed twice.
    constraint transactions_reverses_key unique (tenant_id, reverses_id),
    constraint transactions_reference_length check (length(reference) between 1 and 64),
    constraint transactions_kind_known check (
        kind in ('capital', 'deposit', 'withdrawal', 'transfer', 'card', 'fee', 'interest', 'exchange', 'reversal')),
    constraint transactions_reversal_names_one check ((kind = 'reversal') = (reverses_id is not null)),
    constraint transactions_reverses_fkey foreign key (tenant_id, reverses_id) references transactions (tenant_id, id)
);

create index transactions_booked_idx on transactions (tenant_id, booked_on desc, id);

create table entries (
    tenant_id      uuid not null,
    transaction_id uuid not null,
    line           smallint not null,
    account_id     uuid not null,
    currency       text not null,
    amount         bigint not null,
    constraint entries_pkey primary key (tenant_id, transaction_id, line),
    constraint entries_line_from_one check (line >= 1),
    constraint entries_amount_not_zero check (amount <> 0),
    constraint entries_transaction_fkey foreign key (tenant_id, transaction_id)
        references transactions (tenant_id, id) on delete restrict,
    constraint entries_account_fkey foreign key (tenant_id, account_id, currency)
        references accounts (tenant_id, id, currency) on delete restrict
);

-- What an account's balance is added up from, without a look at the table.
create index entries_account_idx on entries (tenant_id, account_id, currency) include (amount);

comment on column entries.amount is 'in the smallest unit of the currency: debits are positive, credits negative';

-- Up to which day the books are closed: nothing is booked on it or before it any more.
create table closed_periods (
    tenant_id uuid not null,
    last_day  date not null,
    closed_at timestamptz not null default now(),
    closed_by text not null,
    constraint closed_periods_pkey primary key (tenant_id, last_day)
);

create function transactions_keep_closed_periods() returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if exists (select from closed_periods where last_day >= new.booked_on) then
        raise exception 'the books are closed on %: book it on a later day', new.booked_on
            using errcode = 'check_violation', constraint = 'transactions_period_open';
    end if;
    return new;
end;
$$;

create trigger transactions_keep_closed_periods
    before insert on transactions
    for each row execute function transactions_keep_closed_periods();

create function refuse_changes_of_what_is_booked() returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if tg_op = 'DELETE' and tenantry_removing() then
        return old;
    end if;
    raise exception '% are never changed or deleted: reverse the transaction with another', tg_table_name
        using errcode = 'check_violation', constraint = tg_table_name || '_stay';
end;
$$;

create trigger transactions_stay
    before update or delete on transactions
    for each row execute function refuse_changes_of_what_is_booked();

create trigger entries_stay
    before update or delete on entries
    for each row execute function refuse_changes_of_what_is_booked();

-- At the end of the database's transaction, so that entries can be written one after the other.
create function transactions_must_balance() returns trigger
    language plpgsql
    set search_path from current
as $$
declare
    booked uuid := case tg_table_name when 'entries' then (to_jsonb(new) ->> 'transaction_id')::uuid
                                      else (to_jsonb(new) ->> 'id')::uuid end;
    lines bigint;
    problem text;
begin
    select count(*) into lines from entries where transaction_id = booked;
    if lines < 2 then
        raise exception 'a transaction has two entries at least, and this one has %', lines
            using errcode = 'check_violation', constraint = 'transactions_balance';
    end if;
    select string_agg(format('%s %s', currency, amount), ', ' order by currency) into problem
      from (select currency, sum(amount) as amount from entries where transaction_id = booked group by currency) as sums
     where amount <> 0;
    if problem is not null then
        raise exception 'debits and credits differ by %', problem
            using errcode = 'check_violation', constraint = 'transactions_balance';
    end if;
    return null;
end;
$$;

create constraint trigger transactions_balance
    after insert on transactions
    deferrable initially deferred
    for each row execute function transactions_must_balance();

create constraint trigger entries_balance
    after insert on entries
    deferrable initially deferred
    for each row execute function transactions_must_balance();
