-- What one landing received, counted while reading and before writing.
create table landing (
    landing_id bigint not null comment 'number of the landing',
    usage_type varchar not null comment 'empty where it could not be read',
    unit varchar not null comment 'unit of the quantity; empty where none is given',
    file_name varchar not null comment 'the file landed',
    content_hash varchar not null comment 'SHA-256 of its bytes',
    record_count bigint not null comment 'records received [records]',
    record_quantity decimal(38, 12) not null comment 'sum of their quantities [unit]',
    id_hash decimal(38, 0) not null comment 'sum of row_hash(landing_sequence)',
    primary key (landing_id, usage_type, unit)
);
