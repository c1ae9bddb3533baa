-- What the records of a landing come to, in each place that they are in.
create table place_total (
    landing_id bigint not null comment 'number of the landing',
    usage_type varchar not null comment 'empty where it could not be read',
    unit varchar not null comment 'unit of the quantity; empty where none is given',
    place varchar not null comment 'where the records are',
    times bigint not null comment '1: they are there; -1: they were counted there when a period closed, and are there no more',
    record_count bigint not null comment 'how many [records]',
    quantity decimal(38, 12) not null comment 'their quantity [unit]',
    id_hash decimal(38, 0) not null comment 'sum of row_hash(landing_sequence)',
    primary key (landing_id, usage_type, unit, place, times)
);
