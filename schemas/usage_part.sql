-- The parts of the records that are split in proportion to time, and that meet the
-- end of a cycle or the begin or end of an item. Other records have no row here.
create table usage_part (
    landing_sequence bigint not null comment 'the record',
    part_number integer not null comment 'from 1, in order of time',
    part_start timestamp not null comment 'where the part starts, inclusive',
    part_end timestamp not null comment 'where it ends, exclusive',
    check (part_end > part_start),
    primary key (landing_sequence, part_number)
);
