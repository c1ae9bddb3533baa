-- The records that stand in no closed books, of the landings of which others do. No
-- record of another landing stands in the books.
create table open_record (
    landing_sequence bigint not null comment 'the record',
    is_copied boolean not null comment 'left_usage has a copy of it',
    primary key (landing_sequence)
);
