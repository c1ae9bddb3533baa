-- The usage behind the lines of closed periods, as it was billed. Never changes.
create table billed_statement (
    line_id varchar not null comment 'the line',
    customer_id varchar not null comment 'who pays',
    contract_id varchar not null comment 'the contract',
    contract_item_id varchar comment 'the item; null: a line of the contract',
    landing_sequence bigint comment 'the record; null: a line without usage',
    part_number integer comment 'from 1, where a record is split',
    source varchar comment 'where the record is from',
    transaction_id varchar comment 'its id there',
    usage_type varchar comment 'what was used',
    usage_start timestamp not null comment 'event time',
    usage_end timestamp comment 'its end',
    quantity decimal(38, 12) not null comment 'what the item meters [unit of the item]',
    unit varchar comment 'unit of the quantity',
    amount decimal(38, 12) not null comment 'its share of the line [currency]',
    currency varchar not null comment 'ISO 4217 code',
    billing_period varchar not null comment 'the month it is billed in'
) partitioned by (billing_period);
