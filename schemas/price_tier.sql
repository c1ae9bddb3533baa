-- The quantity bands of a graduated, volume or record_graduated price.
create table price_tier (
    price_id varchar not null comment 'the price',
    tier_number integer not null comment 'from 1',
    quantity_from decimal(38, 12) not null comment 'exclusive [unit]',
    quantity_to decimal(38, 12) comment 'inclusive [unit]; null: open',
    unit_amount decimal(38, 12) not null default 0 comment 'price of one unit [currency per unit]',
    flat_amount decimal(38, 12) not null default 0 comment 'due once when the tier is reached [currency]',
    check (quantity_to > quantity_from),
    primary key (price_id, tier_number)
);
