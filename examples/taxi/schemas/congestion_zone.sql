-- Taxi zones in Manhattan south of 96th Street.
create table congestion_zone (
    location_id varchar not null comment 'number of the taxi zone',
    zone_name varchar not null comment 'for the reader',
    primary key (location_id)
);
