-- What a session costs in a window, from which length on.
create table rate_step (
    price_id varchar not null comment 'the price',
    window_number integer not null comment 'the window',
    step_number integer not null comment 'from 1',
    elapsed_from decimal(32, 12) not null default 0 comment 'from this length of the session on [s, or the unit of the quantity]',
    unit_amount decimal(28, 12) not null comment 'price of unit_quantity [currency]',
    unit_quantity decimal(32, 12) not null default 1 comment 'what unit_amount is the price of [s, or the unit]',
    increment_quantity decimal(32, 12) not null default 1 comment 'what is charged whole once begun [s, or the unit]',
    check (elapsed_from >= 0),
    check (unit_quantity > 0),
    check (increment_quantity > 0),
    foreign key (price_id, window_number) references rate_window (price_id, window_number),
    primary key (price_id, window_number, step_number)
);
