-- A reservation: instances paid by the hour, used or not, whose usage is included.
create table reservation (
    reservation_id varchar not null comment 'last part of its ARN',
    instance_type varchar not null comment 'what is reserved',
    instances integer not null comment 'how many [instances]',
    hourly_fee decimal(38, 12) not null comment 'fee of one instance [USD per hour]',
    valid_from timestamp not null comment 'bought at',
    primary key (reservation_id)
);
