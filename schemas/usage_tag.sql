-- The tags of a record that has any.
create table usage_tag (
    landing_sequence bigint not null comment 'the record',
    tags varchar not null comment 'its tags by name, a comma before and after each: ,night,peak,',
    primary key (landing_sequence)
);
