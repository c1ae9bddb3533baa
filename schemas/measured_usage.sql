-- The usage of items whose product has a metric, as the metric measures it.
create table measured_usage (
    contract_item_id varchar not null comment 'the item',
    cycle_start timestamp not null comment 'the cycle, inclusive',
    price_id varchar not null comment 'the price; none: no price in force',
    group_key varchar not null comment 'the group of the metric as JSON; empty: none',
    record_count bigint not null comment 'records behind it, or parts of them [records]',
    part_count bigint not null comment 'parts of guided_usage that begin in it: where the price changes one goes on in another row [parts]',
    record_quantity decimal(38, 12) not null comment 'the sum of their quantities, whatever the metric makes of them [unit of the item]',
    full_quantity decimal(38, 12) not null comment 'before proration: the level at the end, the aggregate [unit]',
    quantity decimal(38, 12) not null comment 'what is billed, prorated and rounded as the metric declares [unit]',
    record_amount decimal(38, 12) not null comment 'sum of the prices the records carry [currency]',
    id_hash decimal(38, 0) not null comment 'sum of row_hash(landing_sequence, contract_item_id, part_number) of the parts that begin in it',
    primary key (contract_item_id, cycle_start, price_id, group_key)
);
