-- By how much, and when, usage changes a level.
create table level_event (
    contract_item_id varchar not null comment 'the item',
    group_key varchar not null comment 'the group of the metric as JSON; empty: none',
    cycle_start timestamp not null comment 'the cycle, inclusive',
    price_id varchar not null comment 'the price; none: no price in force',
    event_number bigint not null comment 'from 1, in order of time',
    usage_start timestamp not null comment 'when',
    effective_day integer comment 'the local day from which it counts [days since 1970-01-01]; null: not prorated by days',
    quantity decimal(38, 12) not null comment 'by how much the level moves [unit]',
    primary key (contract_item_id, group_key, cycle_start, price_id, event_number)
);
