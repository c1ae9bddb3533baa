-- The landings that no run counts.
create table landing_hold (
    landing_id bigint not null comment 'number of the landing',
    hold_name varchar not null comment 'the batch it belongs to',
    place varchar not null comment 'held or discarded',
    check (place in ('held', 'discarded')),
    primary key (landing_id)
);
