-- A record of a product that has a metric, or that is priced record by record,
-- with what else the record says. Other usage has no row here.
create table record_detail (
    landing_sequence bigint not null comment 'the record',
    contract_item_id varchar not null comment 'the item that meters it',
    part_number integer not null comment 'from 1, where a record is split',
    cycle_start timestamp not null comment 'the billing cycle that owns it',
    usage_start timestamp not null comment 'the instant that counts',
    session_start timestamp not null comment 'where it starts by the clock',
    guided_part integer comment 'the part of guided_usage that it begins; null: it goes on in one',
    price_id varchar not null comment 'the price in force; none: no price',
    product_id varchar not null comment 'what is priced',
    time_zone varchar not null comment 'IANA zone of the contract',
    group_key varchar not null comment 'the group of the metric as JSON; empty: none',
    item_key varchar comment 'the item that is counted',
    is_removal boolean not null comment 'the item goes; false: it comes, or is used',
    quantity decimal(38, 12) not null comment 'what the item meters [unit of the item]',
    record_amount decimal(38, 12) comment 'the price the record carries [currency]',
    billing_period varchar not null comment 'the month in which the cycle ends',
    primary key (landing_sequence, contract_item_id, part_number)
) partitioned by (billing_period);
