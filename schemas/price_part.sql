-- The parts of the split records that meet a change of price, cut there once more.
-- Other records have no row here.
create table price_part (
    landing_sequence bigint not null comment 'the record',
    contract_item_id varchar not null comment 'the item that meters it',
    part_number integer not null comment 'from 1, in order of time',
    cycle_start timestamp not null comment 'the billing cycle that owns it',
    usage_start timestamp not null comment 'where it starts',
    part_end timestamp not null comment 'where it ends, exclusive',
    guided_part integer comment 'the part of guided_usage that it begins; null: it goes on in one',
    product_id varchar comment 'what is priced',
    quantity decimal(38, 12) not null comment 'what the item meters [unit of the item]',
    record_price decimal(38, 12) comment 'price the record carries [currency]',
    price_share decimal(38, 12) comment 'its share of record_price, for a price of the whole record [currency]',
    is_closed boolean not null comment 'it stands in the books of its own period',
    billing_period varchar not null comment 'the month in which the cycle ends',
    primary key (landing_sequence, contract_item_id, part_number)
);
