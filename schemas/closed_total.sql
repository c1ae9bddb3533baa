-- What each closing has put into the books of a landing, as the first balance counts
-- it, so that no run counts closed books again. Never changes.
create table closed_total (
    landing_id bigint not null comment 'number of the landing',
    usage_type varchar not null comment 'what was used',
    unit varchar not null comment 'unit of the quantity; empty where none is given',
    record_count bigint not null comment 'records in billed_usage [records]',
    quantity decimal(38, 12) not null comment 'their quantity [unit]',
    id_hash decimal(38, 0) not null comment 'sum of row_hash(landing_sequence)',
    closed_in varchar not null comment 'the period whose closing put them there',
    primary key (landing_id, usage_type, unit, closed_in)
);
