-- One record that came again: same source and transaction id as an earlier one.
create table usage_duplicate (
    landing_sequence bigint not null comment 'the record that came again',
    original_landing_sequence bigint not null comment 'the one it came again of: the one that counts, or one that is void or written off and says the same',
    id_hash bigint not null comment 'row_hash(source, transaction_id)',
    source varchar not null comment 'the system that counted',
    transaction_id varchar not null comment 'the identity both have',
    usage_type varchar not null comment 'what was used',
    unit varchar not null comment 'unit of the quantity',
    record_quantity decimal(38, 12) not null comment 'what the record counted [unit]',
    duplicate_kind varchar not null comment 'identical or conflicting',
    primary key (landing_sequence)
);
