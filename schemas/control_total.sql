-- The first balance: one row for each place the records of a landing are in.
create table control_total (
    landing_id bigint not null comment 'number of the landing',
    usage_type varchar not null comment 'empty where it could not be read',
    unit varchar not null comment 'unit of the quantity; empty where none is given',
    place varchar not null comment 'where the records are',
    record_count bigint not null comment 'how many [records]',
    quantity decimal(38, 12) not null comment 'their quantity [unit]',
    id_hash decimal(38, 0) not null comment 'sum of row_hash(landing_sequence)',
    primary key (landing_id, usage_type, unit, place)
);
