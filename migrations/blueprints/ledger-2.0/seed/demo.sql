-- A small bank at work, for demonstrations. Rows find each other by their names and numbers, never by key. Days count from
-- today, so that there is always something recent. tenant_id is nowhere: the default is the tenant that is being made.

insert into currencies (code, name, minor_digits) values
    ('EUR', 'Euro', 2),
    ('USD', 'US dollar', 2),
    ('JPY', 'Japanese yen', 0);

insert into customers (kind, name, email, country, status) values
    ('person',   'Maren Vogt',         'maren.vogt@example.com',    'DE', 'active'),
    ('person',   'Tomás Herrera',      'tomas.herrera@example.com', 'ES', 'active'),
    ('person',   'Aiko Tanaka',        'aiko.tanaka@example.com',   'JP', 'frozen'),
    ('business', 'Okoro Textiles Ltd', 'accounts@okoro.example',    'GB', 'active'),
    ('person',   'Joan O''Brien',      'joan.obrien@example.com',   'IE', 'prospect');

insert into customer_checks (customer_id, kind, outcome, note, checked_at, expires_on)
select c.id, v.kind, v.outcome, v.note, now() - interval '40 days', v.expires_on
  from (values
           ('maren.vogt@example.com',    'identity',        'passed', 'passport',              current_date + 700),
           ('maren.vogt@example.com',    'sanctions',       'passed', '',                      current_date + 50),
           ('tomas.herrera@example.com', 'identity',        'passed', 'identity card',         current_date + 300),
           ('aiko.tanaka@example.com',   'source_of_funds', 'failed', 'papers do not match',   null),
           ('accounts@okoro.example',    'address',         'passed', 'register of companies', current_date + 90)
       ) as v (email, kind, outcome, note, expires_on)
  join customers c on c.email = v.email;

insert into customer_checks (customer_id, kind)
select id, 'identity' from customers where email = 'joan.obrien@example.com';

insert into accounts (number, name, kind, currency, opened_on) values
    ('1000', 'Central bank',           'asset',     'EUR', current_date - 90),
    ('1001', 'Correspondent in dollars', 'asset',   'USD', current_date - 90),
    ('1100', 'Card scheme',            'asset',     'EUR', current_date - 90),
    ('3000', 'Capital',                'equity',    'EUR', current_date - 90),
    ('3900', 'Exchange in euros',      'equity',    'EUR', current_date - 90),
    ('3901', 'Exchange in dollars',    'equity',    'USD', current_date - 90),
    ('4000', 'Fees',                   'income',    'EUR', current_date - 90),
    ('5000', 'Interest paid',          'expense',   'EUR', current_date - 90),
    ('2000', 'Deposits of customers',  'liability', 'EUR', current_date - 90);

insert into accounts (number, name, kind, currency, parent_id, opened_on)
select v.number, v.name, 'liability', v.currency, p.id, current_date - 60
  from (values
           ('200001', 'Maren Vogt, current',         'EUR'),
           ('200002', 'Maren Vogt, savings',         'EUR'),
           ('200003', 'Tomás Herrera, current',      'EUR'),
           ('200004', 'Aiko Tanaka, current',        'EUR'),
           ('200005', 'Okoro Textiles, operating',   'EUR'),
           ('200006', 'Okoro Textiles, in dollars',  'USD')
       ) as v (number, name, currency)
  join accounts p on p.number = '2000';

insert into account_owners (account_id, customer_id, capacity)
select a.id, c.id, v.capacity
  from (values
           ('200001', 'maren.vogt@example.com',    'holder'),
           ('200002', 'maren.vogt@example.com',    'holder'),
           ('200002', 'tomas.herrera@example.com', 'joint_holder'),
           ('200003', 'tomas.herrera@example.com', 'holder'),
           ('200004', 'aiko.tanaka@example.com',   'holder'),
           ('200005', 'accounts@okoro.example',    'holder'),
           ('200005', 'maren.vogt@example.com',    'authorised'),
           ('200006', 'accounts@okoro.example',    'holder')
       ) as v (number, email, capacity)
  join accounts a on a.number = v.number
  join customers c on c.email = v.email;

insert into transactions (reference, kind, booked_on, description) values
    ('CAP-1',  'capital',    current_date - 60, 'Paid-in capital'),
    ('DEP-1',  'deposit',    current_date - 45, 'Salary'),
    ('DEP-2',  'deposit',    current_date - 44, 'Salary'),
    ('DEP-3',  'deposit',    current_date - 40, 'Invoices of the month'),
    ('DEP-4',  'deposit',    current_date - 38, 'From abroad'),
    ('TRF-1',  'transfer',   current_date - 30, 'Monthly savings'),
    ('TRF-2',  'transfer',   current_date - 21, 'Rent'),
    ('CARD-1', 'card',       current_date - 14, 'Groceries'),
    ('CARD-2', 'card',       current_date - 9,  'Train tickets'),
    ('FX-1',   'exchange',   current_date - 8,  'Dollars for a supplier'),
    ('FEE-1',  'fee',        current_date - 7,  'Account fee'),
    ('FEE-2',  'fee',        current_date - 7,  'Account fee'),
    ('FEE-3',  'fee',        current_date - 8,  'Exchange fee'),
    ('INT-1',  'interest',   current_date - 5,  'Interest on savings'),
    ('TRF-3',  'transfer',   current_date - 3,  'Sent to the wrong account');

