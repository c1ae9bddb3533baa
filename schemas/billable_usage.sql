-- What is left to price after quota.
create table billable_usage (
    contract_item_id varchar not null comment 'the item',
    cycle_start timestamp not null comment 'the cycle, inclusive',
    price_id varchar not null comment 'the price; none: no price in force',
    group_key varchar not null comment 'the group of the metric as JSON; empty: none',
    quantity decimal(38, 12) not null comment 'metered [unit]',
    included_quantity decimal(38, 12) not null comment 'covered by quota [unit]',
    goodwill_quantity decimal(38, 12) not null comment 'of that, beyond the quota and let pass [unit]',
    billable_quantity decimal(38, 12) not null comment 'left to price [unit]',
    record_amount decimal(38, 12) not null comment 'sum of what the records cost by themselves [currency]',
    customer_id varchar not null comment 'who pays',
    billing_period varchar not null comment 'the month it is billed in',
    check (included_quantity + billable_quantity = quantity),
    primary key (contract_item_id, cycle_start, price_id, group_key)
) partitioned by (billing_period);
