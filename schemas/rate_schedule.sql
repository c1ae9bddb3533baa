-- How sessions of a time_of_use price are rounded and cut: one row for each price.
create table rate_schedule (
    price_id varchar not null references price (price_id) comment 'the price',
    step_decimals integer not null default 6 comment 'decimals that the price of an increment keeps, half up',
    session_decimals integer comment 'decimals that the price of a session keeps; null: all',
    session_rounding varchar not null default 'half_up' comment 'half_up, half_even, ceil or floor',
    splits_windows boolean not null default true comment 'true: each increment is in the window in which it begins; false: a session is in the window in which it begins',
    check (step_decimals between 0 and 12),
    check (session_decimals between 0 and 12),
    check (session_rounding in ('half_up', 'half_even', 'ceil', 'floor')),
    check (session_rounding = 'half_up' or session_decimals is not null),
    primary key (price_id)
);
