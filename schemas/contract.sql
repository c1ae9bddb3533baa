-- What a customer signed: currency, calendar, and for how long. Times without an
-- offset are in the contract's own time_zone.
create table contract (
    contract_id varchar not null comment 'the contract',
    customer_id varchar not null references customer (customer_id) comment 'who pays',
    currency varchar not null references currency (currency) comment 'ISO 4217 code',
    time_zone varchar not null references time_zone (name) comment 'IANA zone in which its days and cycles begin',
    cycle_interval varchar not null comment 'day, week, month, quarter or year, or several of one: 3 months',
    cycle_anchor date comment 'cycles begin on this local day; null: by the calendar',
    anchor_time timestamp comment 'cycles begin at this exact time of day; null: at local midnight',
    billing_day integer comment 'cycles begin on this day of the month, 1 to 31, from the first one on or after valid_from; null: by cycle_anchor',
    first_cycle varchar not null default 'anchored' comment 'a part of a cycle at the begin: anchored (of the cycle that holds it), unanchored (of the interval before its end) or joined (a cycle of its own)',
    purchase_order varchar comment 'the customer''s purchase order, on every line',
    product_code varchar comment 'key of the product in the invoicing system, for lines without one of their own',
    tax_category varchar comment 'how the invoicing system taxes it, for items without one of their own',
    gl_account varchar comment 'general ledger account of the revenue, for items without one of their own',
    valid_from timestamp not null comment 'in force from, inclusive',
    valid_to timestamp comment 'in force to, exclusive; null: open',
    check (regexp_like(cycle_interval, '^((([1-9][0-9]{0,9} )?second|([1-9][0-9]{0,7} )?minute|([1-9][0-9]{0,6} )?hour|([1-9][0-9]{0,4} )?day|([1-9][0-9]{0,3} )?(week|month)|([1-9][0-9]{0,2} )?(quarter|year))s?( |$))+$')),
    check (cycle_interval not like '% '),
    check (billing_day between 1 and 31),
    check (first_cycle in ('anchored', 'unanchored', 'joined')),
    check (valid_to > valid_from),
    primary key (contract_id)
);
