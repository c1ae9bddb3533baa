-- The landings of which usage stands in closed books.
create table booked_landing (
    landing_id bigint not null comment 'number of the landing',
    primary key (landing_id)
);
