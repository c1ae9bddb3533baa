-- Records that count nowhere because a person said so.
create table usage_exclusion (
    landing_sequence bigint not null comment 'the record',
    usage_type varchar not null comment 'what was used',
    unit varchar not null comment 'unit of the quantity; empty where none is given',
    record_quantity decimal(38, 12) not null comment 'what it counted [unit]',
    place varchar not null comment 'void, written off or discarded',
    reason varchar not null comment 'why',
    replaced_by varchar comment 'transaction_id of the record that amends it',
    check (place in ('void', 'written off', 'discarded')),
    primary key (landing_sequence)
);
