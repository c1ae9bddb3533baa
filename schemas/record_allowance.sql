-- Which records of a percentage price are free, and between which amounts the
-- others cost: at most one row for each price. Versions of a price within a cycle
-- share it, and each combination of a metric's group_fields has its own.
create table record_allowance (
    price_id varchar not null references price (price_id) comment 'the price',
    free_records bigint comment 'so many records of a cycle are free [records]; null: no such allowance',
    free_quantity decimal(32, 12) comment 'so much of a cycle is free [unit]; with free_records the earlier end counts; null: no such allowance',
    record_minimum decimal(28, 12) comment 'least that a paid record costs [currency]; null: no limit',
    record_order varchar not null default 'time' comment 'which records come first: by time, or by arrival',
    check (free_records >= 0),
    check (free_quantity >= 0),
    check (record_order in ('time', 'arrival')),
    primary key (price_id)
);
