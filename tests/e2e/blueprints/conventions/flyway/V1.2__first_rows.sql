insert into orders (customer_id) select id from customers;

update orders set note = 'first';
