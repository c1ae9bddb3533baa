-- The records that closings have left out of the landings that they reached, and of
-- these what later ones took in, so that no run looks for them again. Never changes.
create table left_record (
    landing_sequence bigint not null comment 'the record',
    is_left boolean not null comment 'the closing left it out; false: it took in what an earlier one had left out',
    closed_in varchar not null comment 'the period whose closing it was',
    primary key (landing_sequence, closed_in)
);
