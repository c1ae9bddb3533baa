-- The usage of an item in a cycle, for each price in force, used or not.
create table metered_usage (
    contract_item_id varchar not null comment 'the item',
    cycle_start timestamp not null comment 'the cycle, inclusive',
    price_id varchar not null comment 'the price; none: no price in force',
    record_count bigint not null comment 'records behind it [records]',
    quantity decimal(38, 12) not null comment 'their sum [unit of the item]',
    record_amount decimal(38, 12) not null comment 'sum of the prices the records carry [currency]',
    id_hash decimal(38, 0) not null comment 'sum of row_hash(landing_sequence, contract_item_id, part_number)',
    billing_period varchar not null comment 'the month it is billed in',
    primary key (contract_item_id, cycle_start, price_id)
) partitioned by (billing_period);
