-- The price of a product and since when. A new price is a new row.
create table price (
    price_id varchar not null comment 'this version of the price',
    product_id varchar not null comment 'what is priced',
    charge_model varchar not null comment 'per_unit, graduated, volume, flat, or record by record: record_graduated, record_price, record_amount',
    unit_amount decimal(38, 12) comment 'per_unit: price of one unit [currency per unit]',
    flat_amount decimal(38, 12) comment 'flat: fee of a cycle [currency]',
    record_maximum decimal(38, 12) comment 'record_graduated: most that one record costs [currency]; null: no limit',
    billing_timing varchar not null default 'arrears' comment 'flat: advance or arrears',
    proration varchar not null default 'none' comment 'flat, in a part of a cycle: none, or days',
    valid_from timestamp not null comment 'in force from, inclusive',
    valid_to timestamp comment 'in force to, exclusive; null: open',
    check (charge_model in ('per_unit', 'graduated', 'volume', 'flat', 'record_graduated', 'record_price', 'record_amount')),
    check (charge_model <> 'per_unit' or unit_amount is not null),
    check (charge_model <> 'flat' or flat_amount is not null),
    check (record_maximum is null or charge_model = 'record_graduated'),
    check (billing_timing in ('advance', 'arrears')),
    check (billing_timing = 'arrears' or charge_model = 'flat'),
    check (proration in ('none', 'days')),
    check (valid_to > valid_from),
    primary key (price_id)
);
