-- The landings of which no usage stands in closed books.
create table open_landing (
    landing_id bigint not null comment 'number of the landing',
    primary key (landing_id)
);
