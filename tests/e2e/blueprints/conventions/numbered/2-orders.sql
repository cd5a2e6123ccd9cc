create table orders (
    id          bigint generated always as identity,
    customer_id bigint not null,
    note        text not null default $$; -- nothing yet$$,
    changed_at  timestamptz,
    constraint orders_pkey primary key (id),
    constraint orders_customer_fkey foreign key (customer_id) references customers (id) on delete cascade
);

create index orders_customer_idx on orders (customer_id);

create function touch() returns trigger
    language plpgsql
as $touch$
begin
    new.changed_at := now(); -- the row; not the customer
    return new;
end;
$touch$;

create trigger orders_touch
    before update on orders
    for each row execute function touch();
