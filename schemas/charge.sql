-- Money owed for one price, tier and cycle, unrounded.
create table charge (
    contract_item_id varchar not null comment 'the item',
    cycle_start timestamp not null comment 'the cycle, inclusive',
    price_id varchar not null comment 'the price',
    tier_number integer not null comment 'the tier; 0 where the price has none',
    quantity decimal(38, 12) not null comment 'priced in this tier [unit]',
    unit_amount decimal(38, 12) comment 'price of one unit [currency per unit]',
    flat_amount decimal(38, 12) not null comment 'fixed part [currency]',
    amount decimal(38, 12) not null comment 'unrounded [currency]',
    billing_period varchar not null comment 'the month it is billed in',
    primary key (contract_item_id, cycle_start, price_id, tier_number)
) partitioned by (billing_period);
