-- Up to which total a tier of a capacity price holds, for each of the groups
-- that the metric tells apart; a group that is not listed has no limit in that
-- tier, and usage of one that no tier lists waits.
create table capacity_limit (
    price_id varchar not null comment 'the price',
    tier_number integer not null comment 'the tier, see price_tier for its flat_amount',
    group_key varchar not null comment 'the group as JSON: {"unit": "seats"}',
    quantity_to decimal(32, 12) not null comment 'inclusive [unit of the group]',
    foreign key (price_id, tier_number) references price_tier (price_id, tier_number),
    primary key (price_id, tier_number, group_key)
);
