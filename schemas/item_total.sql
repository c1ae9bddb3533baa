-- What an item's records add up to in a cycle, for each price that they have.
create table item_total (
    contract_item_id varchar not null comment 'the item',
    cycle_start timestamp not null comment 'the cycle, inclusive',
    price_id varchar not null comment 'the price; none: no price in force',
    record_count bigint not null comment 'records, or parts of them [records]',
    part_count bigint not null comment 'parts of guided_usage that begin in it: where the price changes one goes on in another row [parts]',
    quantity decimal(38, 12) not null comment 'the sum of their quantities [unit of the item]',
    record_amount decimal(38, 12) not null comment 'sum of what the records cost by themselves [currency]',
    id_hash decimal(38, 0) not null comment 'sum of row_hash(landing_sequence, contract_item_id, part_number) of the parts that begin in it',
    billing_period varchar not null comment 'the month it is billed in',
    primary key (contract_item_id, cycle_start, price_id, billing_period)
) partitioned by (billing_period);
