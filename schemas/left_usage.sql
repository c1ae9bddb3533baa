-- Copies of usage records that closings left out and that count nowhere, and of those
-- in the books that they are duplicates of, so that no run looks for them in the files
-- of closed months. It has all columns of usage_record, those that a project adds
-- too: they need not be written here. Never changes.
create table left_usage (
    landing_sequence bigint not null comment 'the record',
    closed_in varchar not null comment 'the period whose closing it was',
    primary key (landing_sequence)
);
