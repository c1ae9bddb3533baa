-- The price of a product and since when. A new price is a new row.
create table price (
    price_id varchar not null comment 'this version of the price',
    product_id varchar not null comment 'what is priced',
    charge_model varchar not null comment 'per_unit, graduated, volume, flat, matrix, capacity; on a level: level_graduated, level_volume; record by record: record_graduated, record_price, record_amount, percentage, time_of_use, dimension',
    unit_amount decimal(38, 12) comment 'per_unit, matrix: price of one unit; percentage: share of each record, 0.015 is 1.5 % [currency per unit]',
    flat_amount decimal(38, 12) comment 'flat: fee of a cycle; percentage: fee of a paid record [currency]',
    record_maximum decimal(38, 12) comment 'record_graduated, percentage: most that one record costs [currency]; null: no limit',
    billing_timing varchar not null default 'arrears' comment 'flat: advance or arrears',
    proration varchar not null default 'none' comment 'flat, in a part of a cycle: none, days (local days), time (elapsed time) or fixed_days (months of fixed_days days)',
    fixed_days integer comment 'fixed_days: days that every month counts [days]',
    valid_from timestamp not null comment 'in force from, inclusive',
    valid_to timestamp comment 'in force to, exclusive; null: open',
    check (charge_model in ('per_unit', 'graduated', 'volume', 'flat', 'matrix', 'capacity', 'level_graduated', 'level_volume', 'record_graduated', 'record_price', 'record_amount', 'percentage', 'time_of_use', 'dimension')),
    check (charge_model not in ('per_unit', 'percentage') or unit_amount is not null),
    check (charge_model <> 'flat' or flat_amount is not null),
    check (record_maximum is null or charge_model in ('record_graduated', 'percentage')),
    check (billing_timing in ('advance', 'arrears')),
    check (billing_timing = 'arrears' or charge_model = 'flat'),
    check (proration in ('none', 'days', 'time', 'fixed_days')),
    check (proration <> 'fixed_days' or fixed_days > 0),
    check (valid_to > valid_from),
    primary key (price_id)
);
