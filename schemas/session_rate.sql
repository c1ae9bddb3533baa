-- The rates of a time_of_use price in the order in which the function session_steps
-- looks for one.
create table session_rate (
    price_id varchar not null comment 'the price',
    place integer not null comment 'from 1; the first rate that holds is in force',
    window_number integer not null comment 'the window, see rate_window',
    weekdays varchar comment 'see rate_window',
    months varchar comment 'see rate_window',
    month_days varchar comment 'see rate_window',
    start_time varchar not null comment 'see rate_window',
    step_number integer not null comment 'the rate in its window, see rate_step',
    elapsed_from decimal(38, 12) not null comment 'from this length of the session on [s, or the unit of the quantity]',
    increment_quantity decimal(38, 12) not null comment 'what is charged whole once begun [s, or the unit]',
    primary key (price_id, place)
);
