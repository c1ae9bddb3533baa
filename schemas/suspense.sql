-- One record that could not be guided or rated; every run tries it again.
create table suspense (
    landing_sequence bigint not null comment 'the record',
    source varchar not null comment 'the system that counted',
    transaction_id varchar not null comment 'the record''s identity within its source',
    usage_type varchar not null comment 'what was used',
    usage_start timestamp not null comment 'event time',
    unit varchar not null comment 'unit of the quantity',
    record_quantity decimal(38, 12) not null comment 'what the record counted [unit]',
    suspense_reason varchar not null comment 'why it waits',
    primary key (landing_sequence)
);
