-- The moves of a level in a cycle, and for which share of it each counts.
create table level_change (
    contract_item_id varchar not null comment 'the item',
    cycle_start timestamp not null comment 'the cycle, inclusive',
    price_id varchar not null comment 'the price; none: no price in force',
    group_key varchar not null comment 'the group of the metric as JSON; empty: none',
    change_number bigint not null comment '0: carried in from the cycle before; from 1: in order of time',
    quantity decimal(38, 12) not null comment 'by how much the level moves [unit]',
    share_part bigint not null comment 'what is left of the cycle [days or microseconds]',
    share_whole bigint not null comment 'what share_part is a part of [days or microseconds]',
    primary key (contract_item_id, cycle_start, price_id, group_key, change_number)
);
