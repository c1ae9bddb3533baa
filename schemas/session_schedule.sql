-- The windows and rates of a time_of_use price, as the function session_steps
-- reads them, and how its sessions are rounded and cut.
create table session_schedule (
    price_id varchar not null comment 'the price',
    schedule_text varchar not null comment 'its windows and their rates',
    shortest_increment decimal(38, 12) not null comment 'of all rates [s, or the unit of the quantity]',
    splits_windows boolean not null comment 'see rate_schedule',
    step_decimals integer not null comment 'see rate_schedule',
    session_decimals integer comment 'see rate_schedule',
    session_rounding varchar not null comment 'see rate_schedule',
    primary key (price_id)
);
