-- The tiers of a record_graduated price, with what a record costs up to each.
create table record_tier (
    price_id varchar not null comment 'the price',
    tier_number integer not null comment 'from 1',
    quantity_from decimal(38, 12) not null comment 'exclusive [unit]',
    quantity_to decimal(38, 12) comment 'inclusive [unit]; null: open',
    unit_amount decimal(38, 12) not null comment 'price of one unit [currency per unit]',
    amount_from decimal(38, 12) comment 'due when the tier is reached, with all below it [currency]; null: more than has room',
    primary key (price_id, tier_number)
);
