-- Usage that came when the period that owns it was closed, or is guided anew there
-- since that is rated again by other rules; `late_usage` says where it counts.
create table late_record (
    landing_sequence bigint not null comment 'the record',
    contract_item_id varchar not null comment 'the item that meters it',
    part_number integer not null comment 'from 1, where a record is split',
    cycle_start timestamp not null comment 'the billing cycle that owns it by its time',
    usage_start timestamp not null comment 'the instant that counts: where the record, or the part, starts, or just before the record ends',
    part_end timestamp comment 'where the part ends, exclusive, if the record is split; null: it counts whole, at usage_start',
    product_id varchar comment 'what is priced',
    usage_type varchar not null comment 'what was used',
    unit varchar not null comment 'unit of the record''s own quantity',
    record_quantity decimal(38, 12) not null comment 'what the record counted [unit]',
    quantity decimal(38, 12) not null comment 'what the item meters [unit of the item]',
    record_price decimal(38, 12) comment 'price the record carries [currency]',
    price_share decimal(38, 12) comment 'the part''s share of record_price, if the record is split, for a price of the whole record [currency]',
    policy varchar not null comment 'correct, next_period or suspend; rerate where its period is rated again by other rules',
    is_ahead boolean not null comment 'its record stands in the books of an earlier period',
    booked_period varchar not null comment 'the closed month in whose books it has to find its place',
    billing_period varchar not null comment 'the closed month in which that cycle ends',
    check (policy in ('correct', 'next_period', 'suspend', 'rerate')),
    primary key (landing_sequence, contract_item_id, part_number)
);

