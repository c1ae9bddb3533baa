-- Which price is in force for an item in which part of a cycle, used or not.
create table priced_cycle (
    contract_item_id varchar not null comment 'the item',
    cycle_start timestamp not null comment 'the cycle, inclusive',
    price_id varchar not null comment 'the price; none: no price in force',
    cycle_end timestamp not null comment 'exclusive',
    full_start timestamp not null comment 'the cycle before it was cut to the time in force, inclusive',
    full_end timestamp not null comment 'exclusive',
    charge_from timestamp not null comment 'the price counts from, inclusive',
    charge_to timestamp not null comment 'the price counts to, exclusive',
    version_number bigint not null comment 'from 1, the first price in force for the item in this cycle',
    days integer not null comment 'local days from charge_from to charge_to [days]',
    full_days integer not null comment 'local days of the whole cycle [days]',
    customer_id varchar not null comment 'who pays',
    contract_id varchar not null comment 'the contract',
    currency varchar not null comment 'ISO 4217 code',
    quota_id varchar comment 'the quota the item draws from',
    quota_scope varchar not null comment 'contract, or customer where it is pooled',
    quota_owner_id varchar comment 'whose quota: the contract, or the customer where it is pooled',
    draw_order integer not null comment 'who draws first from a shared quota',
    billing_period varchar not null comment 'the month it is billed in',
    primary key (contract_item_id, cycle_start, price_id)
) partitioned by (billing_period);
