-- One record left out on purpose.
create table usage_filtered (
    landing_sequence bigint not null comment 'the record',
    usage_type varchar not null comment 'what was used',
    unit varchar not null comment 'unit of the quantity',
    record_quantity decimal(38, 12) not null comment 'what the record counted [unit]',
    filter_rule varchar not null comment 'why: see usage_filter',
    primary key (landing_sequence)
);
