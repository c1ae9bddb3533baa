-- Prices of a matrix price: one for each combination of the metric's group
-- fields; what is not listed costs the unit_amount of the price, and waits if it
-- has none.
create table price_matrix (
    price_id varchar not null references price (price_id) comment 'the price',
    group_key varchar not null comment 'the combination as JSON: {"region": "eu", "vcpu": 4}',
    unit_amount decimal(28, 12) not null comment 'price of one unit [currency per unit]',
    primary key (price_id, group_key)
);
