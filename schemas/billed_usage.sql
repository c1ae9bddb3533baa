-- Usage as it was guided when the period that it counts in closed, or when a
-- correction settled it; with every part of its record. Never changes; where its
-- period was rated again by other rules since, `booked_usage` says what counts.
create table billed_usage (
    landing_sequence bigint not null comment 'the record',
    contract_item_id varchar not null comment 'the item that meters it',
    part_number integer not null comment 'from 1, where a record is split',
    cycle_start timestamp not null comment 'the billing cycle that owns it',
    usage_start timestamp not null comment 'the instant that counts: where the record, or the part, starts, or just before the record ends',
    part_end timestamp comment 'where the part ends, exclusive, if the record is split; null: it counts whole, at usage_start',
    product_id varchar comment 'what is priced',
    usage_type varchar not null comment 'what was used',
    unit varchar not null comment 'unit of the record''s own quantity',
    record_quantity decimal(38, 12) not null comment 'what the record counted [unit]',
    quantity decimal(38, 12) not null comment 'what the item meters [unit of the item]',
    record_price decimal(38, 12) comment 'price the record carries [currency]',
    price_share decimal(38, 12) comment 'the part''s share of record_price, if the record is split, for a price of the whole record [currency]',
    id_hash bigint not null comment 'of the record: row_hash(source, transaction_id)',
    closed_in varchar not null comment 'the period whose closing put it here',
    billing_period varchar not null comment 'the month in which the cycle ends',
    primary key (landing_sequence, contract_item_id, part_number, closed_in)
) partitioned by (closed_in, billing_period);
