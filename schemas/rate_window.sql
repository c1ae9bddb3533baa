-- The windows of the contract's clock in which sessions are priced differently.
create table rate_window (
    price_id varchar not null references price (price_id) comment 'the price',
    window_number integer not null comment 'from 1',
    weekdays varchar comment '1 is Monday, a comma between them; null: all',
    months varchar comment '1 is January, a comma between them; null: all',
    month_days varchar comment '1 to 31, a comma between them; null: all',
    start_time varchar not null default '00:00:00' comment 'from this time of day on, HH:MM:SS',
    weight integer not null default 0 comment 'the largest holds, then the latest start_time',
    connection_fee decimal(28, 12) not null default 0 comment 'of a session that begins in the window [currency]',
    check (regexp_like(weekdays, '^[1-7](,[1-7])*$')),
    check (regexp_like(months, '^([1-9]|1[0-2])(,([1-9]|1[0-2]))*$')),
    check (regexp_like(month_days, '^([1-9]|[12][0-9]|3[01])(,([1-9]|[12][0-9]|3[01]))*$')),
    check (regexp_like(start_time, '^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$')),
    primary key (price_id, window_number)
);
