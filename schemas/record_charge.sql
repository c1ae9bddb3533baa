-- What a record costs by itself, where its price is walked record by record.
create table record_charge (
    landing_sequence bigint not null comment 'the record',
    contract_item_id varchar not null comment 'the item that meters it',
    part_number integer not null comment 'from 1, where a record is split',
    cycle_start timestamp not null comment 'the billing cycle that owns it',
    usage_start timestamp not null comment 'event time',
    price_id varchar not null comment 'the price',
    group_key varchar not null comment 'the group of the metric as JSON; empty: none',
    quantity decimal(38, 12) not null comment 'what the item meters [unit of the item]',
    is_paid boolean not null comment 'false: within the free allowance',
    paid_quantity decimal(38, 12) not null comment 'beyond the free allowance [unit of the item]',
    is_priced boolean not null comment 'false: no rule and no rate prices it',
    amount decimal(38, 12) comment 'what it costs [currency]; null: more than has room, a check parks its customer',
    billing_period varchar not null comment 'the month in which the cycle ends',
    primary key (landing_sequence, contract_item_id, part_number)
) partitioned by (billing_period);
