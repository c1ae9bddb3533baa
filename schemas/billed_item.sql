-- The items, cycles and prices that the books of a period have, used or not, so that
-- late usage finds its place there. Never changes; where a period was let rate again
-- by other rules, it has them anew.
create table billed_item (
    contract_item_id varchar not null comment 'the item',
    cycle_start timestamp not null comment 'the cycle, inclusive',
    price_id varchar not null comment 'the price; none: no price in force',
    cycle_end timestamp not null comment 'exclusive',
    charge_from timestamp not null comment 'the price counts from, inclusive',
    charge_to timestamp not null comment 'the price counts to, exclusive',
    rerate_number bigint not null comment 'of the rerating that wrote it; 0: its closing',
    billing_period varchar not null comment 'the closed month it is billed in',
    primary key (contract_item_id, cycle_start, price_id, billing_period, rerate_number)
) partitioned by (billing_period);
