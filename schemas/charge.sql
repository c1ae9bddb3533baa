-- Money owed for one price, tier and cycle.
create table charge (
    contract_item_id varchar not null comment 'the item',
    cycle_start timestamp not null comment 'the cycle, inclusive',
    price_id varchar not null comment 'the price',
    group_key varchar not null comment 'the group of the metric as JSON; empty: none',
    tier_number integer not null comment 'the tier; 0 where the price has none',
    quantity decimal(38, 12) not null comment 'priced in this tier [unit]',
    block_count decimal(38, 12) comment 'blocks begun [blocks]; null: priced by the unit',
    unit_amount decimal(38, 12) comment 'price of one unit, or of one block [currency per unit]',
    flat_amount decimal(38, 12) not null comment 'fixed part [currency]',
    gross_amount decimal(38, 12) not null comment 'before discount and maximum, rounded where the price declares it [currency]',
    discount_amount decimal(38, 12) not null comment 'discount and what is above the maximum [currency]',
    amount decimal(38, 12) not null comment 'gross less discount [currency]',
    billing_period varchar not null comment 'the month it is billed in',
    primary key (contract_item_id, cycle_start, price_id, group_key, tier_number)
) partitioned by (billing_period);
