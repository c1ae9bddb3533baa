-- What an item still owes to reach the minimum amount of its price.
create table price_minimum (
    line_id varchar not null comment 'stable key: item, cycle and price',
    customer_id varchar not null comment 'who pays',
    contract_id varchar not null comment 'the contract',
    contract_item_id varchar not null comment 'the item',
    cycle_start timestamp not null comment 'the cycle, inclusive',
    cycle_end timestamp not null comment 'exclusive',
    price_id varchar not null comment 'the price',
    minimum_amount decimal(38, 12) not null comment 'the minimum of the cycle [currency]',
    amount_exact decimal(38, 12) not null comment 'what is missing, before rounding [currency]',
    amount decimal(38, 12) not null comment 'rounded as its currency declares [currency]',
    counted_amount decimal(38, 12) not null comment 'what minimums and credits are held against: the rounded amount, or the exact one where the currency rounds invoices [currency]',
    currency varchar not null comment 'ISO 4217 code',
    billing_period varchar not null comment 'the month it is billed in',
    primary key (contract_item_id, cycle_start, price_id)
) partitioned by (billing_period);
