-- One record that could not be guided or rated; every run tries it again.
create table suspense (
    landing_sequence bigint not null comment 'the record',
    customer_id varchar comment 'whose it is; null: unknown',
    contract_id varchar comment 'the contract it names or is assigned to; null: unknown',
    contract_item_id varchar comment 'the item that cannot take it; null: no item is known',
    product_id varchar comment 'what the item charges for',
    source varchar not null comment 'the system that counted',
    transaction_id varchar not null comment 'the record''s identity within its source',
    usage_type varchar not null comment 'what was used',
    usage_start timestamp not null comment 'event time',
    unit varchar not null comment 'unit of the quantity',
    record_quantity decimal(38, 12) not null comment 'what the record counted [unit]',
    quantity decimal(38, 12) comment 'what the item meters of it, of a record that is split the part that waits [unit of the item]; null: unknown',
    suspense_reason varchar not null comment 'why it waits',
    primary key (landing_sequence)
);
