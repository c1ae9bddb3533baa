-- One record that could not be read as usage.
create table usage_rejected (
    landing_sequence bigint not null comment 'landing id x 1,000,000,000 + row, counted with the records of its landing',
    file_name varchar not null comment 'the file it came in',
    line_number bigint not null comment 'line or row of that file, from 1',
    usage_type varchar comment 'where it could be read',
    transaction_id varchar comment 'where it could be read',
    reject_reason varchar not null comment 'everything that is wrong with it',
    raw_text varchar not null comment 'the record as received',
    primary key (landing_sequence)
);
