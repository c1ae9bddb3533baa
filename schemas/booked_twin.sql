-- Records in closed books that have the hash of one that is in none: only these are
-- compared with it.
create table booked_twin (
    landing_sequence bigint not null comment 'the record',
    id_hash bigint not null comment 'row_hash(source, transaction_id)',
    primary key (landing_sequence)
);
