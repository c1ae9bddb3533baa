-- One record as one contract item sees it, in the cycle that owns it, or as none
-- does and why. `guided_usage` has those that are placed.
create table guiding (
    landing_sequence bigint not null comment 'the record',
    contract_item_id varchar not null comment 'the item that meters it; empty: none',
    part_number integer not null comment 'from 1, where a record is split',
    cycle_start timestamp comment 'the billing cycle that owns it',
    usage_start timestamp not null comment 'the instant that counts: where the record, or the part, starts, or just before the record ends',
    part_end timestamp comment 'where the part ends, exclusive, if the record is split; null: it counts whole, at usage_start',
    product_id varchar comment 'what is priced',
    usage_type varchar not null comment 'what was used',
    unit varchar not null comment 'unit of the record''s own quantity',
    record_quantity decimal(38, 12) not null comment 'what the record counted [unit]',
    quantity decimal(38, 12) comment 'what the item meters [unit of the item]',
    record_price decimal(38, 12) comment 'price the record carries [currency]',
    price_share decimal(38, 12) comment 'the part''s share of record_price, if the record is split, for a price of the whole record [currency]',
    suspense_reason varchar comment 'why it cannot be placed; null: it is',
    contract_id varchar comment 'the contract of a record that cannot be placed, as far as it is known',
    billing_period varchar not null comment 'the month in which the cycle ends; none: no cycle',
    check (suspense_reason is not null or contract_item_id <> ''),
    check (suspense_reason is not null or cycle_start is not null),
    check (suspense_reason is not null or quantity is not null),
    primary key (landing_sequence, contract_item_id, part_number)
) partitioned by (billing_period);
