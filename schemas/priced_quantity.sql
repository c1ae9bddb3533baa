-- What is priced, and by which price; usage without a price is not here.
create table priced_quantity (
    contract_item_id varchar not null comment 'the item',
    cycle_start timestamp not null comment 'the cycle, inclusive',
    price_id varchar not null comment 'the price',
    group_key varchar not null comment 'the group of the metric as JSON; empty: none',
    charge_model varchar not null comment 'how it is priced, see price',
    is_due boolean not null comment 'false: it is not charged in this cycle, or not yet',
    quantity decimal(38, 12) not null comment 'converted and less what is free [unit of the price]',
    quantity_before decimal(38, 12) comment 'priced earlier in the cycle, where tiers or blocks go on [unit of the price]; null: they begin at zero',
    block_quantity decimal(38, 12) comment 'per_unit: charged by the started block of this size [unit of the price]',
    share_part bigint not null comment 'flat: what of the cycle is charged [days, microseconds, or all]',
    share_whole bigint not null comment 'flat: what share_part is a part of',
    unit_amount decimal(38, 12) comment 'price of one unit [currency per unit]',
    flat_amount decimal(38, 12) comment 'fee of a cycle [currency]',
    record_amount decimal(38, 12) not null comment 'sum of what the records cost by themselves [currency]',
    billing_period varchar not null comment 'the month it is billed in',
    primary key (contract_item_id, cycle_start, price_id, group_key)
) partitioned by (billing_period);
