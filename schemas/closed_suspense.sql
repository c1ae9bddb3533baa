-- What was in suspense when its period closed: once, where it waited first.
create table closed_suspense (
    landing_sequence bigint not null comment 'the record',
    usage_type varchar not null comment 'what was used',
    unit varchar not null comment 'unit of its quantity',
    record_quantity decimal(38, 12) not null comment 'what the record counted [unit]',
    suspense_reason varchar not null comment 'why it waited',
    closed_in varchar not null comment 'the period that closed, its own or a later one',
    primary key (landing_sequence)
);
