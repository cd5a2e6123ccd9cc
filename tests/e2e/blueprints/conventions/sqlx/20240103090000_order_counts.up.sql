create or replace view order_counts
    with (security_invoker = true)
as
select c.name, count(o.id) as orders
  from customers c
  left join orders o on o.customer_id = c.id
 group by c.id;

insert into orders (customer_id) select id from customers;

update orders set note = 'first';
