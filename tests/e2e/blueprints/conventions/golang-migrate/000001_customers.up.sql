create table customers (
    id    bigint generated always as identity,
    name  text not null,
    email text not null,
    constraint customers_pkey primary key (id),
    constraint customers_email_key unique (email)
);

insert into customers (name, email) values ('O''Brien; & Söhne -- no comment', 'hello@example.com');
