-- What is done to quantity and amount around the charge model of a price: at most
-- one row for each price, applied from the top to the bottom.
create table price_modifier (
    price_id varchar not null comment 'the price',
    convert_factor decimal(38, 12) not null default 1 comment 'billed quantity = quantity x factor / divisor',
    convert_divisor decimal(38, 12) not null default 1 comment 'see convert_factor; 1024 turns MB into GB',
    convert_rounding varchar not null default 'none' comment 'the billed quantity is rounded to whole units: none, ceil, floor, half_up or half_even',
    free_quantity decimal(38, 12) not null default 0 comment 'comes off the billed quantity [converted unit]',
    block_quantity decimal(38, 12) comment 'per_unit: charged by the started block of this size, a package, unit_amount is the price of one [converted unit]; null: by the unit',
    zero_quantity varchar not null default 'charged' comment 'record_amount: records that sum to no quantity are charged, or free',
    charge_decimals integer comment 'each charge is rounded to so many decimals before charges are added; null: only their sum on the line is',
    charge_rounding varchar not null default 'half_up' comment 'half_up, half_even, ceil or floor',
    discount_percent decimal(38, 12) not null default 0 comment 'off each charge, rounded the same way; 15 is 15 %',
    maximum_amount decimal(38, 12) comment 'most that the cycle costs; what is above is discounted [currency]; null: no limit',
    minimum_amount decimal(38, 12) comment 'least that the cycle costs; what is missing is a line of its own [currency]; null: none',
    minimum_proration varchar not null default 'none' comment 'the minimum of a part of a cycle: none (in full) or days (its local days)',
    check (convert_factor <> 0 and convert_divisor <> 0),
    check (convert_rounding in ('none', 'ceil', 'floor', 'half_up', 'half_even')),
    check (free_quantity >= 0),
    check (block_quantity > 0),
    check (zero_quantity in ('charged', 'free')),
    check (charge_decimals between 0 and 12),
    check (charge_rounding in ('half_up', 'half_even', 'ceil', 'floor')),
    check (discount_percent between 0 and 100),
    check (maximum_amount >= 0),
    check (minimum_amount >= 0),
    check (minimum_proration in ('none', 'days')),
    primary key (price_id)
);
