-- The records that stand in no books after a closing, of the landings that books have
-- reached by then: only the last closing's count. Never changes.
create table left_record (
    landing_sequence bigint not null comment 'the record',
    closed_in varchar not null comment 'the period whose closing it was',
    primary key (landing_sequence, closed_in)
) partitioned by (closed_in);
