-- The quantity bands of a price whose charge model has tiers: graduated, volume,
-- record_graduated, level_graduated, level_volume, capacity.
create table price_tier (
    price_id varchar not null references price (price_id) comment 'the price',
    tier_number integer not null comment 'from 1',
    quantity_from decimal(32, 12) not null default 0 comment 'exclusive [unit]',
    quantity_to decimal(32, 12) comment 'inclusive [unit]; null: open',
    unit_amount decimal(28, 12) not null default 0 comment 'price of one unit, or of one block [currency per unit]',
    flat_amount decimal(28, 12) not null default 0 comment 'due once when the tier is reached [currency]',
    block_quantity decimal(32, 12) comment 'units are charged by the started block of this size, unit_amount is the price of one block [unit]; null: by the unit',
    check (quantity_to > quantity_from),
    check (block_quantity > 0),
    primary key (price_id, tier_number)
);
