-- Records whose identity may have come twice: one hash says so. Only these are compared
-- in full.
create table twin_record (
    landing_sequence bigint not null comment 'the record',
    id_hash bigint not null comment 'row_hash(source, transaction_id)',
    is_open boolean not null comment 'it stands in no closed books',
    is_copied boolean not null comment 'left_usage has a copy of it',
    primary key (landing_sequence)
);
