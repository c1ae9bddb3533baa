-- The publisher's rates: one row for each rate a month's usage was billed at.
create table list_rate (
    billing_period date not null comment 'first day of the month',
    line_item_product_code varchar not null comment 'the product',
    line_item_usage_type varchar not null comment 'what was used',
    line_item_operation varchar comment 'what was done',
    line_item_unblended_rate decimal(38, 12) comment 'the rate billed; 0 within a free tier [USD per unit]',
    pricing_public_on_demand_rate decimal(38, 12) comment 'the list rate; null: individually priced [USD per unit]',
    pricing_rate_id varchar comment 'not used, as are the columns below',
    product_sku varchar,
    pricing_unit varchar,
    line_item_line_item_description varchar,
    line_items varchar,
    quantity varchar
);