insert into transactions (reference, kind, booked_on, description, reverses_id)
select 'REV-1', 'reversal', current_date - 2, 'Sent back', id from transactions where reference = 'TRF-3';

insert into entries (transaction_id, line, account_id, currency, amount)
select t.id, v.line, a.id, a.currency, v.amount
  from (values
           ('CAP-1',  1, '1000',   50000000), ('CAP-1',  2, '3000',   -50000000),
           ('DEP-1',  1, '1000',     420000), ('DEP-1',  2, '200001',   -420000),
           ('DEP-2',  1, '1000',     315000), ('DEP-2',  2, '200003',   -315000),
           ('DEP-3',  1, '1000',    9850000), ('DEP-3',  2, '200005',  -9850000),
           ('DEP-4',  1, '1000',     760000), ('DEP-4',  2, '200004',   -760000),
           ('TRF-1',  1, '200001',   100000), ('TRF-1',  2, '200002',   -100000),
           ('TRF-2',  1, '200003',    95000), ('TRF-2',  2, '200001',    -95000),
           ('CARD-1', 1, '200001',     8745), ('CARD-1', 2, '1100',       -8745),
           ('CARD-2', 1, '200003',    12990), ('CARD-2', 2, '1100',      -12990),
           ('FX-1',   1, '200005',  1000000), ('FX-1',   2, '3900',    -1000000),
           ('FX-1',   3, '3901',    1085000), ('FX-1',   4, '200006',  -1085000),
           ('FEE-1',  1, '200001',      490), ('FEE-1',  2, '4000',        -490),
           ('FEE-2',  1, '200003',      490), ('FEE-2',  2, '4000',        -490),
           ('FEE-3',  1, '200005',     2500), ('FEE-3',  2, '4000',       -2500),
           ('INT-1',  1, '5000',        210), ('INT-1',  2, '200002',      -210),
           ('TRF-3',  1, '200005',    25000), ('TRF-3',  2, '200004',    -25000),
           ('REV-1',  1, '200004',    25000), ('REV-1',  2, '200005',    -25000)
       ) as v (reference, line, number, amount)
  join transactions t on t.reference = v.reference
  join accounts a on a.number = v.number;

insert into closed_periods (last_day, closed_by) values (current_date - 61, 'Maren Vogt');

insert into holds (account_id, currency, amount, reason, placed_at, expires_at, released_at, captured_by)
select a.id, a.currency, v.amount, v.reason, now() - v.age, now() - v.age + interval '7 days', now() - v.released, t.id
  from (values
           ('200001',  8745, 'Groceries',     interval '15 days', interval '14 days', 'CARD-1'),
           ('200003', 12990, 'Train tickets', interval '10 days', interval '9 days',  'CARD-2'),
           ('200001', 15000, 'Hotel',         interval '1 day',   null,               null),
           ('200005', 80000, 'Machine parts', interval '2 days',  null,               null),
           ('200003',  5000, 'Fuel',          interval '20 days', null,               null)
       ) as v (number, amount, reason, age, released, reference)
  join accounts a on a.number = v.number
  left join transactions t on t.reference = v.reference;

insert into fee_schedules (code, name, currency, flat_amount, basis_points) values
    ('account_monthly', 'Account, monthly',     'EUR', 490, 0),
    ('exchange',        'Exchange of currency', 'EUR', 0,   25),
    ('transfer_abroad', 'Transfer abroad',      'EUR', 250, 10);

insert into fees (schedule_id, account_id, transaction_id, amount, charged_on)
select s.id, a.id, t.id, v.amount, t.booked_on
  from (values
           ('account_monthly', '200001', 'FEE-1', 490),
           ('account_monthly', '200003', 'FEE-2', 490),
           ('exchange',        '200005', 'FEE-3', 2500)
       ) as v (code, number, reference, amount)
  join fee_schedules s on s.code = v.code
  join accounts a on a.number = v.number
  join transactions t on t.reference = v.reference;

insert into statements (account_id, currency, first_day, last_day, opening_balance, closing_balance)
select a.id, a.currency, current_date - 60, current_date - 1, 0, b.balance
  from accounts a
  join account_balances b on b.id = a.id
 where a.number in ('200001', '200003', '200005');

insert into fee_waivers (fee_id, reason)
select f.id, 'A customer of the first day'
  from fees f
  join accounts a on a.id = f.account_id
 where a.number = '200003';
